"""A model is one place: what is read, what is said of mistakes, and the schema come from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest
import yaml

from sweepmake.errors import InputError
from sweepmake.params.kinds import (
    choice,
    given,
    key,
    keys_schema,
    mapping,
    number,
    read_keys,
    switch,
    text,
    texts,
)
from sweepmake.params.origin import Origin
from sweepmake.params.yaml_reader import read_yaml


@dataclass(frozen=True, slots=True)
class Limits:
    """A mapping inside a mapping."""

    minutes: int = key(number(least=1), 5, "when it ends", required=True)
    kind: str = key(choice(("soft", "hard")), "soft", "how it ends")


@dataclass(frozen=True, slots=True)
class Model:
    """One key of each kind."""

    jobs: int = key(number(least=2), 2, "how many", example="4")
    shell: str | None = key(text(), None, "which shell", example="bash")
    needs: tuple[str, ...] = key(texts("a stage or a list of stages"), (), "what comes before")
    silent: bool = key(switch(), False, "whether it says nothing")
    resume: str = key(choice(("never", "always", "ask")), "ask", "whether it goes on")
    env: dict[str, str] = key(mapping(text("a text", numbers=True)), {}, "variables")
    limits: Limits | None = key(
        given(Limits, alone="minutes").then(lambda values, node, origin: Limits(**values)),
        None,
        "what it may take",
    )


def read(tmp_path: Path, written: str, *, nulls: bool = False) -> Model:
    """Read a mapping as a file of it is read."""
    path = tmp_path / "a.yaml"
    path.write_text(written)
    (node,) = read_yaml(path).documents
    return Model(**read_keys(Model, node, Origin("a.yaml", "mine: ", "'top'"), nulls=nulls))


GOOD = [
    ("{}", Model()),
    ("jobs: 3", Model(jobs=3)),
    ("jobs: 2", Model(jobs=2)),
    ("shell: 'on'", Model(shell="on")),
    ("shell: /bin/my shell", Model(shell="/bin/my shell")),
    ("needs: [a, 1, a]", Model(needs=("a", "1"))),
    ("needs: a, b", Model(needs=("a", "b"))),
    ("needs: []", Model(needs=())),
    ("silent: true", Model(silent=True)),
    ("resume: never", Model(resume="never")),
    ("env: {A: 1e3, B: x}", Model(env={"A": "1e3", "B": "x"})),
    ("env: {}", Model(env={})),
    ("limits: {minutes: 3, kind: hard}", Model(limits=Limits(3, "hard"))),
    ("limits: 7", Model(limits=Limits(7))),
]


@pytest.mark.parametrize(("written", "expected"), GOOD)
def test_a_model_reads_its_keys(written: str, expected: Model, tmp_path: Path) -> None:
    """Each kind, and the schema accepts it too."""
    assert read(tmp_path, written) == expected
    jsonschema.validate(yaml.safe_load(written), keys_schema(Model))


BAD = [
    ("jobs: 1", "'top', 'jobs': expected a whole number of at least 2, found the number 1 (jobs"),
    ("jobs: 2.5", "found the number 2.5"),
    ("jobs: true", "found the boolean true"),
    ("jobs:", "'jobs': expected a whole number of at least 2, found nothing (jobs: 4)"),
    ("shell: ' '", "'shell': expected a text, found ' ' (shell: bash)"),
    ("shell: 3", "expected a text, found the number 3"),
    ("needs: [a, [b]]", "expected a stage or a list of stages, found a list (what comes before)"),
    ("needs: 'a,,b'", "found 'a,,b'"),
    ("silent: 1", "'silent': expected true or false, found the number 1"),
    ("resume: nver", "'resume': expected never, always or ask, found 'nver' (whether"),
    ("resume: [never]", "expected never, always or ask, found a list (whether it goes on)"),
    ("env: [a]", "'env': expected a mapping, found a list"),
    ("env: {A: true}", "'top', 'env', 'A': expected a text, found the boolean true"),
    ("limits: {}", "'limits': expected a mapping, found an empty mapping"),
    ("limits: {kind: hard}", "'top', 'limits': there is no 'minutes' (when it ends)"),
    ("limits: {minutes: 0}", "'top', 'limits', 'minutes': expected a whole number of at least 1"),
    ("limits: {minute: 1}", "'limits': unknown key 'minute' (did you mean 'minutes'?)"),
    ("limits: [1]", "'limits': expected a mapping, found a list"),
    ("slient: true", "mine: 'top': unknown key 'slient' (did you mean 'silent'?)"),
]


@pytest.mark.parametrize(("written", "message"), BAD)
def test_a_mistake_is_told_with_its_line(written: str, message: str, tmp_path: Path) -> None:
    """File, line, what was found, what was expected, a hint; the schema refuses it too."""
    with pytest.raises(InputError) as caught:
        read(tmp_path, f"\n{written}\n")
    assert str(caught.value).startswith("a.yaml:2: mine: 'top'")
    assert message in str(caught.value)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(written), keys_schema(Model))


@pytest.mark.parametrize("name", [*Model.__dataclass_fields__])
def test_nothing_behind_a_key_may_be_its_default(name: str, tmp_path: Path) -> None:
    """In the files where that is so, also in the schema; elsewhere it is a mistake."""
    assert read(tmp_path, f"{name}:", nulls=True) == Model()
    jsonschema.validate({name: None}, keys_schema(Model, nulls=True))
    with pytest.raises(InputError):
        read(tmp_path, f"{name}:")
    assert not jsonschema.Draft202012Validator(keys_schema(Model)).is_valid({name: None})


def test_on_and_off_are_switches_of_a_file(tmp_path: Path) -> None:
    """As YAML has them; JSON schemas know true and false alone."""
    assert read(tmp_path, "silent: on").silent is True
    assert read(tmp_path, "silent: 'false'").silent is False


def test_the_schema_says_what_the_model_says() -> None:
    """Description, default, example."""
    schema = keys_schema(Model, nulls=True)["properties"]
    assert schema["jobs"] == {
        "description": "how many",
        "type": ["integer", "null"],
        "minimum": 2,
        "default": 2,
        "examples": [4],
    }
    assert schema["resume"]["enum"] == ["never", "always", "ask", None]
    assert schema["shell"]["default"] is None
    assert "default" not in keys_schema(Model)["properties"]["shell"]
    assert keys_schema(Limits)["required"] == ["minutes"]
