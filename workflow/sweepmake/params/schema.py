"""Writes what is made from the models: the JSON schemas, the tables of keys in config/README.md.

python -m sweepmake.params.schema        in the repository's root, after a model has changed
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from sweepmake.params.config import Config
from sweepmake.params.documents import choices_schema
from sweepmake.params.first_document import PARAMETER_SCHEMA, VALUE_SCHEMA, FirstDocument
from sweepmake.params.guard_keys import SilenceKeys, SuccessKeys
from sweepmake.params.kinds import Key, keys_of, keys_schema
from sweepmake.params.log_keys import LogKeys
from sweepmake.params.metrics_reader import MetricKeys
from sweepmake.params.stage_options import StageOptions

__all__ = ["config_schema", "documented", "params_schema", "rows", "written"]

TABLES = (LogKeys, StageOptions, SuccessKeys, SilenceKeys, MetricKeys)
WIDTH = 100


def config_schema() -> dict[str, object]:
    """Return the JSON schema of config.yaml."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "config.schema.json",
        "title": "config.yaml, and what `--config` may say",
        **keys_schema(Config, nulls=True),
    }


def params_schema() -> dict[str, object]:
    """Return the JSON schema of a params.yaml's first document; the others are in its $defs."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "params.schema.json",
        "title": "The first document of a params.yaml; each further one is a '#/$defs/choices'",
        **keys_schema(FirstDocument, nulls=True),
        "additionalProperties": True,  # the user's own, as homes of anchors
        "$defs": {
            "parameter": PARAMETER_SCHEMA,
            "value": VALUE_SCHEMA,
            "choices": choices_schema(),
        },
    }


def written(schema: object, indent: int = 0) -> str:
    """Return JSON for people: what fits on one line stands on one."""
    line = json.dumps(schema, ensure_ascii=False)
    if indent + len(line) <= WIDTH or not isinstance(schema, dict | list) or not schema:
        return line
    inner = " " * (indent + 2)
    if isinstance(schema, dict):
        names = [json.dumps(name, ensure_ascii=False) + ": " for name in schema]
        values = list(schema.values())
    else:
        names, values = [""] * len(schema), schema
    parts = (
        f"{inner}{name}{written(value, indent + 2)}"
        for name, value in zip(names, values, strict=True)
    )
    start, end = "{}" if isinstance(schema, dict) else "[]"
    return f"{start}\n" + ",\n".join(parts) + f"\n{' ' * indent}{end}"


def rows(model: type[Any]) -> list[str]:
    """Return the rows of a model's table in config/README.md: key, default, meaning."""
    return [
        f"| `{name}` | {_default(one)} | {one.description} |".replace("|  |", "| |")
        for name, one in keys_of(model).items()
    ]


def _default(one: Key) -> str:
    """Return a key's default in words."""
    if one.required or one.absent is not None:
        return one.absent or ""
    if one.default is None:
        return "none"
    if type(one.default) is int:
        return str(one.default)
    return f"`{str(one.default).lower() if isinstance(one.default, bool) else one.default}`"


def documented(readme: str) -> str:
    """Return config/README.md with the tables as the models have them."""
    for model in TABLES:
        new = rows(model)
        first = re.escape(new[0].split(" | ")[0])
        block = re.compile(rf"(?<=\|---\|---\|---\|\n){first} .*\n(?:\|.*\n)*")
        if not block.search(readme):
            raise SystemExit(f"config/README.md has no table that begins with {new[0]}")
        readme = block.sub(lambda match, new=new: "\n".join(new) + "\n", readme, count=1)  # type: ignore[misc]
    return readme


def main() -> None:
    """Write the schemas and the tables, below the working directory."""
    schemas = Path("workflow/schemas")
    readme = Path("config/README.md")
    if not schemas.is_dir() or not readme.is_file():
        sys.exit("error: start it in the repository's root, where config/ and workflow/ are")
    for name, schema in (("config", config_schema()), ("params", params_schema())):
        path = schemas / f"{name}.schema.json"
        path.write_text(written(schema) + "\n", encoding="utf-8")
    readme.write_text(documented(readme.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
