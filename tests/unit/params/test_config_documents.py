"""What config.yaml may say is written down in four places, and they agree: the Config dataclass,
workflow/schemas/config.schema.json, config/config.yaml and config/README.md."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from sweepmake.errors import InputError
from sweepmake.params.config import Config, read_config
from sweepmake.params.first_document import SETTINGS, TOP_LEVEL
from sweepmake.params.slot_list import parse_slots

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "workflow/schemas/config.schema.json").read_text(encoding="utf-8"))
README = (ROOT / "config/README.md").read_text(encoding="utf-8")
LINES = re.findall(
    r"^(?:# )?(\w+: \S.*)$", (ROOT / "config/config.yaml").read_text(encoding="utf-8"), re.M
)
KEYS = [field.name for field in dataclasses.fields(Config)]


def _headings(level: str) -> list[str]:
    return re.findall(rf"^{level} `(\w+)`", README, re.M)


def test_all_places_know_the_same_keys() -> None:
    """The keys stand in one order everywhere, each documented once."""
    assert list(SCHEMA["properties"]) == KEYS
    assert list(yaml.safe_load("\n".join(LINES))) == KEYS
    assert _headings("###")[: len(KEYS)] == KEYS


def test_config_yaml_shows_the_defaults() -> None:
    """config.yaml with every comment sign taken away means what an empty one means."""
    shown = yaml.safe_load("\n".join(LINES))
    jsonschema.validate(shown, SCHEMA)
    assert read_config(shown) == read_config({}) == Config()
    assert {key: rule["default"] for key, rule in SCHEMA["properties"].items()} == shown


def test_config_yaml_is_a_mapping_as_it_is() -> None:
    """Snakemake refuses a config file in which every key is commented out."""
    text = (ROOT / "config/config.yaml").read_text(encoding="utf-8")
    assert read_config(yaml.safe_load(text)) == Config()


def test_the_readme_describes_every_key_of_params_yaml() -> None:
    """Each key of the first document has its heading, each key of `stage:` its row."""
    headings = _headings("###")[len(KEYS) :]
    assert set(TOP_LEVEL) | {"_title", "_cmd"} == set(headings)
    for setting in SETTINGS:
        assert re.search(rf"^\| `{setting}` \|", README, re.M)


@pytest.mark.parametrize(
    ("key", "value", "valid"),
    [
        ("params", "sweeps/norms.yaml", True),
        ("params", "", False),
        ("output", ["a"], False),
        ("results", None, True),
        ("results", True, False),
        ("title", "a,b", True),
        ("title", "a,,b", False),
        ("title", ["a", "b c"], True),
        ("title", [], True),
        ("title", [["a"]], False),
        ("stages", "train", True),
        ("stages", {"train": 1}, False),
        ("stages", "", False),
        ("gpus", 0, True),
        ("gpus", "0,1 2,3", True),
        ("gpus", ["0,1", 2, "GPU-8f3b"], True),
        ("gpus", [], False),
        ("gpus", [-1], False),
        ("gpus", "first", False),
        ("sample", 3, True),
        ("sample", 0, False),
        ("sample", "3", False),
        ("sample", True, False),
        ("sample_seed", 0, True),
        ("sample_seed", -1, False),
        ("no_subdir", True, True),
        ("no_subdir", "yes", False),
        ("debug", 1, False),
        ("metric", {"bleu": {"stage": "test", "pattern": "x (.)", "take": "max"}}, True),
        ("metric", {"bleu": "x (.)"}, True),
        ("metric", {"bleu": {"stage": "test"}}, False),
        ("metric", {"bleu": {"pattern": "x", "take": "median"}}, False),
        ("metric", "x (.)", False),
        ("objective", "val_acc", True),
        ("objective", {"metric": "a / b", "mode": "min"}, True),
        ("objective", {"mode": "min"}, False),
        ("objective", ["val_acc"], False),
        ("over", "seed,fold", True),
        ("over", [], True),
        ("over", ["seed"], True),
        ("over", {"seed": 1}, False),
        ("over", "seed,,fold", False),
        ("headings", {"lr": "learning rate"}, True),
        ("headings", {"lr": ["learning rate"]}, False),
        ("headings", "lr", False),
        ("logs", {"clean": True}, True),
        ("logs", "some runs/", True),
        ("logs", 2022, True),
        ("logs", True, False),
        ("logs", " ", False),
        ("logs", ["runs"], False),
        ("logs", {"folder": "runs", "names": "(?P<lr>.*)", "reader": "keras2"}, True),
        ("logs", {"folder": ""}, False),
        ("logs", {"folder": ["runs"]}, False),
        ("logs", {"folder": "runs", "names": ""}, False),
        ("logs", {"folder": "runs", "names": ["a"]}, False),
        ("logs", {"names": "(?P<lr>.*)"}, False),
        ("titel", "a", False),
    ],
)
def test_the_schema_accepts_what_the_code_accepts(key: str, value: object, valid: bool) -> None:
    """Schema and code draw the same line between a usable value and a mistake."""
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid({key: value}) is valid
    assert _is_readable({key: value}) is valid


def _is_readable(config: dict[str, object]) -> bool:
    try:
        read = read_config(config)
        if read.gpus is not None:
            parse_slots(read.gpus, where="gpus")
    except InputError:
        return False
    return True
