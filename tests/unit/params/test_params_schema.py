"""workflow/schemas/params.schema.json describes the language that the library reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from sweepmake.params.first_document import SETTINGS, TOP_LEVEL

ROOT = Path(__file__).parents[1].parent.parent
SCHEMA = json.loads((ROOT / "workflow/schemas/params.schema.json").read_text(encoding="utf-8"))
FILES = sorted((ROOT / "tests/data/params").glob("*.yaml"))


def test_schema_and_library_know_the_same_keys() -> None:
    """A key that is added to one must be added to the other."""
    assert set(SCHEMA["properties"]) == set(TOP_LEVEL)
    settings = SCHEMA["properties"]["stage"]["additionalProperties"]["properties"]
    assert {name: rule["minimum"] for name, rule in settings.items()} == SETTINGS


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_example_fits_the_schema(file: Path) -> None:
    """Each params.yaml of the tests is valid, document by document."""
    jsonschema = pytest.importorskip("jsonschema")
    first, *choices = yaml.safe_load_all(file.read_text(encoding="utf-8"))
    jsonschema.validate(first, SCHEMA)
    for document in choices:
        jsonschema.validate(document, {**SCHEMA, "$ref": "#/$defs/choices", **_only_definitions()})


def _only_definitions() -> dict:
    """Overrides that leave of the schema its definitions alone."""
    return {"required": [], "properties": {}}


@pytest.mark.parametrize(
    "document",
    [{}, {"template": {}}, {"template": {"all": "x"}}, {"template": {"t": "x"}, "name": 1}],
)
def test_the_schema_refuses_what_the_library_refuses(document: dict) -> None:
    """The schema is not so wide that it takes anything."""
    jsonschema = pytest.importorskip("jsonschema")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)
