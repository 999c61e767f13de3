"""The package that the rules' programs will find, which may be another than Snakemake's own."""

from __future__ import annotations

from pathlib import Path

import pytest

import sweepmake
from sweepmake.errors import SweepmakeError
from sweepmake.invocation.installed import check_installed


def test_the_installed_package_goes_with_the_rules_here() -> None:
    """NEEDED in rules/common.smk is the version of the package beside it."""
    rules = (Path(__file__).parents[3] / "rules/common.smk").read_text()
    assert f"\nNEEDED = {sweepmake.RULES_VERSION} " in rules
    check_installed(sweepmake.RULES_VERSION)


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("raise ModuleNotFoundError('no sweepmake')", "no sweepmake: these rules need the package"),
        ("RULES_VERSION = 7", "is for rules of version 7, and these are of version 8: install"),
        ("", "has no attribute 'RULES_VERSION'"),
    ],
)
def test_what_programs_would_find_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, message: str
) -> None:
    """Not what this process has imported."""
    (tmp_path / "sweepmake.py").write_text(package)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(SweepmakeError, match=message):
        check_installed(8)
