"""Numbers with thousands of digits, and choices by the hundred thousand."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sweepmake.errors import InputError
from sweepmake.params.config import read_config
from sweepmake.params.documents import MOST_COMBINATIONS
from sweepmake.params.sweep import read_sweep
from sweepmake.plan import make_plan


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Returns a function that writes a params.yaml, reads it, and fills its commands."""
    monkeypatch.chdir(tmp_path)

    def make(text: str, **config: object) -> list[str]:
        Path("params.yaml").write_text(text)
        found = make_plan(read_config(config))
        return [found.options(name, "t") + found.message(name, "t") for name in found.experiments]

    return make


@pytest.mark.parametrize(
    "number",
    [
        "0x" + "f" * 5000,
        "-0x" + "f" * 5000,
        "+0x" + "f_" * 5000,
        "0b" + "1" * 20_000,
        "1" * 5000,
        "-" + "1_" * 5000,
        "!!int '" + "9" * 5000 + "'",
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "template: {{t: 't {{x}}'}}\n---\nx: [1, {}]\n",
        "template: {{t: 't {{x}}'}}\ndefault: {{x: {}}}\n---\ny: [1]\n",
        "template: {{t: t}}\nalias: {{s: {{a: {{x: {}}}}}}}\n---\ns: [a]\n",
        "template: {{t: t}}\nstage: {{t: {{threads: {}}}}}\n---\ny: [1]\n",
        "template: {{t: t}}\nresource: [{}]\n---\ny: [1]\n",
    ],
)
def test_a_number_of_thousands_of_digits_is_refused_in_one_line(plan, text, number) -> None:
    """Python reads it in some bases and writes it in none; wherever it stands."""
    with pytest.raises(InputError) as caught:
        plan(text.format(number))
    said = str(caught.value)
    assert "a whole number of more than 4,300 digits (put it in quotes, as a text)" in said
    assert len(said) < 150
    assert caught.value.line


@pytest.mark.parametrize(
    "number",
    [
        "0x" + "f" * 3500,
        "0b" + "1" * 14_000,
        "9" * 4300,
        "1e999999999999",
        "-1_0.0e+99999",
        "1e-99999999",
        "0." + "1" * 9000,
        "1" * 9000 + ".0",
        "0o" + "7" * 9000,
        "0" * 9000,
        "1" + ":59" * 3000,
        "1_000" * 10,
        '"0x' + "f" * 9000 + '"',
        ".inf",
    ],
)
def test_other_numbers_of_any_length_reach_the_command(plan, number: str) -> None:
    """As numbers or, where that would lose something, as the text that was written."""
    (text,) = plan(f"template: {{t: 't {{x}}'}}\n---\nx: {number}\n")
    assert "t: 1/1, output/X_" in text


def test_a_configuration_refuses_such_a_number_too() -> None:
    """Snakemake has read it as a number by then."""
    for config in ({"sample": 16**5000}, {"title": [16**5000]}, {"headings": {"a": -(16**5000)}}):
        with pytest.raises(InputError, match="config: found a whole number of more than 4,300"):
            read_config(config)


def test_a_slot_of_thousands_of_digits_is_a_slot(plan) -> None:
    """In quotes it is a text, and whether there is such a GPU is the driver's to say."""
    plan(f"template: {{t: t}}\nresource: ['{'1' * 5000}', '01']\n---\nx: 1\n")


def cpu_seconds(folder: Path, text: str) -> float:
    """Return how long the reading of a params.yaml takes, the shorter of two."""
    file = folder / "params.yaml"
    file.write_text(text)
    taken = []
    for _ in range(2):
        begun = time.process_time()
        try:
            read_sweep(file)
        except InputError as error:
            assert "experiments" in str(error)  # noqa: PT017 - others would be faults of the test
        taken.append(time.process_time() - begun)
    return min(taken)


def aliases(count: int) -> str:
    """A document that chooses each case of an alias."""
    cases = "".join(f"    c{n}: {{x: {n}}}\n" for n in range(count))
    chosen = ", ".join(f"c{n}" for n in range(count))
    return f"template: {{t: 't {{x}}'}}\nalias:\n  s:\n{cases}---\ns: [{chosen}]\n"


def values(count: int) -> str:
    """A document with as many values of one parameter."""
    return f"template: {{t: 't {{x}}'}}\n---\nx: [{', '.join(map(str, range(count)))}]\n"


def documents(count: int) -> str:
    """As many documents of one experiment each."""
    return "template: {t: 't {x}'}\n" + "".join(f"---\nx: {n}\n" for n in range(count))


@pytest.mark.parametrize("text", [aliases, values, documents])
def test_reading_takes_time_in_proportion(tmp_path: Path, text) -> None:
    """Eight times as many take some eight times as long; a square would be 64 times."""
    few, many = cpu_seconds(tmp_path, text(1000)), cpu_seconds(tmp_path, text(8000))
    assert many < 24 * few


def test_too_many_are_refused_before_the_first_is_made(tmp_path: Path) -> None:
    """Each document may be small enough; to make a million experiments takes a minute."""
    one = f"---\nx: {list(range(1000))}\ny: {list(range(999))}\n"
    file = tmp_path / "params.yaml"
    file.write_text("template: {t: 't {x} {y}'}\n" + one * 2)
    begun = time.process_time()
    with pytest.raises(InputError, match=f"more than {MOST_COMBINATIONS:,} experiments") as caught:
        read_sweep(file)
    assert caught.value.line == 6
    assert time.process_time() - begun < 5
