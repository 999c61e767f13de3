"""YAML with its traps defused, and errors that name the line."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sweepmake.errors import InputError
from sweepmake.params.yaml_reader import Fields, Items, Scalar, Source, SwitchWord, read_yaml


@pytest.fixture
def write(tmp_path: Path):
    """Returns a function that writes a file and reads it."""

    def read(text: str | bytes) -> Source:
        file = tmp_path / "p.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return read_yaml(file)

    return read


def value(source: Source, name: str = "x") -> object:
    """The value of one key of the first document."""
    (document,) = source.documents
    assert isinstance(document, Fields)
    field = document.get(name)
    assert field is not None
    assert isinstance(field.value, Scalar)
    return field.value.value


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        ("-1e+3", -1000.0),
        ("1.e3", 1000.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1.0", 1.0),
        ("1_000.5", 1000.5),
        ("1", 1),
        ("-0", 0),
        ("+7", 7),
        ("1_000", 1000),
        ("0x1F", 31),
        ("0b11", 3),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("010", "010"),
        ("007", "007"),
        ("0o17", "0o17"),
        ("1:30", "1:30"),
        ("1:30:00", "1:30:00"),
        ("2026-11-21", "2026-11-21"),
        ("2026-11-21 10:00:00", "2026-11-21 10:00:00"),
        ("1e999", "1e999"),
        ("1.2.3", "1.2.3"),
        ("e5", "e5"),
        (".", "."),
        ("=", "="),
        ("y", "y"),
        ("n", "n"),
        ("true", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("on", SwitchWord("on", True)),
        ("No", SwitchWord("No", False)),
        ("'on'", "on"),
        ('"1"', "1"),
        ("'null'", "null"),
        ("!!str 1", "1"),
        ("!!float 1", 1.0),
    ],
)
def test_a_plain_scalar_means_what_its_writer_meant(write, written: str, expected: object) -> None:
    """Numbers are numbers, and what YAML 1.1 would bend stays the text that was written."""
    found = value(write(f"x: {written}\n"))
    assert type(found) is type(expected)
    assert found == expected


def test_nan_is_a_number(write) -> None:
    """.nan equals nothing, so it has a test of its own."""
    assert math.isnan(value(write("x: .nan")))  # type: ignore[arg-type]


@given(st.floats(allow_infinity=False, allow_nan=False) | st.integers())
def test_what_python_prints_is_read_back(tmp_path_factory, number: float) -> None:
    """Numbers as Python writes them keep value and type."""
    file = tmp_path_factory.mktemp("y") / "p.yaml"
    file.write_text(f"x: {number!r}\n", encoding="utf-8")
    found = value(read_yaml(file))
    assert type(found) is type(number)
    assert found == number


def test_merge_keys_and_anchors_work(write) -> None:
    """A mapping's own keys win over merged ones, earlier merged ones over later."""
    source = write(
        "a: &a {p: 1, q: 1}\nb: &b {q: 2, r: 2}\nx:\n  <<: [*a, *b]\n  r: 3\ny: *a\nz: ['<<']\n"
    )
    (document,) = source.documents
    assert isinstance(document, Fields)
    merged = document.fields[2].value
    assert isinstance(merged, Fields)
    assert {f.key.text: f.value.value for f in merged.fields} == {"p": 1, "q": 1, "r": 3}  # type: ignore[union-attr]
    assert document.fields[3].value is document.fields[0].value
    assert isinstance(document.fields[4].value, Items)


def test_lines_are_counted_from_one(write) -> None:
    """Each node knows where it stands, under CRLF too; a byte order mark is no matter."""
    source = write(b"\xef\xbb\xbfa: 1\r\n---\r\nb:\r\n  - 1\r\n")
    second = source.documents[1]
    assert isinstance(second, Fields)
    assert second.line == 3
    assert second.fields[0].value.line == 4


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (
            "a: 1\nb: 2\na: 3\n",
            3,
            "the key 'a' stands twice in one mapping, on line 1 and on line 3",
        ),
        ("x:\n  on: 1\n  'on': 2\n", 3, "the key 'on' stands twice"),
        ("a: 1\n\tb: 2\n", 2, "spaces, not tabs"),
        ("a: {b\nc: d\n", 2, "not valid YAML"),
        ("a: b: c\n", 1, "a text that holds ': ' needs quotes"),
        ("a: {x} --y\n", 1, "needs quotes"),
        ("a: *nope\n", 1, "holds in its own document only"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "found the tag !!python/object"),
        ("a: !mine 1\n", 1, "found the tag !mine"),
        ("a: !!int x\n", 1, "expected a number"),
        ("a: !!bool x\n", 1, "expected a number or boolean"),
        ('a: 1\nb: "x\\0y"\n', 2, "no command line can carry"),
        ("a: 1\nb: \x07\n", 2, "U+0007 is not allowed"),
        ("a: &a [*a]\n", 1, "contains itself"),
        ("? [a]\n: 1\n", 1, "expected a name as key"),
        ("a: 1\n<<: 3\n", 2, "expected a mapping"),
        (b"a: 1\nb: \xff\n", 2, "expected text in UTF-8, found the byte 0xff"),
        ("a: " + "9" * 5000, 1, "found 99999999999999999999…, a whole number of"),
    ],
)
def test_bad_yaml_gives_one_message_with_its_line(write, text, line: int, message: str) -> None:
    """No traceback of PyYAML's: file, line, problem, hint."""
    with pytest.raises(InputError) as caught:
        write(text)
    assert message in str(caught.value)
    assert caught.value.line == line
    assert caught.value.file is not None
    assert caught.value.file.endswith("p.yaml")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing files and directories are the user's error, not a crash."""
    with pytest.raises(InputError, match=r"nope\.yaml: there is no such file"):
        read_yaml(tmp_path / "nope.yaml")
    with pytest.raises(InputError, match="found a directory"):
        read_yaml(tmp_path)


def test_deep_nesting_is_an_error(write) -> None:
    """A file that nests without end is refused, not crashed on."""
    with pytest.raises(InputError):
        write("a: " + "[" * 20000)


def test_no_code_runs_while_reading(write, tmp_path: Path) -> None:
    """The loader is a safe one: a tag that would run a command does not."""
    target = tmp_path / "ran"
    with pytest.raises(InputError):
        write(f"a: !!python/object/apply:os.system ['touch {target}']\n")
    assert not target.exists()


def test_the_pure_python_parser_would_do_as_well(write, monkeypatch) -> None:
    """Where PyYAML has no C parser, its own gives the same nodes."""
    import sweepmake.params.yaml_reader as module

    text = "a: [1e-4, on, '1', 010]\nb: >\n  x\n  y\n"
    fast = write(text)

    class Slow(yaml.SafeLoader):
        yaml_implicit_resolvers = module._Loader.yaml_implicit_resolvers

    monkeypatch.setattr(module, "_Loader", Slow)
    assert write(text) == fast


def test_a_scalar_knows_the_lines_that_it_spans(write) -> None:
    """A part of it is looked for there and not on the line after it."""
    source = write('a: x\nb: "one\n  two"\nc: |\n  {p}\n  {q}\nd: {p}\n')
    (document,) = source.documents
    assert isinstance(document, Fields)
    a, b, c, *_ = [field.value for field in document.fields]
    assert isinstance(a, Scalar)
    assert (a.line, a.last_line) == (1, 1)
    assert source.line_of("one", a) == 1
    assert isinstance(b, Scalar)
    assert (b.line, b.last_line) == (2, 3)
    assert source.line_of("two", b) == 3
    assert isinstance(c, Scalar)
    assert [source.line_of(text, c) for text in ("{p}", "{q}", "{r}")] == [5, 6, 4]
