"""params.yaml to experiments: the language, and one clear message for each thing that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweepmake.errors import InputError
from sweepmake.params import sweep as sweep_module
from sweepmake.params.commands import fill
from sweepmake.params.config import Config
from sweepmake.params.documents import MOST_COMBINATIONS, Document, combinations
from sweepmake.params.sweep import Sweep, read_sweep
from sweepmake.params.yaml_reader import Scalar

DATA = Path(__file__).parents[1].parent / "data" / "params"
HEAD = "template:\n  train: t {lr} [amp]\n  test: e {beam}\ndefault: {lr: 0.1, amp: no, beam: 5}\n"


@pytest.fixture
def sweep(tmp_path: Path):
    """Returns a function that writes a params.yaml and reads it."""

    def read(text: str, **options) -> Sweep:
        file = tmp_path / "params.yaml"
        file.write_text(text, encoding="utf-8")
        return read_sweep(file, **options)

    return read


def names(sweep: Sweep) -> list[str]:
    """The experiments' names, in order."""
    return [experiment.name for experiment in sweep.experiments]


def test_the_seeds_example_gives_its_four_experiments() -> None:
    """mlrunner's README: 4 experiments, in its order, with its names."""
    sweep = read_sweep(DATA / "seed.yaml")
    assert names(sweep) == [
        "Norm_new-Moment_0.1",
        "Norm_new-Moment_0.05",
        "Norm_batch-Moment_0.1",
        "Norm_batch-Moment_0.05",
    ]
    assert [stage.name for stage in sweep.stages] == ["train", "avg", "test"]
    assert sweep.slots == ("0", "1", "2", "3")
    assert sweep.orphans == ()
    assert sweep.experiments[0].stages == ("train", "avg", "test")
    assert sweep.experiments[0].parameters == {"data": "iwslt14", "norm": "new", "moment": 0.1}


def test_real_runs_of_mlrunner_keep_their_folders() -> None:
    """A params.yaml that mlrunner ran gives the folders that mlrunner made."""
    assert set(names(read_sweep(DATA / "cifar10.yaml"))) == {
        f"Data_CIFAR10-Loss_CE-Lr_{lr}-Seed_{seed}" for lr in (0.1, 0.01) for seed in range(3)
    }


def test_equal_parameters_run_once_with_the_stages_of_both(sweep) -> None:
    """The first name stays; a second asking for another stage adds it, else it is a duplicate."""
    read = sweep(HEAD + "---\n_cmd: test\nbeam: [4, 5]\n---\nbeam: 5\n_cmd: train\n---\nlr: 0.1\n")
    assert names(read) == ["Beam_4", "Beam_5"]
    assert [e.stages for e in read.experiments] == [("test",), ("train", "test")]
    assert read.duplicates == 1


def test_values_of_different_types_are_different_experiments(sweep) -> None:
    """1, 1.0, true and "1" give different commands; 1e-4 and 0.0001 are one number."""
    read = sweep(HEAD + '---\nlr: [1, 1.0, true, "1", 1e-4, 0.0001, .nan, .nan]\n')
    assert len(read.experiments) == 6
    assert read.duplicates == 2
    assert len(set(names(read))) == 6


def test_switch_words_are_booleans_for_flags_only(sweep) -> None:
    """`on` is True where a template has [amp], and the text "on" elsewhere; "on" is always text."""
    read = sweep(HEAD + "---\namp: [on, 'on', Off]\nlr: on\n")
    assert [e.parameters["amp"] for e in read.experiments] == [True, "on", False]
    assert [e.parameters["lr"] for e in read.experiments] == ["on"] * 3
    train = read.stages[0].template
    assert fill(train, read.experiments[0].parameters, name="", output="") == ("t on --amp",)


def test_an_alias_sets_its_parameters(sweep) -> None:
    """The name shows the alias; its parameters win over choices, as in mlrunner."""
    alias = "alias: {m: {small: {lr: 1, beam: 2}, 3: {lr: 3, beam: 4}}}\n"
    read = sweep(HEAD + alias + "---\nm: [small, 3.0]\nlr: 9\n")
    assert names(read) == ["M_small-Lr_9", "M_3.0-Lr_9"]
    assert [e.parameters["lr"] for e in read.experiments] == [1, 3]
    assert "m" not in read.experiments[0].parameters


def test_a_default_may_be_missing_where_no_selected_stage_needs_it(sweep) -> None:
    """Only the stages that run must find their parameters."""
    text = "template: {a: 'x {p}', b: 'y {q}'}\n---\np: 1\n_cmd: a\n---\nq: 1\n_cmd: [b]\n"
    assert [e.stages for e in sweep(text).experiments] == [("a",), ("b",)]


def test_stages_override_cmd_and_keep_the_templates_order(sweep) -> None:
    """mlrunner's -c."""
    read = sweep(HEAD + "---\n_cmd: test\nlr: 1\n", stages=["test", "train"])
    assert read.experiments[0].stages == ("train", "test")


def test_titles_select_documents(sweep) -> None:
    """Documents may share a title, or have several."""
    text = HEAD + "---\n_title: a\nlr: 1\n---\n_title: [a, b]\nlr: 2\n---\nlr: 3\n"
    assert names(sweep(text, titles=["a"])) == ["Lr_1", "Lr_2"]
    assert names(sweep(text, titles=["b"])) == ["Lr_2"]
    assert [e.titles for e in sweep(text).experiments] == [("a",), ("a", "b"), ()]


def test_an_experiment_that_is_asked_for_twice_has_the_titles_of_both(sweep) -> None:
    """In the order of the file, each once, whether it runs more stages then or not."""
    text = HEAD + "---\n_title: b\nlr: [1, 2]\n---\n_title: [a, b]\nlr: 1\n"
    assert [e.titles for e in sweep(text).experiments] == [("b", "a"), ("b",)]
    more = sweep(text.replace("_title: b\n", "_title: b\n_cmd: train\n"))
    assert [e.titles for e in more.experiments] == [("b", "a"), ("b",)]
    assert [e.stages for e in more.experiments] == [("train", "test"), ("train",)]


def test_a_document_without_choices_is_the_defaults(sweep) -> None:
    """One experiment, called default."""
    assert names(sweep(HEAD + "---\n_title: base\n")) == ["default"]


def test_orphans_are_what_no_template_uses(sweep) -> None:
    """A stage that _cmd leaves out still uses its parameters."""
    read = sweep(HEAD + "---\n_cmd: train\nseed: [1, 2]\n")
    assert read.orphans == ("seed",)
    assert names(read) == ["Seed_1", "Seed_2"]
    assert sweep(HEAD + "---\nseed: 1\nb: 1\nrun: 1\nlr: 1\n").orphans == ("b", "run", "seed")


def test_experiments_of_one_name_show_all_that_differs(sweep) -> None:
    """The parameters in one order, in the message as in the hint."""
    with pytest.raises(InputError) as caught:
        sweep(HEAD + "name: x\n---\nlr: 1\nbeam: 2\namp: no\n---\nbeam: 3\nlr: 4\n")
    assert "one with beam=2, lr=1, one with beam=3, lr=4" in str(caught.value)
    assert caught.value.hint == "put {beam} or {lr} into 'name'"


def test_a_stages_name_has_at_most_32_characters(sweep) -> None:
    """And none is a target of the workflow."""
    text = "template: {%s: echo}\n---\na: 1\n"
    assert sweep(text % ("a" + "b" * 31)).stages[0].name == "a" + "b" * 31
    for name in ("a" + "b" * 32, "all", "stages", "results"):
        with pytest.raises(InputError, match=f"'{name}'"):
            sweep(text % name)


def test_a_long_value_is_cut_in_messages(sweep) -> None:
    """Sixty characters of it stand there."""
    for length, shown in ((60, "x" * 60), (61, "x" * 57 + "…")):
        with pytest.raises(InputError, match=f"found '{shown}'"):
            sweep(f"template: {'x' * length}\n---\na: 1\n")


def test_a_sample_is_the_same_every_time(sweep) -> None:
    """Per document, in file order, from the seed; other documents and titles do not matter."""
    text = HEAD + "---\nlr: [1, 2]\n---\n_title: x\nlr: [1, 2, 3, 4, 5]\nbeam: [1, 2, 3, 4, 5]\n"
    whole = names(sweep(text, titles=["x"]))
    drawn = names(sweep(text, titles=["x"], sample=6, sample_seed=1))
    assert len(drawn) == 6
    assert drawn == [name for name in whole if name in drawn]
    assert names(sweep(text, sample=6, sample_seed=1))[2:] == drawn
    assert names(sweep(text, titles=["x"], sample=6, sample_seed=2)) != drawn
    assert names(sweep(text, titles=["x"], sample=99)) == whole


def test_the_sample_that_the_configuration_draws_is_the_librarys(sweep) -> None:
    """The seed that counts where none is given is 0 in both, and what it draws stays the same."""
    text = HEAD + "---\nlr: [1, 2, 3, 4, 5]\nbeam: [1, 2, 3, 4, 5]\n"
    drawn = names(sweep(text, sample=3))
    assert drawn == names(sweep(text, sample=3, sample_seed=Config().sample_seed))
    assert drawn == ["Lr_2-Beam_2", "Lr_2-Beam_3", "Lr_2-Beam_4"]
    other = text + "---\nlr: [6, 7, 8, 9, 10]\nbeam: [1, 2, 3, 4, 5]\n"
    assert names(sweep(other, sample=3))[3:] == ["Lr_7-Beam_4", "Lr_8-Beam_4", "Lr_10-Beam_2"]


def test_a_million_experiments_are_the_most() -> None:
    """A document may have that many, or be drawn from down to that many."""
    values = tuple(Scalar(number, str(number), 1, 1) for number in range(1001))
    most = Document(1, 1, (), (), {"a": values[:1000], "b": values[:1000]})
    assert most.size == MOST_COMBINATIONS
    assert next(combinations(most, None, 0, file="f")) == (0, 0)
    more = Document(1, 1, (), (), {"a": values[:1000], "b": values})
    with pytest.raises(InputError, match="1,001,000 experiments, more than 1,000,000"):
        next(combinations(more, None, 0, file="f"))
    with pytest.raises(InputError, match="1,001,000 experiments, more than 1,000,000"):
        next(combinations(more, 1_000_001, 0, file="f"))


def test_documents_together_have_no_more_either(sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum counts, and of a sample what is drawn; the document that exceeds it is named."""
    monkeypatch.setattr(sweep_module, "MOST_COMBINATIONS", 5)
    text = HEAD + "---\nlr: [1, 2, 3]\n---\nlr: [4, 5]\n"
    assert len(sweep(text).experiments) == 5
    with pytest.raises(InputError, match="the documents ask for more than 5 ") as caught:
        sweep(text.replace("[4, 5]", "[4, 5, 6]"))
    assert caught.value.line == 8
    assert len(sweep(text.replace("[4, 5]", "[4, 5, 6]"), sample=2).experiments) == 4


def test_a_sample_of_a_huge_grid_is_drawn_without_building_it(sweep) -> None:
    """10^12 combinations, 3 of them wanted."""
    lists = "".join(f"p{key}: [{', '.join(map(str, range(10)))}]\n" for key in "abcdefghijkl")
    assert len(sweep(HEAD + "---\n" + lists, sample=3).experiments) == 3
    with pytest.raises(InputError, match="1,000,000,000,000 experiments"):
        sweep(HEAD + "---\n" + lists)


def test_stage_settings_reach_the_stages(sweep) -> None:
    """What `stage:` says, and the defaults of what it does not."""
    settings = "stage:\n  test: {gpu: 0, threads: 2, mem_mb: 100, runtime: 5, retries: 1}\n"
    train, test = sweep(HEAD + settings + "---\nlr: 1\n").stages
    assert (train.gpu, train.threads, train.mem_mb, train.runtime, train.retries) == (
        1,
        1,
        None,
        None,
        None,
    )
    assert (test.gpu, test.threads, test.mem_mb, test.runtime, test.retries) == (0, 2, 100, 5, 1)


def test_a_name_template_names_the_experiments(sweep) -> None:
    """Values are made safe, with a hash where that changed them; defaults and aliases may stand."""
    read = sweep(HEAD + "name: b_{beam}-{lr}\n---\nlr: [1, 0.5, a/b]\n")
    assert names(read)[:2] == ["b_5-1", "b_5-0.5"]
    assert names(read)[2].startswith("b_5-a_b-")
    assert read.experiments[0].choices == {"lr": 1}


def test_a_name_has_no_blanks_around_it(sweep) -> None:
    """An empty value at the end of the template leaves none."""
    assert names(sweep(HEAD + "name: '{lr} {tag}'\n---\nlr: 1\ntag: ['', b]\n")) == ["1", "1 b"]
    assert names(sweep(HEAD + "name: ' {tag} {lr} '\n---\nlr: 1\ntag: ''\n")) == ["1"]


def test_resource_gives_slots(sweep) -> None:
    """As CUDA_VISIBLE_DEVICES wants them; none where the key is absent."""
    assert sweep(HEAD + 'resource: [0, "1, 2", 0, GPU-8f-3]\n---\nlr: 1\n').slots == (
        "0",
        "1,2",
        "0",
        "GPU-8f-3",
    )
    assert sweep(HEAD + "---\nlr: 1\n").slots is None


BAD_SLOTS = [
    ("[]", "found an empty list"),
    ("[-1]", "found '-1'"),
    ("['']", "found an empty slot"),
    ("['0,']", "found ''"),
    ("['0,0']", "names 0 twice"),
    ("['0 1']", "found '0 1'"),
    ("[[0, 1]]", 'write "0,1"'),
    ("[true]", "expected a GPU"),
    ("[1.5]", "expected a GPU"),
    ("[gpu0]", "found 'gpu0'"),
    ("0", "expected a list of GPUs"),
    ("{a: 1}", "expected a list of GPUs"),
]


@pytest.mark.parametrize(("written", "message"), BAD_SLOTS)
def test_a_bad_slot_is_named(sweep, written: str, message: str) -> None:
    """File and line, what was found, and how to write it."""
    with pytest.raises(InputError) as caught:
        sweep(HEAD + f"resource: {written}\n---\nlr: 1\n")
    assert message in str(caught.value)
    assert "params.yaml:5: 'resource'" in str(caught.value)


T = "template: {train: 't {lr}'}\n"
BAD = [
    # first document
    ("", None, "the file is empty", ""),
    ("# nothing\n", None, "the file is empty", ""),
    ("- a\n", 1, "the first document: expected a mapping, found a list", ""),
    ("default: {a: 1}\n---\na: 1\n", 1, "there is no 'template'", ""),
    ("template:\n---\na: 1\n", 1, "'template': expected a mapping, found nothing", ""),
    ("template: {}\n---\na: 1\n", 1, "expected a mapping, found an empty mapping", ""),
    ("template: x\n---\na: 1\n", 1, "'template': expected a mapping, found 'x'", ""),
    ("template: {t: ''}\n---\na: 1\n", 1, "the template is empty", ""),
    ("template: {t: true}\n---\na: 1\n", 1, "found the boolean true", "in quotes"),
    ("template: {t: [a]}\n---\na: 1\n", 1, "expected a command, found a list", ""),
    ("template: {'a b': x}\n---\na: 1\n", 1, "found 'a b' as a stage's name", ""),
    ("template: {all: x}\n---\na: 1\n", 1, "'all' cannot name a stage", "rename"),
    ("templates: {t: x}\n---\na: 1\n", 1, "unknown key 'templates'", "'template'"),
    (T + "defualt: {lr: 1}\n---\na: 1\n", 2, "unknown key 'defualt'", "'default'"),
    (T + "default: [1]\n---\nlr: 1\n", 2, "'default': expected a mapping, found a list", ""),
    (T + "default: {lr: [1]}\n---\nlr: 1\n", 2, "default of 'lr': expected one value", "documents"),
    (T + "default: {1: 1}\n---\nlr: 1\n", 2, "found the number 1 as key", '"1"'),
    (T + "default: {a b: 1}\n---\nlr: 1\n", 2, "found 'a b' as a parameter's name", ""),
    (T + "default: {lr: 1}\n---\nlr: 1\n---\n", 5, "document 3: expected a mapping", "'---'"),
    # templates
    ("template:\n  t: >\n    x\n    {nope}\n---\na: 1\n", 4, "unknown placeholder {nope}", ""),
    (T + "---\nLr: 1\n", 1, "unknown placeholder {lr}", "'Lr'"),
    ("template: {t: 'x {a} [a]'}\n---\na: 1\n", 1, "both as {a} and as [a]", "one of the two"),
    ("template: {t: 'x {m}'}\nalias: {m: {s: {a: 1}}}\n---\nm: s\n", 1, "'m' is an alias", ""),
    # aliases
    (T + "alias: {m: {s: {a: 1}, t: {b: 1}}}\n---\nlr: 1\n", 2, "sets b, but case 's' sets a", ""),
    (T + "alias: {m: {}}\n---\nlr: 1\n", 2, "alias 'm': expected a mapping", ""),
    (T + "alias: {m: {s: {}}}\n---\nlr: 1\n", 2, "case 's': expected a mapping", ""),
    (T + "alias: {m: {s: {a: [1]}}}\n---\nlr: 1\n", 2, "expected one value, found a list", ""),
    (T + "alias: {m: {small: {lr: 1}}}\n---\nm:\n- smal\n", 5, "no case 'smal'", "'small'"),
    # stage
    (T + "stage: {tran: {gpu: 0}}\n---\nlr: 1\n", 2, "unknown stage 'tran'", "'train'"),
    (T + "stage: {train: {gpus: 0}}\n---\nlr: 1\n", 2, "unknown key 'gpus'", "'gpu'"),
    (T + "stage: {train: {gpu: -1}}\n---\nlr: 1\n", 2, "of at least 0, found the number -1", ""),
    (T + "stage: {train: {mem_mb: 0}}\n---\nlr: 1\n", 2, "of at least 1, found", "megabytes"),
    (T + "stage: {train: {runtime: 0}}\n---\nlr: 1\n", 2, "of at least 1, found", "minutes"),
    (T + "stage: {train: {retries: -1}}\n---\nlr: 1\n", 2, "of at least 0, found", ""),
    (T + "stage: {train: {threads: 0}}\n---\nlr: 1\n", 2, "of at least 1, found", ""),
    (T + "stage: {train: {runtime: 1h}}\n---\nlr: 1\n", 2, "found '1h'", "minutes"),
    (T + "stage: {train: {retries: true}}\n---\nlr: 1\n", 2, "found the boolean true", ""),
    (T + "stage: {train: 1}\n---\nlr: 1\n", 2, "expected a mapping, found the number 1", ""),
    # name
    (T + "name: '{Lr}'\n---\nlr: 1\n", 2, "unknown placeholder {Lr}", "'lr'"),
    (T + "name: 'a/{lr}'\n---\nlr: 1\n", 2, "found '/'", ""),
    (T + "name: ''\n---\nlr: 1\n", 2, "found nothing", ""),
    (T + "name: [a]\n---\nlr: 1\n", 2, "expected a template such as", ""),
    (T + "name: '.{lr}'\n---\nlr: 1\n", 4, "does not begin with '.'", ""),
    (T + "name: x\n---\nlr: [1, 2]\n", 2, "name 'x': one with lr=1, one with lr=2", "{lr}"),
    (T + "name: '{a}'\n---\nlr: 1\na: 1\n---\nlr: 2\n", 7, "no value for 'a'", "default"),
    # choices
    (T + "default: {lr: 1}\n", None, "no document of choices", "'---'"),
    (T + "---\nlr: []\n", 3, "'lr': found an empty list", "default"),
    (T + "---\nlr:\n- [1, 2]\n", 4, "found a list inside the list", '"[1, 2]"'),
    (T + "---\nlr: [{a: 1}]\n", 3, "found a mapping inside the list", ""),
    (T + "---\nlr: {a: 1}\n", 3, "'lr': expected a value or a list of values", "alias"),
    (T + "---\n- lr\n", 3, "document 2: expected a mapping of names to values, found a list", ""),
    (T + "---\nlr: 1\nlr: 2\n", 4, "on line 3 and on line 4", ""),
    (T + "---\nlr: 1\n_cmd: tset\n", 4, "'_cmd': unknown stage 'tset'", "train"),
    (T + "---\nlr: 1\n_cmd:\n", 4, "'_cmd': expected a word", ""),
    (T + "---\nlr: 1\n_titel: x\n", 4, "unknown key '_titel'", "'_title'"),
    (T + "---\nlr:\n", 3, "'lr' is null", '""'),
    (
        T + "---\na: 1\n---\nlr: 1\n",
        3,
        "no value for 'lr', which the stage 'train' uses",
        "default",
    ),
]


@pytest.mark.parametrize(("text", "line", "message", "hint"), BAD)
def test_bad_input_gives_one_clear_message(
    sweep, text: str, line: int | None, message: str, hint: str
) -> None:
    """File and line, what was found, what was expected, a hint."""
    with pytest.raises(InputError) as caught:
        sweep(text)
    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")
    assert caught.value.line == line
    assert caught.value.file is not None
    assert caught.value.file.endswith("params.yaml")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"titles": ["sise"]}, "did you mean 'size'?"),
        ({"stages": ["tset"]}, "unknown stage 'tset'"),
        ({"sample": 0}, "expected a whole number of at least 1, found 0"),
        ({"sample": "3"}, "expected a whole number of at least 1, found '3'"),
        ({"sample": True}, "expected a whole number of at least 1, found True"),
    ],
)
def test_a_bad_option_gives_one_clear_message(sweep, options: dict, message: str) -> None:
    """Titles, stages and samples that cannot be."""
    with pytest.raises(InputError) as caught:
        sweep(HEAD + "---\n_title: size\nlr: 1\n", **options)
    assert message in str(caught.value)


def test_a_title_where_none_has_one_says_so(sweep) -> None:
    """The hint shows what to add."""
    with pytest.raises(InputError, match="no document has any '_title'"):
        sweep(HEAD + "---\nlr: 1\n", titles=["x"])


def test_the_file_is_named_as_the_caller_named_it(tmp_path: Path, monkeypatch) -> None:
    """A relative name stays relative in messages and in the sweep."""
    (tmp_path / "p.yaml").write_text(HEAD + "---\nlr: 1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert read_sweep("p.yaml").file == "p.yaml"


def test_keys_of_the_users_own_may_hold_anchors(sweep) -> None:
    """mlrunner ignores unknown keys of the first document; so do we, unless they look misspelt."""
    text = "shared: &d {lr: 1}\n" + T + "default: {<<: *d}\n---\nx: 1\n"
    assert sweep(text).experiments[0].parameters == {"lr": 1, "x": 1}
