"""Bad input ends the workflow at once. (tests/unit/test_bad_input.py has every message.)"""

from __future__ import annotations

import pytest
from projects import Project

GOOD = "template:\n  train: echo {a}\nresource: [0]\n---\na: [1, 2]\n"


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (
            GOOD.replace("{a}", "{aa}"),
            [],
            "error: params.yaml:2: ",
        ),
        (
            GOOD,
            ["--config", "ouput=x"],
            "error: config: unknown key 'ouput' (did you mean 'output'?)",
        ),
        (None, [], "error: params.yaml: "),
        (GOOD, ["--config", "output=results"], "error: config: 'output' ('results') and 'results'"),
        (GOOD, ["--config", "output=/proc"], "error: the folder '/proc' cannot be claimed: "),
    ],
)
def test_bad_input_starts_nothing(
    project: Project, text: str | None, arguments: list[str], message: str
) -> None:
    """One message, exit code not 0, no traceback, no output folder."""
    project.write(text or "")
    if text is None:
        project.path("params.yaml").unlink()
    done = project.run(*arguments)
    assert done.code not in (0, None)
    errors = [line for line in done.said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.said
    assert errors[0].startswith(message)
    assert "Traceback" not in done.said
    assert "START" not in done.said
    assert not project.path("output").exists()
    assert not project.path("results").exists()
