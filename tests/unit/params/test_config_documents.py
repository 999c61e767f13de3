"""What config.yaml may say is written down in the model, and all else agrees with it: the schemas
and the tables that are made from it, config/config.yaml and config/README.md."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import pytest
import yaml

from sweepmake.errors import InputError
from sweepmake.logs.demux.launchers import launcher_names
from sweepmake.logs.options import LogOptions
from sweepmake.logs.readers import READERS
from sweepmake.params.config import Config, read_config
from sweepmake.params.first_document import FirstDocument
from sweepmake.params.kinds import keys_of
from sweepmake.params.log_keys import LogKeys
from sweepmake.params.schema import config_schema, documented, written

ROOT = Path(__file__).resolve().parents[3]
WRITTEN = (ROOT / "workflow/schemas/config.schema.json").read_text(encoding="utf-8")
SCHEMA = json.loads(WRITTEN)
README = (ROOT / "config/README.md").read_text(encoding="utf-8")
LINES = re.findall(
    r"^(?:# )?(\w+: \S.*)$", (ROOT / "config/config.yaml").read_text(encoding="utf-8"), re.M
)
KEYS = list(keys_of(Config))


def _headings(level: str) -> list[str]:
    return re.findall(rf"^{level} `(\w+)`", README, re.M)


def test_the_schema_is_the_one_that_is_made() -> None:
    """After a change of the model: python -m sweepmake.params.schema."""
    assert written(config_schema()) + "\n" == WRITTEN


def test_the_tables_are_those_that_are_made() -> None:
    """Of `logs:`, `stage:` and `metric:`, each key with its default and its meaning."""
    assert documented(README) == README
    assert documented(README.replace("| CPU threads,", "| threads,")) == README
    with pytest.raises(SystemExit, match="no table"):
        documented(README.replace("| `gpu` |", "| gpu |"))


def test_all_places_know_the_same_keys() -> None:
    """The keys stand in one order everywhere, each documented once."""
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


def test_the_readme_names_the_defaults() -> None:
    """In the section of each key of config.yaml that has one."""
    about_config = README[: README.index("\n## params.yaml")] + "\n##"
    sections = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##)", about_config, re.M | re.S))
    for name, key in keys_of(Config).items():
        if key.default not in (None, (), LogKeys()):
            shown = "{}" if key.default == {} else str(key.default)
            shown = shown.lower() if isinstance(key.default, bool) else shown
            said = " ".join(sections[name].split())
            assert re.search(rf"[Dd]efault: `?{re.escape(shown)}`?[.;]", said), name


def test_the_readme_describes_every_key_of_params_yaml() -> None:
    """Each key of the first document has its heading."""
    headings = _headings("###")[len(KEYS) :]
    assert {*keys_of(FirstDocument), "_title", "_cmd"} == set(headings)


def test_the_readers_of_logs_have_the_keys_of_the_model() -> None:
    """LogOptions stands apart from it, as programs start faster without the model."""
    mine = {name: key.default for name, key in keys_of(LogKeys).items()}
    assert {**LogOptions._field_defaults, "folder": None, "names": None} == mine


@pytest.mark.parametrize(("key", "names"), [("launcher", launcher_names()), ("reader", READERS)])
def test_the_names_that_a_log_key_takes_are_told(key: str, names: Sequence[str]) -> None:
    """In its description, which cannot ask for them: they are of a room above."""
    told = re.findall(r"`(\w+)`", keys_of(LogKeys)[key].description)
    assert sorted(told) == sorted(names)


def test_the_readers_are_described() -> None:
    """docs/readers.md names each, in the order in which they are asked."""
    section = (ROOT / "docs/readers.md").read_text(encoding="utf-8").split("## The readers\n")[1]
    told = re.findall(r"`(\w+)`", section.partition(". ")[0])
    assert told == list(READERS)


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
        ("logs", {"names": "("}, False),
        ("logs", {"clean": None, "pattern": ["a", "b"]}, True),
        ("logs", {"clean": "yes"}, False),
        ("logs", {"clean": 1}, False),
        ("logs", {"cleen": True}, False),
        ("logs", {"pattern": 3}, False),
        ("logs", {"launcher": 4}, False),
        ("titel", "a", False),
    ],
)
def test_the_schema_accepts_what_the_code_accepts(key: str, value: object, valid: bool) -> None:
    """Schema and code draw the same line between a usable value and a mistake."""
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid({key: value}) is valid
    assert _is_readable({key: value}) is valid


def _is_readable(config: dict[str, object]) -> bool:
    try:
        read_config(config)
    except InputError:
        return False
    return True


def test_the_command_line_writes_switches_and_numbers_as_texts() -> None:
    """Snakemake takes what stands in braces after --config for texts."""
    assert read_config({"debug": "True", "logs": {"clean": "true", "excel": "False"}}) == Config(
        debug=True, logs=LogKeys(clean=True)
    )
    assert read_config({"gpus": "0, 1 2,3"}).gpus == ("0,1", "2,3")
    assert read_config({"gpus": "01"}).gpus == ("1",)
    assert read_config({"gpus": [2, "3"]}).gpus == ("2", "3")
    assert read_config({"output": 2022, "results": "a/./b/"}) == Config(
        "params.yaml", "2022", "a/b"
    )


def test_options_of_logs_go_to_programs_as_they_are_written() -> None:
    """Without the defaults: what a program was given before decides whether it runs again."""
    given = {"clean": True, "pattern": "(?P<loss>x)", "reader": "auto"}
    assert read_config({"logs": {**given, "excel": False, "folder": "a"}}).log_options == given
    several = {"pattern": ["(?P<a>x)", "(?P<b>x)"]}
    assert read_config({"logs": several}).log_options == several
    assert read_config({"logs": {}}).log_options == read_config({}).log_options == {}
