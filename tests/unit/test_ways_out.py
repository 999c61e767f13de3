"""Whoever wrote something that cannot be used is told what to write: the hints of the messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import sweepmake
from sweepmake.elsewhere import find_experiments
from sweepmake.elsewhere.find import keep_out
from sweepmake.errors import InputError
from sweepmake.logs.demux.launchers import launcher_named
from sweepmake.logs.options import LogOptions
from sweepmake.outputs.ranks_pdf.history import read_stages
from sweepmake.outputs.ranks_pdf.ranks import plot_ranks
from sweepmake.outputs.table_json import read_table_json
from sweepmake.params.config import check_folders, read_config
from sweepmake.params.expressions import names
from sweepmake.plan import make_plan
from sweepmake.results.study import make_study

HEAD = "template: {t: 'c {a}'}\ndefault: {a: 1, b: 2}\n"
GOOD = HEAD + "---\nb: [1, 2]\n"


def below(document: str) -> str:
    """Return a params.yaml with this as its second document."""
    return f"{HEAD}---\n{document}\n"


def with_key(line: str) -> str:
    """Return a params.yaml with a further line in its first document."""
    return f"{HEAD}{line}\n---\nb: [1, 2]\n"


# params.yaml, the hint of the message
PARAMS = [
    (HEAD, "add a line '---' and below it the values to try, such as 'lr: [0.1, 0.01]'"),
    (HEAD + "---\n", "write 'lr: [0.1, 0.01]', or remove the '---' above"),
    (below("b: {x: 1}"), "parameters that change together are an 'alias'"),
    (below("b: []"), "remove the line to take the default"),
    (below("b: [[1, 2]]"), 'a value that is itself a list is written as text: "[1, 2]"'),
    (below("_tittle: x\nb: [1]"), "did you mean '_title'?"),
    (below("_cmd: q\nb: [1]"), "one of: t"),
    (below("\n".join(f"x{at}: [{', '.join('0123456789')}]" for at in range(9))),
     "try fewer values, or draw some with --config sample=100"),
    (with_key("stage: {t: {conda: a.yaml, container: b}}"), "a command has one environment"),
    (with_key("stage: {q: {gpu: 1}}"), "one of: t, all"),
    (GOOD.replace("'c {a}'", '"cat <<EOF\\nx\\nEOF\\n"'), "put the text into a file, or use <<<"),
    (GOOD.replace("'c {a}'", '"c # now\\n  --a {a}"'), "remove the comment from the template"),
    (GOOD.replace("{a}", "{a} [a]"), "use one of the two"),
    (GOOD.replace("{a}", "{m}") .replace("---", "alias: {m: {x: {a: 1}}}\n---"),
     "use the parameters that it stands for"),
    (GOOD.replace("{a}", "{q}"), "one of: _name, _output, _resume, _time, a, b; to pass it to the shell write { q }"),
    (GOOD.replace("{a}", "[bb]"), "did you mean 'b'?; to pass it to the shell write \\[bb]"),
    (below("b: !!set {a}"), "remove the tag"),
    (below("b: [1]\nb: [2]"), "keep one of them"),
    (GOOD.replace("b: 2", "1.5: 2"), "quote"),
    (GOOD.replace("b: 2", "_name: 2"), "rename the parameter"),
    (GOOD.replace("{t:", "{t t:"), "the name becomes part of file names and rule names"),
    (GOOD.replace("{t:", "{all:"), "rename the stage"),
    (GOOD.replace("'c {a}'", "[c]"), "put the command in quotes, or on the lines after '>'"),
    (GOOD.replace("b: 2", "b: [1, 2]"), "lists of values to try stand in the documents after the first"),
    ("", "begin 'template:', see config/README.md".replace("begin ", "begin with ")),
    ("[1]", "it holds 'template:' and 'default:'"),
    ("template: {t: 'c {b}'}\ndefault: {a: 1}\n---\nb: [1]\n---\na: [2]\n",
     "give 'b' a value here or under 'default'"),
    (GOOD.replace("a: 1", "a: "), 'write "" for an empty text, or true and false for a [flag]'),
    (with_key("name: same"), "put {b} into 'name'"),
    (with_key("name: '{q}'"), "one of: a, b"),
    (with_key("name: 'a/{b}'"), "write {parameter} for a value"),
    (with_key("name: '{b}.x'").replace("[1, 2]", "['.', '..']"), ""),
    (with_key("metric: {m: {pattern: 7}}"), "write it in single quotes"),
    (with_key("metric: {m: '('}"), "put a backslash before a bracket, dot or star that is meant as it is"),
    (with_key("metric: {m: 'x*'}"), "name what stands before the number, such as 'BLEU4? = ([\\d.]+)'"),
    (with_key("metric: {m: {pattern: 'x(.)', stage: q}}"), "one of: t"),
    (with_key("objective: lr"), "say so: objective: {metric: lr, mode: max}"),
    (with_key("objective: 'a ? b'"), "allowed are numbers, metrics, + - * / ** and parentheses; metrics with other "
     "characters in their names stand in backquotes: `acc@1`"),
    (with_key("objective: 'val_acc +'"), "write it like val_dsc / val_loss, or max(val_acc, 0.5)"),
    (with_key("objective: 'maxx(val_acc)'"), "did you mean 'max'?"),
    (with_key("over: q"), "one of: a, b"),
    (with_key("resource: []"), "GPU"),
    (with_key("resource: [[0, 1]]"), 'write "0,1"'),
    (with_key("resource: [{a: 1}]"), "GPU"),
    (with_key("resource: ['']"), "a stage that needs none has 'gpu: 0' in 'stage:'"),
    (with_key("resource: ['0,x y']"), "GPU"),
    (with_key("resource: ['0,0']"), "name each GPU of a slot once"),
]  # fmt: skip
# ruff: noqa: E501


def hint_of(call: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.hint is None or f"({caught.value.hint})" in str(caught.value)
    return caught.value.hint or ""


@pytest.mark.parametrize(("text", "hint"), PARAMS, ids=[hint or text for text, hint in PARAMS])
def test_params_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, hint: str) -> None:
    """What to write in its place."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(text)
    assert hint in hint_of(lambda: make_plan(read_config({})))


@pytest.mark.parametrize(
    ("config", "hint"),
    [
        ({"params": "none.yaml"}, "name it with --config params=FILE"),
        ({"title": "x"}, "no document has any '_title': add '_title: x' to those that you mean"),
        ({"stages": "q"}, "one of: t"),
        ({"over": ["q"]}, "one of: a, b"),
        ({"q": 1}, "one of: "),
    ],
)  # fmt: skip
def test_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, object], hint: str
) -> None:
    """Which key to set."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(GOOD)
    assert hint in hint_of(lambda: make_plan(read_config(config)))


@pytest.mark.parametrize("name", ["output", "results"])
def test_folders_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Another one is to be chosen."""
    monkeypatch.chdir(tmp_path)
    put(Path("file"))
    for folder in ("a{b}", "a<b"):
        hint = hint_of(lambda folder=folder: check_folders(read_config({name: folder})))
        assert hint == f"choose another one: --config {name}=FOLDER"
    for folder in ("file", "file/x"):
        hint = hint_of(lambda folder=folder: check_folders(read_config({name: folder})))
        assert hint == f"choose another one: --config {name}=FOLDER"
    check_folders(read_config({name: "new/folder"}))


def test_an_expression_of_nothing() -> None:
    assert hint_of(lambda: names(" ")) == "name a metric, such as val_loss"


def test_a_file_that_is_no_utf_8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_bytes(b"template: {t: '\xff'}\n")
    assert hint_of(lambda: make_plan(read_config({}))) == "save the file as UTF-8"


def put(path: Path, text: str = "loss: 0.5\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("files", "names", "hint"),
    [
        (["a/model.pt"], None,
         "logs: {folder: …, names: …} says with a regular expression what your logs are"),
        (["lr_1.log", "lr_1.out"], None,
         "move one, or tell them apart with a group (?P<experiment>…) in `names`"),
        (["a.log"], "b.*", "it must match the whole path below that folder; .* stands for anything"),
        (["a1.log", "a2.log"], r"(?P<experiment>a).\.log",
         "a group (?P<experiment>…) or (?P<stage>…) in `names` tells them apart"),
        (["1/train.log", "2/test.log"], r"(?P<lr>\d)/(?P<stage>(?P<experiment>t)\w+)\.log",
         "let the group (?P<experiment>…) in `names` take in what differs"),
    ],
)  # fmt: skip
def test_logs_made_elsewhere(
    tmp_path: Path, files: list[str], names: str | None, hint: str
) -> None:
    """How to tell what is meant."""
    for file in files:
        put(tmp_path / file)
    assert hint_of(lambda: find_experiments(str(tmp_path), names)) == hint


def test_the_folder_of_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where results go, how large it may be, and what averages may be taken over."""
    put(tmp_path / "logs/b_2-a_1/train.log")
    folder = str(tmp_path / "logs")
    hint = hint_of(lambda: keep_out(folder, f"{folder}/results", []))
    assert hint == "choose a folder outside of it: --config results=FOLDER"
    config = read_config({"logs": folder, "over": ["q"], "results": str(tmp_path / "results")})
    assert hint_of(lambda: make_study(config)) == "one of: a, b"
    monkeypatch.setattr("sweepmake.elsewhere.files._MOST_FILES", 0)
    hint = hint_of(lambda: find_experiments(folder))
    assert hint == "name the folder of the experiments alone"


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: launcher_named("(?P<rnk>.)"), r"write (?P<rank>\d+) where the rank stands"),
        (lambda: launcher_named("xyz"), "one of: openmpi5, openmpi4, horovod"),
        (lambda: LogOptions(reader="regex").check(),
         r"pattern: 'ep=(?P<epoch>\d+) L=(?P<loss>\S+)'"),
        (lambda: LogOptions(pattern=("(",)).check(),
         "Python's re syntax; named groups are (?P<name>…)"),
        (lambda: LogOptions(pattern=("x",)).check(), r"write (?P<loss>\S+) where the value stands"),
        (lambda: LogOptions(reader="keras4").check(), "did you mean 'keras3'?"),
    ],
)  # fmt: skip
def test_how_logs_are_read(call: Callable[[], object], hint: str) -> None:
    """A launcher, a reader, a pattern."""
    assert hint in hint_of(call)


def test_files_that_the_workflow_makes_again(tmp_path: Path) -> None:
    """A history, a summary, a table."""
    again = "remove it, and the workflow makes it again"
    history, metrics = put(tmp_path / "history.csv.gz", "x"), put(tmp_path / "m.json", "{}")
    assert hint_of(lambda: read_stages(history, 1)) == again
    draw = lambda: plot_ranks(history, metrics, tmp_path / "x.pdf", title="t", parameters={})  # noqa: E731
    assert hint_of(draw) == again
    table = tmp_path / "experiments.json"
    for content in (None, "{", json.dumps({"format": -1})):
        if content is not None:
            table.write_text(content)
        hint = hint_of(lambda: read_table_json(table))
        assert hint == "`snakemake results` makes it again"


def test_notebooks_are_told_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is taken from a folder that is easily another one."""
    monkeypatch.chdir(tmp_path)
    assert hint_of(lambda: sweepmake.load("none")) == f"seen from {tmp_path}"
    examiner = sweepmake.Examiner()
    assert hint_of(lambda: examiner.exam("none")) == f"this notebook runs in {tmp_path}"
    hint = hint_of(lambda: examiner.exam(".", "*"))
    assert hint == "'.*' finds every name, 'Norm_new' those that hold Norm_new"
    assert hint_of(lambda: sweepmake.load(".")) == "`snakemake results` makes it"
    assert {"load", "Examiner", "__version__"} <= set(dir(sweepmake))


def test_yaml_is_what_this_file_says_it_is() -> None:
    """The good one is good, so that each of the others is bad for one reason."""
    assert len(list(yaml.safe_load_all(GOOD))) == 2
