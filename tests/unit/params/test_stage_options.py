"""`stage:` in params.yaml: options of one stage, and of all of them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from sweepmake.errors import InputError
from sweepmake.params.sweep import Stage, read_sweep

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "workflow/schemas/params.schema.json").read_text(encoding="utf-8"))
TEMPLATES = "template: {train: x, avg: y, test: z}\n"


def stages(tmp_path: Path, written: str) -> list[Stage]:
    """Read the stages of a params.yaml."""
    path = tmp_path / "params.yaml"
    path.write_text(f"{TEMPLATES}stage: {written}\n---\na: 1\n")
    return list(read_sweep(path).stages)


def fits(written: str) -> bool:
    """Whether the schema accepts it."""
    document = yaml.safe_load(f"{TEMPLATES}stage: {written}\n")
    return bool(jsonschema.Draft202012Validator(SCHEMA).is_valid(document))


def test_what_stands_under_all_holds_for_every_stage(tmp_path: Path) -> None:
    """A stage's own wins, key by key; the rest has its defaults."""
    written = "{all: {gpu: 2, threads: 4}, avg: {gpu: 0}, test: {retries: 1}}"
    found = stages(tmp_path, written)
    assert [(s.name, s.gpu, s.threads, s.retries) for s in found] == [
        ("train", 2, 4, None),
        ("avg", 0, 4, None),
        ("test", 2, 4, 1),
    ]
    assert fits(written)


def test_an_environment_of_a_stage(tmp_path: Path) -> None:
    """Texts, as they are written; a stage's own stands instead of that for all, of either kind."""
    written = "{all: {conda: envs/all.yaml}, avg: {conda: other}, test: {container: a.sif}}"
    found = stages(tmp_path, written)
    assert [(s.conda, s.container) for s in found] == [
        ("envs/all.yaml", None),
        ("other", None),
        (None, "a.sif"),
    ]
    assert fits(written)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{train: {conda: a, container: b}}", "'train': has both 'conda' and 'container'"),
        ("{train: {conda: }}", "'conda': expected an environment file, a folder"),
        ("{train: {conda: 3}}", "found the number 3 (conda: envs/train.yaml)"),
        ("{train: {container: [a]}}", "'container': expected an image, found a list"),
        ("{train: {containr: a}}", "unknown key 'containr' (did you mean 'container'?)"),
        ("{all: {gpus: 1}}", "'stage', 'all': unknown key 'gpus' (did you mean 'gpu'?)"),
        ("{all: {}}", "'stage', 'all': expected a mapping, found an empty mapping"),
        ("{al: {gpu: 1}}", "'stage': unknown stage 'al' (did you mean 'all'?)"),
    ],
)
def test_a_mistake_is_told(written: str, message: str, tmp_path: Path) -> None:
    """With its line."""
    with pytest.raises(InputError) as caught:
        stages(tmp_path, written)
    assert message in str(caught.value)
    assert caught.value.line == 2
    assert fits(written) is ("'al'" in message)  # which stages there are no schema knows
