"""Command templates: what is a placeholder, and that every value arrives whole, as one argument."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweepmake.errors import InputError
from sweepmake.params.commands import fill, parse_template

NASTY = (
    "a b",
    "'",
    '"',
    "$(id)",
    "`id`",
    "$HOME",
    "a\nb",
    "\n",
    "tab\there",
    "ü→😀",
    "-x",
    "--",
    "",
    "!",
    "!!",
    "~",
    "~root",
    "*",
    "?",
    "[a-z]",
    "\\",
    "\\n",
    "\\\\'",
    "a\\",
    "a;b",
    "a&b|c>d<e",
    "1,2",
    "{a,b}",
    "{1..3}",
    "}",
    "{",
    "#x",
    "'\"`$\\'",
    "a`b'c\"d",
    "{v}",
    "[v]",
    "\r",
    "%s",
    "it's $5",
)

# template, and the arguments that must arrive, with V for the value
PLACES = (
    ("{v}", ["V"]),
    ("[v]", ["--v", "V"]),
    ("'{v}'", ["V"]),
    ("'a{v}b'", ["aVb"]),
    ('"{v}"', ["V"]),
    ('"a{v}b"', ["aVb"]),
    ("--x={v}", ["--x=V"]),
    ("--x={v}{v}", ["--x=VV"]),
    ("--x=\"a{v}b\" '{v}' {v}", ["--x=aVb", "V", "V"]),
    ('$"a{v}"', ["aV"]),
    ("$'\\t{v}b'", ["\tVb"]),
    ("$'\\\\{v}b'", ["\\Vb"]),
    ("$'\\{v}b'", ["\\Vb"]),
    ('"\\{v}"', ["\\V"]),
    ('"\\\\{v}"', ["\\V"]),
    ('"$Q{v}"', ["qV"]),
    ("$Q{v}", ["qV"]),
    ('"$1{v}"', ["oneV"]),
    ('"$(printf %s_ {v})"', ["V_"]),
    ('"$(printf %s_ "{v}")"', ["V_"]),
    ("\"$(printf %s_ '{v}')\"", ["V_"]),
    ('"$(printf %s_ "$(printf %s_ "{v}")")"', ["V__"]),
    ('"`printf %s_ {v}`"', ["V_"]),
    ('"`printf %s_ "{v}"`"', ["V_"]),
    ("\"`printf %s_ '{v}'`\"", ["V_"]),
    ('"${NO:-{v}}"', ["V"]),
    ("${NO:-{v}}", ["V"]),
    ('${NO:-"{v}"}', ["V"]),
    ('"${NO:-"{v}"}"', ["V"]),
    ("x{{v}}", ["x{V}"]),
    ("{{v}}", ["{V}"]),
    ("\\{v}", ["{v}"]),
    ("\\[v]", ["[v]"]),
    ("'${v}'", ["${v}"]),
    ("a # it's {v}", ["a"]),
    ("a#{v}", ["a#V"]),
    ("$((1 + 2)) {v}", ["3", "V"]),
    ("$(( 1 - (2) )) {v}", ["-1", "V"]),
    ("$(((1+2)*3))'{v}'", ["9V"]),
    ("${#Q} '{v}' $#", ["1", "V", "1"]),
    ("$(: '(' ; printf ')')'{v}'", [")V"]),
)


def arguments(commands: Sequence[str]) -> list[list[str]]:
    """What each command's program gets as arguments, told by a function called `record`."""
    script = 'record() { printf "%s\\0" "$#" "$@"; }\nQ=q\nset -- one\n' + "\n".join(commands)
    done = subprocess.run(["/bin/bash", "-c", script], capture_output=True, check=False)
    assert done.stderr == b"", done.stderr.decode()
    words = done.stdout.decode("utf-8").split("\0")
    found = []
    while words[0]:
        count = int(words[0])
        found.append(words[1 : count + 1])
        words = words[count + 1 :]
    return found


def filled(text: str, value: object = "V", **more: object) -> str:
    """The command of a template with one parameter, v."""
    template = parse_template(text, {"v", *more})
    return "TIME".join(fill(template, {"v": value, **more}, name="the name", output="out/the name"))


@pytest.mark.parametrize(("place", "expected"), PLACES)
def test_nasty_values_arrive_byte_for_byte(place: str, expected: list[str]) -> None:
    """Wherever the placeholder stands, each value arrives whole, inside one argument."""
    found = arguments([filled(f"record {place}", value) for value in NASTY])
    literal = ("{v}", "[v]", "${v}")
    for value, words in zip(NASTY, found, strict=True):
        wanted = [w if w in literal else w.replace("V", value) for w in expected]
        assert words == wanted


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10),
            st.text("'\"\\$`{},()}!#~* \n", max_size=10),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_text_arrives_byte_for_byte(values: list[str]) -> None:
    """The same for texts that nobody thought of, in every place at once."""
    places = [place for place in PLACES if place[1] != ["a"]]
    commands = [filled(f"record {place}", value) for value in values for place, _ in places]
    literal = ("{v}", "[v]", "${v}")
    wanted = [
        [w if w in literal else w.replace("V", value) for w in expected]
        for value in values
        for _, expected in places
    ]
    assert arguments(commands) == wanted


def test_a_program_writes_its_argv_as_json() -> None:
    """The claim for a real program: what it finds in sys.argv is the values."""
    program = f"{sys.executable} -c 'import json, sys; print(json.dumps(sys.argv[1:]))'"
    text = program + " {a} '{b}' \"x{c}\" [d] --e={e}"
    values = {name: NASTY[i * 7 % len(NASTY)] for i, name in enumerate("abcde")}
    template = parse_template(text, set(values))
    (command,) = fill(template, values, name="n", output="o")
    done = subprocess.run(["/bin/bash", "-c", command], capture_output=True, check=True)
    a, b, c, d, e = values.values()
    assert json.loads(done.stdout) == [a, b, "x" + c, "--d", d, "--e=" + e]


@pytest.mark.parametrize(
    ("value", "braces", "brackets"),
    [
        (1, "c 1", "c --v 1"),
        (-0.5, "c -0.5", "c --v -0.5"),
        (1e-4, "c 0.0001", "c --v 0.0001"),
        (True, "c True", "c --v"),
        (False, "c False", "c "),
        ("x y", "c 'x y'", "c --v 'x y'"),
        ("", "c ''", "c --v ''"),
    ],
)
def test_values_are_written_as_mlrunner_writes_them(
    value: object, braces: str, brackets: str
) -> None:
    """Numbers as Python prints them; True and False make a flag, or Python's words."""
    assert filled("c {v}", value) == braces
    assert filled("c [v]", value) == brackets


def test_reserved_names_are_filled_and_the_time_is_left_out() -> None:
    """The command comes in pieces, cut at each {_time}; name and folder are quoted."""
    template = parse_template("c {_output}/x {_name} {_time}.log '{_output}'", set())
    pieces = fill(template, {}, name="the name", output="out/the name")
    assert pieces == (
        "c 'out/the name'/x 'the name' ",
        ".log 'out/the name'",
    )
    flag = parse_template("c [_time] [_name]", set())
    assert fill(flag, {}, name="n", output="o") == ("c --_time ", " --_name n")
    assert template.parameters == frozenset()


def test_a_template_knows_its_parameters_and_flags() -> None:
    """Reserved names are not parameters; a parameter in brackets is a flag."""
    template = parse_template("c {a} [b] {_output}", {"a", "b"})
    assert template.parameters == {"a", "b"}
    assert template.flags == {"b"}


@pytest.mark.parametrize(
    "text",
    [
        "awk '{print $1}' f",
        "awk '{ print }' f",
        """echo '{"a": 1, "b": [1, 2]}'""",
        "ls [0-9]* x[i] [!a]*",
        "echo ${HOME} $HOME ${#x} $[x]",
        "echo {a,b} {1..3} {} { }",
        "[ -f x ] && [[ -n x ]] && { true; }",
        "awk '{a[$1]++; b[k]=1} END {for (k in a) print k}'",
        "python -c 'print([x for x in [y]])'",
        "echo {{item}} {0} {-}",
        "echo '[abc]' \"see [abc] there\" a[abc]",
        "echo x # {nope} [nope]",
        "echo \\{nope} \\[nope]",
        "find . -name '*.pt' -exec rm {} \\;",
        "sed 's/a\\{3\\}/b/'",
    ],
)
def test_what_is_no_placeholder_reaches_the_shell_untouched(text: str) -> None:
    """Shell, awk, sed, JSON and Python keep their braces and brackets."""
    assert filled(text) == text


def test_lines_are_joined_as_mlrunner_joins_them() -> None:
    """A line break and the blanks around it become one blank; a backslash before it goes."""
    assert filled("a\n  --b {v} \n\n\t--c\n") == "a --b V --c"
    assert filled("a \\\n  --b \\\n --c") == "a --b --c"
    assert filled("a b\\ ") == "a b\\ "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c {nrom}", "unknown placeholder {nrom}"),
        ("c {nrom}", "did you mean 'norm'?"),
        ("c '{print}'", "write { print }"),
        ('c "--x={nope}"', "unknown placeholder {nope}"),
        ("c [nrom]", "unknown placeholder [nrom]"),
        ("c [nrom]", "did you mean 'norm'?"),
        ("c {norm} [norm]", "uses 'norm' both as {norm} and as [norm]"),
        ("c {norm} [norm] [lr] {lr}", "uses 'lr' both as {lr} and as [lr]"),
        ("c {short}", "'short' is an alias"),
        ("c [short]", "'short' is an alias"),
        ("c {_outptu}", "did you mean '_output'?"),
        ("c {q}", "one of: _name, _output, _resume, _time, lr, norm; "),
        ("  \n ", "the template is empty"),
        ("c 'x", "leaves a quote (') open"),
        ("c # now\n  --norm {norm}", "a comment would swallow"),
        ("cat <<EOF\nx\nEOF\n", "here-document"),
    ],
)
def test_a_bad_template_says_what_is_wrong(text: str, message: str) -> None:
    """One message with file and line, and a hint."""
    with pytest.raises(InputError) as caught:
        parse_template(text, {"norm", "lr"}, aliases={"short"}, file="params.yaml", line=3)
    assert message in str(caught.value)
    assert str(caught.value).startswith("params.yaml:3: ")


def test_the_line_of_a_bad_placeholder_is_named() -> None:
    """In a template over several lines, the message names the line with the placeholder."""
    source = ("train: >", "  c", "  --x {nope}")
    with pytest.raises(InputError) as caught:
        parse_template("c --x {nope}", set(), file="p", line=7, source=source)
    assert caught.value.line == 9


def test_of_two_lines_with_a_bad_placeholder_the_first_is_named() -> None:
    source = ("train: >", "  c", "  --x {nope}", "  --y {nope}")
    with pytest.raises(InputError) as caught:
        parse_template("c --x {nope} --y {nope}", set(), file="p", line=7, source=source)
    assert caught.value.line == 9


@pytest.mark.parametrize(
    ("value", "message"),
    [(None, "'v' is null"), ([1], "'v' is a list"), ("a\0b", "NUL")],
)
def test_a_value_that_cannot_be_an_argument_is_an_error(value: object, message: str) -> None:
    """Null, lists and NUL characters never reach a command."""
    for text in ("c {v}", "c [v]"):
        with pytest.raises(InputError, match=message):
            filled(text, value)


def test_a_missing_value_is_an_error() -> None:
    """fill() does not leave a placeholder in a command."""
    with pytest.raises(InputError, match="'v' has no value"):
        fill(parse_template("c {v}", {"v"}), {}, name="n", output="o")
