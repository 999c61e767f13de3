"""What the configuration makes of values that are written in more than one way."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweepmake.errors import InputError
from sweepmake.params.config import Config, check_folders, read_config
from sweepmake.params.log_keys import LogKeys


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"title": "a, b"}, Config(title=("a", "b"))),
        ({"title": ["a, b", 7]}, Config(title=("a, b", "7"))),
        ({"stages": "train"}, Config(stages=("train",))),
        ({"gpus": "0,1 2"}, Config(gpus=("0,1", "2"))),
        ({"gpus": 3}, Config(gpus=("3",))),
        ({"sample": 1, "sample_seed": 0}, Config(sample=1, sample_seed=0)),
        ({"sample_seed": 5}, Config(sample_seed=5)),
        ({"grace": 300}, Config(grace=300)),
        ({"no_subdir": "True"}, Config(no_subdir=True)),
        ({"debug": "false", "no_subdir": True}, Config(no_subdir=True)),
        ({"output": "./runs//a/", "results": "/r/"}, Config(output="runs/a", results="/r")),
        ({"params": "sweeps/p.yaml"}, Config(params="sweeps/p.yaml")),
        ({"logs": "runs/"}, Config(logs=LogKeys(folder="runs"))),
        (dict.fromkeys(Config.__dataclass_fields__), Config()),
    ],
)
def test_values_as_users_write_them(config: dict[str, object], expected: Config) -> None:
    """One or several, a list or the text that a command line gives; nothing is the default."""
    assert read_config(config) == expected


def test_the_params_yaml_of_the_caller_counts_where_none_is_named() -> None:
    """The workflow looks for it in two places."""
    assert read_config({}, default_params="config/params.yaml").params == "config/params.yaml"
    assert read_config({"params": "p"}, default_params="config/params.yaml").params == "p"


@pytest.mark.parametrize("key", ["output", "results"])
def test_a_folder_that_cannot_be_used_is_refused(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in its place or above it, and what Snakemake takes for a pattern."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("folder").mkdir()
    for good in ("folder", "folder/new/newer", "new"):
        check_folders(read_config({key: good}))
    for bad in ("file", "file/in/it"):
        with pytest.raises(InputError, match=f"'{key}' is '{bad}', but 'file' is a file"):
            check_folders(read_config({key: bad}))
    for bad in ("a{b", "a}b", "a<b"):
        with pytest.raises(InputError, match=f"'{key}' is '{bad}', but it cannot hold braces"):
            check_folders(read_config({key: bad}))


def test_an_error_names_the_first_file_with_the_key(tmp_path: Path) -> None:
    """Of several config files, and the line in it; a file that is not there is passed over."""
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("title: x\n# sample: 1\n")
    second.write_text("titles: y\n'sample' : 0\n")
    files = [str(tmp_path / "none.yaml"), str(first), str(second)]
    with pytest.raises(
        InputError, match="'sample': expected a whole number of at least 1, found the number 0"
    ) as caught:
        read_config({"sample": 0}, files)
    assert (caught.value.file, caught.value.line) == (str(second), 2)
    with pytest.raises(InputError, match="unknown key 'titles'") as caught:
        read_config({"titles": "y"}, files)
    assert (caught.value.file, caught.value.line) == (str(second), 1)
    assert "title" in str(caught.value.hint)


def test_a_number_inside_a_mapping_of_the_command_line_is_one() -> None:
    """Snakemake hands texts over; in a file, a text stays none."""
    config = read_config({"logs": {"pattern_time_s": "4"}})
    assert config.log_options["pattern_time_s"] == 4
