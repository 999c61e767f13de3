"""Bad input: one clear message for each thing that is wrong. (tests/workflow: nothing starts.)"""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import yaml

from sweepmake.errors import InputError, SweepmakeError, in_words
from sweepmake.params.config import read_config
from sweepmake.plan import make_plan

GOOD = "template:\n  train: echo {a} [b]\ndefault: {a: 1, b: 2}\nresource: [0]\n---\na: [1, 2]\n"

# (what is wrong, params.yaml, configuration, what the message must say)
# ruff: noqa: E501
PARAMS_YAML = [
    ("no file", None, {}, ["params.yaml", "no such file"]),
    ("empty", "", {}, ["params.yaml", "empty"]),
    ("no template", "default: {a: 1}\n---\na: [1]\n", {}, ["params.yaml", "template"]),
    ("empty template", "template: {}\n---\na: [1]\n", {}, ["params.yaml:1", "template"]),
    ("not a mapping", "- a\n- b\n", {}, ["params.yaml:1", "mapping"]),
    ("unknown placeholder", "template:\n  t: echo {lrr}\ndefault: {lr: 1}\n---\nlr: [1]\n", {},
     ["params.yaml:2", "lrr", "did you mean 'lr'"]),
    ("both forms", "template:\n  t: echo {a} [a]\n---\na: [1]\n", {}, ["params.yaml:2", "{a}", "[a]"]),
    ("alias in a template", "template:\n  t: echo {m}\nalias: {m: {x: {a: 1}}}\n---\nm: [x]\n", {},
     ["params.yaml:2", "alias", "m"]),
    ("uneven alias", "template:\n  t: echo {a}\nalias:\n  m:\n    x: {a: 1}\n    y: {b: 1}\n---\nm: [x]\n",
     {}, ["params.yaml:6", "alias 'm', case 'y' sets b, but case 'x' sets a",
          "every case of an alias sets the same parameters"]),
    ("many names in a message", "template:\n  t: echo {a}\nalias:\n  m:\n    x: {c: 1, a: 1, b: 2}\n    y: {b: 1}\n---\nm: [x]\n",
     {}, ["case 'x' sets a, b, c"]),
    ("unknown alias case", "template:\n  t: echo {a}\nalias: {m: {x1: {a: 1}}}\n---\nm: [x2]\n", {},
     ["params.yaml:5", "x2", 'one of: x1']),
    ("unknown _cmd", GOOD + "---\n_cmd: trian\na: [3]\n", {}, ["params.yaml:8", "trian", "'train'"]),
    ("unknown title", GOOD.replace("a: [1, 2]", "_title: one\na: [1]"), {"title": "two"},
     ["two", "one"]),
    ("unknown stage", GOOD, {"stages": "trian"}, ["trian", "did you mean 'train'"]),
    ("duplicate keys", GOOD + "---\nb: [1]\nb: [2]\n", {}, ["params.yaml:9", "b", "line 8"]),
    ("empty list", GOOD + "---\nb: []\n", {}, ["params.yaml:8", "b", "empty"]),
    ("list of lists", GOOD + "---\nb: [[1, 2]]\n", {}, ["params.yaml:8", "b", "list"]),
    ("unknown key in stage", GOOD.replace("resource", "stage: {train: {gpus: 1}}\nresource"), {},
     ["params.yaml:4", "gpus", "did you mean 'gpu'"]),
    ("unknown stage in stage", GOOD.replace("resource", "stage: {tain: {gpu: 1}}\nresource"), {},
     ["params.yaml:4", "tain", "did you mean 'train'"]),
    ("wrong type in stage", GOOD.replace("resource", "stage: {train: {gpu: many}}\nresource"), {},
     ["params.yaml:4", "gpu", "many"]),
    ("invalid slot", GOOD.replace("[0]", "['0,0']"), {}, ["params.yaml:4", "0,0"]),
    ("two experiments of one name", GOOD.replace("resource", "name: same_{b}\nresource"), {},
     ["params.yaml", "same_2", "a"]),
    ("YAML syntax", "template:\n  t: 'echo\n---\na: [1]\n", {}, ["params.yaml"]),
    ("a python tag", GOOD + "---\na: !!python/object/apply:os.getcwd []\n", {}, ["params.yaml:8"]),
]  # fmt: skip

CONFIG = [
    ("unknown key", "ouput: x\n", {}, ["config.yaml:1", "unknown key 'ouput'", "did you mean 'output'"]),
    ("unknown key typed", "", {"sampel": 1}, ["sampel", "did you mean 'sample'"]),
    ("sample", "", {"sample": 0}, ["'sample': expected a whole number of at least 1, found the number 0"]),
    ("debug", "title: norm\ndebug: 7\n", {}, ["config.yaml:2", "'debug': expected true or false, found the number 7"]),
    ("slots", "", {"gpus": "0,0"}, ["gpus", "0,0"]),
    ("title", "title: {a: 1}\n", {}, ["config.yaml:1", "'title'", "a name or a list of names"]),
]  # fmt: skip


def error_of(config: dict[str, object]) -> str:
    """Plan a sweep as the workflow does, in the working directory; return the message."""
    files = ["config.yaml"] if Path("config.yaml").exists() else []
    read = yaml.safe_load(Path("config.yaml").read_text()) if files else {}
    with pytest.raises(SweepmakeError) as caught:
        make_plan(read_config({**(read or {}), **config}, files))
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "config", "expected"),
    [case[1:] for case in PARAMS_YAML],
    ids=[case[0] for case in PARAMS_YAML],
)
def test_bad_params_yaml(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str | None,
    config: dict[str, object],
    expected: list[str],
) -> None:
    """File and line, what was found, what was expected, a hint: in one line."""
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("params.yaml").write_text(text)
    message = error_of(config)
    for part in expected:
        assert part.lower() in message.lower()
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "config", "expected"),
    [case[1:] for case in CONFIG],
    ids=[case[0] for case in CONFIG],
)
def test_bad_config(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    config: dict[str, object],
    expected: list[str],
) -> None:
    """The same for config.yaml and --config."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(GOOD)
    if text:
        Path("config.yaml").write_text(text)
    message = error_of(config)
    for part in expected:
        assert part.lower() in message.lower()


def test_a_key_with_nothing_behind_it_hides_none_of_those_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is as if it were not written."""
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("title:\noutput: there\n")
    config = read_config(yaml.safe_load(Path("config.yaml").read_text()), ["config.yaml"])
    assert (config.title, config.output) == ((), "there")


def test_of_several_values_that_are_missing_the_first_of_the_alphabet_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same one each time."""
    monkeypatch.chdir(tmp_path)
    text = "template:\n  t: c {z} {b} {m}\n---\nz: [1]\nb: [1]\nm: [1]\n---\nx: [1]\n"
    Path("params.yaml").write_text(text)
    assert "'b'" in error_of({})


def test_errors_of_the_system_are_told_without_their_number() -> None:
    """What a user reads of a full disk: the words, the file where it is known, what to do."""
    full = OSError(errno.ENOSPC, "No space left on device")
    assert in_words(full).startswith("No space left on device (free some space")
    denied = PermissionError(errno.EACCES, "Permission denied", "results/a")
    assert in_words(denied) == "'results/a': Permission denied"
    assert in_words(InputError("wrong")) == "wrong"
