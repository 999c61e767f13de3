"""workflow/schemas/params.schema.json describes the language that the library reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from sweepmake.params.schema import params_schema, written

ROOT = Path(__file__).parents[1].parent.parent
WRITTEN = (ROOT / "workflow/schemas/params.schema.json").read_text(encoding="utf-8")
SCHEMA = json.loads(WRITTEN)
FILES = sorted((ROOT / "tests/data/params").glob("*.yaml"))


def test_the_schema_is_the_one_that_is_made() -> None:
    """After a change of a model: python -m sweepmake.params.schema."""
    assert written(params_schema()) + "\n" == WRITTEN


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
