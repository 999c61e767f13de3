"""Folders of logs that Sweepmake did not make: which experiments are found in them, and what is
said about those that cannot be used."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from folders import state_of

from sweepmake.elsewhere import find_experiments
from sweepmake.elsewhere.files import read_param
from sweepmake.errors import InputError
from sweepmake.params.config import read_config
from sweepmake.results.study import Study, make_study
from sweepmake.runs.experiment import Experiment

DATA = Path(__file__).resolve().parents[2] / "data"
MLRUNNER = DATA / "mlrunner-output"
KERAS = DATA / "logs/k27-ompi4-np4-ts/log.txt"
WIZARD = "ppn_2-cps_8-intra_8-inter_1-bt_0-img_1000-lr_{}-mom_0.9-bs_32-dpout_0.5_0.5"


def put(path: Path, text: str = "Epoch 1/1 - loss: 0.5\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def study(logs: object, **config: object) -> Study:
    return make_study(read_config({"logs": logs, **config}))


def found(folder: Path, names: str | None = None) -> dict[str, Experiment]:
    experiments, _ = find_experiments(str(folder), names)
    return {experiment.name: experiment for experiment in experiments}


def logs_of(experiment: Experiment, folder: Path) -> dict[str, list[str]]:
    """The logs of a case by stage, their paths below the folder."""
    return {s: [str(Path(p).relative_to(folder)) for p in ps] for s, ps in experiment.logs.items()}


def refused(folder: Path, names: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        find_experiments(str(folder), names)
    return str(caught.value)


class TestMlrunner:
    """The folders that mlrunner leaves behind."""

    def test_its_six_experiments_are_found_with_their_parameters(self) -> None:
        """Parameters have their types; what begins with "_" is none."""
        experiments = found(MLRUNNER)
        assert list(experiments) == [
            f"Data_CIFAR10-Loss_CE-Lr_{lr}-Seed_{seed}" for lr in (0.01, 0.1) for seed in (0, 1, 2)
        ]
        last = experiments["Data_CIFAR10-Loss_CE-Lr_0.1-Seed_2"]
        assert last.parameters == {"data": "CIFAR10", "loss": "CE", "lr": 0.1, "seed": 2}
        assert last.stages == ("train",)
        assert logs_of(last, MLRUNNER) == {"train": [f"{last.name}/log.train.20220517.074342"]}
        assert not last.problem
        assert not last.records
        text = last.find_logs("train")[0].read_text(encoding="utf-8")
        assert "test_acc=0.9296" in text.splitlines()[-1]

    def test_one_experiment_s_own_folder_will_do(self) -> None:
        """The folder named may be that of a single experiment."""
        (experiment,) = found(MLRUNNER / "Data_CIFAR10-Loss_CE-Lr_0.1-Seed_2").values()
        assert experiment.name == "Data_CIFAR10-Loss_CE-Lr_0.1-Seed_2"
        assert experiment.parameters["lr"] == 0.1

    def test_stages_stand_in_the_order_in_which_they_ran(self, tmp_path: Path) -> None:
        """`_scripts` is sorted by name: the first logs' times say the order, the newest counts."""
        folder = tmp_path / "Lr_0.1"
        put(folder / "param", "_scripts: {avg: a, test: b, train: c, zip: d}\nlr: 0.1\n")
        for name in ("train.20220101.000000", "avg.20220101.000500", "test.20220101.000900",
                     "train.20220102.000000"):  # fmt: skip
            put(folder / f"log.{name}")
        (experiment,) = found(tmp_path).values()
        assert experiment.stages == ("train", "avg", "test", "zip")
        assert logs_of(experiment, folder)["train"] == ["log.train.20220102.000000"]
        assert experiment.find_logs("zip") == ()

    def test_the_order_in_param_counts_where_it_is_not_the_alphabet(self, tmp_path: Path) -> None:
        """An order that somebody chose is kept."""
        put(tmp_path / "a/param", "_scripts: {two: a, one: b, three: c}\n")
        for stage in ("one", "two", "three"):
            put(tmp_path / f"a/log.{stage}.20220101.000000")
        assert found(tmp_path)["a"].stages == ("two", "one", "three")

    def test_stages_of_different_experiments_are_merged_in_order(self, tmp_path: Path) -> None:
        """Every experiment's own order is kept among all stages."""
        for name, stages in {"a": "train test", "b": "train avg test"}.items():
            for hour, stage in enumerate(stages.split()):
                put(tmp_path / f"{name}/log.{stage}.20220101.0{hour}0000")
        assert find_experiments(str(tmp_path))[1] == ("train", "avg", "test")

    def test_stages_stand_in_one_order_everywhere(self, tmp_path: Path) -> None:
        """Where experiments disagree, the first one's order holds for all."""
        for name, ran in {"a": "one two", "b": "two one"}.items():
            for hour, stage in enumerate(ran.split()):
                put(tmp_path / f"{name}/log.{stage}.20220101.0{hour}0000")
        experiments, stages = find_experiments(str(tmp_path))
        assert stages == experiments[0].stages == experiments[1].stages == ("one", "two")

    def test_a_param_beside_other_logs_gives_the_parameters(self, tmp_path: Path) -> None:
        """Logs of any name beside `param` are those of its experiment."""
        put(tmp_path / "a/param", "lr: 0.5\n")
        put(tmp_path / "a/run.log")
        put(tmp_path / "b/param", "lr: 0.6\n")
        put(tmp_path / "b/test.log")
        put(tmp_path / "b/train.log")
        experiments = found(tmp_path)
        assert experiments["a"].parameters == {"lr": 0.5}
        assert logs_of(experiments["a"], tmp_path) == {"train": ["a/run.log"]}
        assert logs_of(experiments["b"], tmp_path) == {
            "train": ["b/train.log"],
            "test": ["b/test.log"],
        }
        assert experiments["b"].stages == ("train", "test")

    def test_a_param_without_logs_hides_nothing_below_it(self, tmp_path: Path) -> None:
        """A stray file of that name above the experiments does not take their place."""
        put(tmp_path / "param", "lr: 0.5\n")
        put(tmp_path / "Lr_1/log.train.20220101.000000")
        put(tmp_path / "Lr_2/param", "lr: 2\n")
        experiments = found(tmp_path)
        assert {name: experiment.problem for name, experiment in experiments.items()} == {
            "Lr_1": "", "Lr_2": "no log",
        }  # fmt: skip

    def test_experiments_may_share_one_folder(self, tmp_path: Path) -> None:
        """--no-subdir: the experiments' names stand at the end of the files'."""
        put(tmp_path / "param.Lr_0.1", "lr: 0.1\n")
        put(tmp_path / "param.Lr_0.2", "lr: 0.2\n")
        put(tmp_path / "log.train.20220101.000000.Lr_0.1")
        put(tmp_path / "log.train.20220101.000100.Lr_0.1")
        put(tmp_path / "log.test.20220101.000200.Lr_0.1")
        experiments = found(tmp_path)
        assert logs_of(experiments["Lr_0.1"], tmp_path) == {
            "train": ["log.train.20220101.000100.Lr_0.1"],
            "test": ["log.test.20220101.000200.Lr_0.1"],
        }
        assert experiments["Lr_0.2"].parameters == {"lr": 0.2}
        assert experiments["Lr_0.2"].problem == "no log"

    def test_sweepmake_s_records_say_which_attempts_belong_together(self, tmp_path: Path) -> None:
        """Two attempts of one command are one run, wherever the folder lies by now."""
        folder = tmp_path / "moved/Lr_0.1"
        logs = [f"log.train.20220101.00000{i}" for i in range(3)]
        for log, key, state in zip(logs, "abb", ("failed", "failed", "finished"), strict=True):
            put(folder / log)
            folder.joinpath(".sweepmake").mkdir(exist_ok=True)
            with (folder / ".sweepmake/runs.jsonl").open("a") as file:
                file.write(f'{{"stage": "train", "fingerprint": "{key}", "state": "{state}", '
                           f'"log": "output/Lr_0.1/{log}"}}\n')  # fmt: skip
        (experiment,) = found(tmp_path / "moved").values()
        assert logs_of(experiment, folder) == {"train": logs[1:]}

    def test_records_of_experiments_that_share_a_folder_are_told_apart(
        self, tmp_path: Path
    ) -> None:
        """Each has a folder of its own among the records."""
        for name, states in (("a", ("failed", "finished")), ("b", ("finished", "finished"))):
            records = tmp_path / ".sweepmake" / name
            records.mkdir(parents=True)
            for at, state in enumerate(states):
                log = f"log.train.20220101.00000{at}.{name}"
                put(tmp_path / log)
                with (records / "runs.jsonl").open("a") as file:
                    told = {"stage": "train", "fingerprint": "x", "state": state, "log": log}
                    file.write(json.dumps(told) + "\n")
        experiments = found(tmp_path)
        assert logs_of(experiments["a"], tmp_path)["train"] == [
            "log.train.20220101.000000.a",
            "log.train.20220101.000001.a",
        ]
        assert logs_of(experiments["b"], tmp_path)["train"] == ["log.train.20220101.000001.b"]

    def test_numbers_that_yaml_1_1_takes_for_text_are_numbers(self, tmp_path: Path) -> None:
        """mlrunner writes lr: 1e-05, which its YAML reads as a text; lists become text."""
        put(tmp_path / "a/param", "lr: 1e-05\nzip: '010'\nbetas: [0.9, 0.98]\namp: true\nx: null\n")
        put(tmp_path / "a/log.train.20220101.000000")
        parameters = found(tmp_path)["a"].parameters
        assert parameters == {
            "lr": 1e-05, "zip": "010", "betas": "[0.9, 0.98]", "amp": True, "x": None,
        }  # fmt: skip
        assert isinstance(parameters["lr"], float)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("a: [", "it is no YAML"),
            ("- a", "it is no mapping"),
            ("a: " + "x" * (1 << 20), "longer than 1 MiB"),
        ],
    )
    def test_a_param_that_cannot_be_read_is_said(
        self, tmp_path: Path, text: str, said: str
    ) -> None:
        """The row says so; the name still gives what it can."""
        put(tmp_path / "Lr_0.1/param", text)
        put(tmp_path / "Lr_0.1/log.train.20220101.000000")
        experiment = found(tmp_path)["Lr_0.1"]
        assert said in experiment.problem
        assert experiment.problem.startswith("param cannot be read")
        assert experiment.parameters == {"lr": 0.1}

    def test_a_param_of_a_mebibyte_is_read(self, tmp_path: Path) -> None:
        """So many parameters nobody has, but a text may be long."""
        text = "a: " + "x" * ((1 << 20) - 3)
        put(tmp_path / "Lr_0.1/param", text)
        put(tmp_path / "Lr_0.1/log.train.20220101.000000")
        experiment = found(tmp_path)["Lr_0.1"]
        assert not experiment.problem
        assert experiment.parameters == {"a": text[3:]}

    def test_values_that_are_no_plain_ones_are_shortened_texts(self, tmp_path: Path) -> None:
        """Two hundred items, two levels and two hundred characters of each are kept."""
        items, letters = list(range(201)), "x" * 300
        text = f"list: {items}\nmapping: {dict.fromkeys(items, 0)}\ndeep: [[[1]]]\n"
        path = put(tmp_path / "param", text + f"long: ['{letters}', {letters}]\nshort: [a, 1]\n")
        found = read_param(str(path)).parameters
        assert found["list"] == f"[{', '.join(map(str, items[:200]))}, ...]"
        assert found["mapping"] == f"{{{', '.join(f'{at}: 0' for at in items[:200])}, ...}}"
        assert (found["deep"], found["short"]) == ("[[[...]]]", "['a', 1]")
        assert [len(part) for part in str(found["long"]).strip("[]").split(", ")] == [200, 200]

    def test_a_param_of_nested_aliases_does_not_fill_the_memory(self, tmp_path: Path) -> None:
        """A few hundred bytes that stand for a billion values are shortened."""
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
        put(tmp_path / "a/param", "\n".join(lines))
        put(tmp_path / "a/log.train.20220101.000000")
        assert all(len(str(value)) < 2000 for value in found(tmp_path)["a"].parameters.values())


class TestWizard:
    """Training Log Wizard's folders, with real logs of Keras under mpirun."""

    @pytest.fixture
    def wizard(self, tmp_path: Path) -> Path:
        folder = tmp_path / "runs of May"
        for lr in ("1e-05", "0.001", "0.01"):
            name = WIZARD.format(lr)
            (folder / name).mkdir(parents=True)
            shutil.copy(KERAS, folder / name / f"{name}.log")
        return folder

    def test_parameters_are_read_from_the_names(self, wizard: Path) -> None:
        """The seed's own example of a name; lists are kept as a text, the order is by value."""
        experiments = found(wizard)
        assert list(experiments) == [WIZARD.format(lr) for lr in ("1e-05", "0.001", "0.01")]
        first = experiments[WIZARD.format("1e-05")]
        assert first.parameters == {
            "ppn": 2, "cps": 8, "intra": 8, "inter": 1, "bt": 0, "img": 1000, "lr": 1e-05,
            "mom": 0.9, "bs": 32, "dpout": "[0.5, 0.5]",
        }  # fmt: skip
        assert logs_of(first, wizard) == {"train": [f"{first.name}/{first.name}.log"]}

    def test_what_else_lies_in_such_a_folder_is_not_its_log(self, wizard: Path) -> None:
        """The Wizard writes its own files beside the log."""
        name = WIZARD.format("0.01")
        put(wizard / name / f"{name}_clean.log")
        put(wizard / name / "results.txt")
        assert logs_of(found(wizard)[name], wizard) == {"train": [f"{name}/{name}.log"]}

    def test_logs_may_lie_flat(self, tmp_path: Path) -> None:
        """One file per experiment, without folders; dots of numbers are no suffix."""
        put(tmp_path / "lr_0.5-bs_2.log")
        put(tmp_path / "lr_0.5-bs_10.log")
        experiments = found(tmp_path)
        assert list(experiments) == ["lr_0.5-bs_2", "lr_0.5-bs_10"]
        assert experiments["lr_0.5-bs_10"].parameters == {"lr": 0.5, "bs": 10}

    def test_broken_experiments_have_a_row_that_says_why(self, wizard: Path) -> None:
        """Empty, missing, a folder in the log's place, a link to nowhere, a pipe: none is lost."""
        names = {key: f"lr_{number}-bs_8" for number, key in
                 enumerate(("empty", "none", "folder", "link", "pipe"))}  # fmt: skip
        for name in names.values():
            (wizard / name).mkdir()
        put(wizard / names["empty"] / f"{names['empty']}.log", "")
        put(wizard / names["none"] / "model.h5")
        (wizard / names["folder"] / f"{names['folder']}.log").mkdir()
        (wizard / names["link"] / f"{names['link']}.log").symlink_to("/nowhere/at-all")
        os.mkfifo(wizard / names["pipe"] / f"{names['pipe']}.log")
        experiments = found(wizard)
        problems = {key: experiments[name].problem for key, name in names.items()}
        assert problems == {
            "empty": "empty log",
            "none": "no log",
            "folder": "cannot be read: it is a folder",
            "link": "cannot be read: No such file or directory",
            "pipe": "cannot be read: it is no file",
        }
        assert all(experiments[name].parameters["bs"] == 8 for name in names.values())
        assert all(
            list(experiment.logs) == list(experiment.stages) == ["train"]
            for experiment in experiments.values()
        )
        assert len(experiments) == 3 + len(names)

    def test_nothing_is_touched(self, wizard: Path, tmp_path: Path) -> None:
        """Content, times and permissions stay, also of a tree that nobody may write."""
        shutil.copytree(MLRUNNER, wizard / "more")
        with read_only(wizard):
            before = state_of(wizard)
            assert len(study(str(wizard), results=str(tmp_path / "results")).experiments) == 9
            assert state_of(wizard) == before

    def test_no_log_is_opened(self, wizard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Only `param` files are read: a folder of huge logs costs nothing."""
        opened: list[str] = []
        original = Path.open

        def watched(path: Path, mode: str = "r", **options: str) -> IO[str] | IO[bytes]:
            opened.append(path.name)
            return original(path, mode, **options)  # type: ignore[call-overload, no-any-return]

        monkeypatch.setattr(Path, "open", watched)
        put(wizard / "Lr_1/param", "lr: 1\n")
        put(wizard / "Lr_1/log.train.20220101.000000")
        opened.clear()
        assert len(found(wizard)) == 4
        assert set(opened) == {"param"}


class read_only:  # noqa: N801 (used like a function)
    """Takes the permission to write from a tree, and gives it back."""

    def __init__(self, folder: Path) -> None:
        self._paths = [folder, *folder.rglob("*")]

    def _change(self, add: int, remove: int) -> None:
        for path in self._paths:
            path.chmod(path.stat().st_mode & ~remove | add)

    def __enter__(self) -> None:
        self._change(0, stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)

    def __exit__(self, *_: object) -> None:
        self._change(stat.S_IWUSR, 0)


class TestPlainLayouts:
    """Logs without any convention, as long as it is clear what they are."""

    def test_a_folder_with_one_log_is_an_experiment(self, tmp_path: Path) -> None:
        """Whatever the log is called; files of other kinds do not count."""
        for name in ("stdout", "out.log", "slurm-17.out", "log.txt", "job.o4711", "train_log.txt"):
            put(tmp_path / f"run_{name}/{name}")
            put(tmp_path / f"run_{name}/README.txt")
            put(tmp_path / f"run_{name}/logo.png")
            put(tmp_path / f"run_{name}/logs.json")
        experiments = found(tmp_path)
        assert len(experiments) == 6
        assert all(experiment.stages == ("train",) for experiment in experiments.values())

    def test_logs_called_after_stages_are_stages(self, tmp_path: Path) -> None:
        """train.log and test.log beside each other belong to one experiment."""
        for name in ("a", "b"):
            for log in ("test.log", "train.log", "slurm-1.out"):
                put(tmp_path / name / log)
        experiments, stages = find_experiments(str(tmp_path))
        assert [experiment.name for experiment in experiments] == ["a", "b"]
        assert stages == ("train", "test")
        assert logs_of(experiments[0], tmp_path) == {
            "train": ["a/train.log"],
            "test": ["a/test.log"],
        }

    def test_stages_stand_in_their_usual_order(self, tmp_path: Path) -> None:
        """Whatever the alphabet says; what else is a stage comes last."""
        usual = ("prepare", "pretrain", "train", "finetune", "avg", "valid", "eval", "test",
                 "predict", "score")  # fmt: skip
        put(tmp_path / "a/param", "lr: 1\n")
        for stage in (*usual, "all", "zip"):
            put(tmp_path / f"a/{stage}.log")
        assert found(tmp_path)["a"].stages == (*usual, "all", "zip")
        for stage in usual:
            put(tmp_path / f"b/c/{stage}.log")
        assert found(tmp_path / "b")["c"].stages == usual

    def test_how_deep_experiments_may_lie(self, tmp_path: Path) -> None:
        """Thirty folders down, and no deeper."""
        folder = tmp_path.joinpath(*"x" * 30)
        put(folder / "x/train.log")
        assert "there is no file in the folder" in refused(tmp_path)
        put(folder / "train.log")
        (experiment,) = found(tmp_path).values()
        assert experiment.folder == str(folder)

    def test_several_other_logs_are_experiments_each(self, tmp_path: Path) -> None:
        """Logs of seeds in the folder of a setting: the folder's parameters count for all."""
        put(tmp_path / "lr_0.1/seed_1.log")
        put(tmp_path / "lr_0.1/seed_2.log")
        put(tmp_path / "lr_0.1-mom_0.9/seed_1.log")
        experiments = found(tmp_path)
        assert {name: dict(experiment.parameters) for name, experiment in experiments.items()} == {
            "lr_0.1-seed_1": {"lr": 0.1, "seed": 1},
            "lr_0.1-seed_2": {"lr": 0.1, "seed": 2},
            "lr_0.1-mom_0.9": {"lr": 0.1, "mom": 0.9},
        }

    def test_one_log_with_parameters_in_its_name_keeps_it(self, tmp_path: Path) -> None:
        """The file's name counts where the folder's says nothing."""
        put(tmp_path / "may/lr_0.1-bs_2.log")
        put(tmp_path / "june/lr_0.1-bs_2.log")
        put(tmp_path / "june/lr_0.2-bs_2.log")
        experiments = found(tmp_path)
        assert list(experiments) == ["june-lr_0.1-bs_2", "june-lr_0.2-bs_2", "may-lr_0.1-bs_2"]
        assert experiments["may-lr_0.1-bs_2"].parameters == {"lr": 0.1, "bs": 2, "folder": "may"}

    def test_groups_of_experiments_stay_apart(self, tmp_path: Path) -> None:
        """Equal parameters below two folders are two settings."""
        put(tmp_path / "baseline/lr_0.1/train.log")
        put(tmp_path / "ours/lr_0.1/train.log")
        experiments = found(tmp_path)
        assert experiments["ours-lr_0.1"].parameters == {"lr": 0.1, "folder": "ours"}
        assert experiments["baseline-lr_0.1"].parameters == {"lr": 0.1, "folder": "baseline"}

    def test_the_log_of_what_started_them_is_no_experiment(self, tmp_path: Path) -> None:
        """A log beside the experiments' folders is not one of them."""
        put(tmp_path / "nohup.out")
        put(tmp_path / "run1/train.log")
        put(tmp_path / "plots/loss.png")
        (tmp_path / "run2").mkdir()
        experiments = found(tmp_path)
        assert {name: experiment.problem for name, experiment in experiments.items()} == {
            "run1": "",
            "run2": "no log",
        }

    def test_hidden_things_are_not_looked_at(self, tmp_path: Path) -> None:
        """.snakemake, .git and the like hold no experiments."""
        put(tmp_path / "a/train.log")
        put(tmp_path / ".snakemake/log/x.log")
        put(tmp_path / "a/.nfs001.log")
        assert list(found(tmp_path)) == ["a"]

    def test_our_own_results_are_not_experiments(self, tmp_path: Path) -> None:
        """A folder of results beside the logs, from an earlier time, holds logs of ours."""
        put(tmp_path / "a/train.log")
        for file in ("metrics.json", "history.csv.gz", "read_logs.log"):
            put(tmp_path / "results/a" / file)
        assert list(found(tmp_path)) == ["a"]

    def test_another_name_of_a_log_beside_it_is_no_other_log(self, tmp_path: Path) -> None:
        """As "latest"; what stands behind it in the alphabet is found."""
        for name in ("a.log", "z.log"):
            put(tmp_path / "all" / name)
        (tmp_path / "all/latest.log").symlink_to("z.log")
        (tmp_path / "all/more.log").symlink_to(put(tmp_path / "elsewhere.txt"))
        assert list(found(tmp_path / "all")) == ["a", "more", "z"]

    def test_links_lead_nowhere_twice(self, tmp_path: Path) -> None:
        """Loops end, "latest" is no second experiment, a link to another disk is followed."""
        outside = tmp_path / "disk/lr_7"
        put(outside / "train.log")
        (outside / "back").symlink_to(tmp_path / "runs")
        runs = tmp_path / "runs"
        put(runs / "lr_1/lr_1.log")
        put(runs / "lr_2/one.log")
        (runs / "lr_2/latest.log").symlink_to("one.log")
        (runs / "latest").symlink_to("lr_2")
        (runs / "loop").symlink_to(runs)
        (runs / "self").symlink_to("self")
        (runs / "lr_7").symlink_to(outside)
        (runs / "lr_8").symlink_to(outside)
        experiments = found(runs)
        assert list(experiments) == ["lr_1", "lr_2", "lr_7"]
        assert logs_of(experiments["lr_2"], runs) == {"train": ["lr_2/one.log"]}

    def test_names_that_snakemake_cannot_take_are_changed(self, tmp_path: Path) -> None:
        """Braces would be wildcards, <name> a path variable; two such names still differ."""
        put(tmp_path / "a<b>/train.log")
        put(tmp_path / "a{b}/train.log")
        put(tmp_path / "a_b_/train.log")
        names = list(found(tmp_path))
        assert len(names) == 3
        assert not any(char in name for name in names for char in "{}<")


class TestNames:
    """Any other layout, told with a regular expression."""

    @pytest.fixture
    def hydra(self, tmp_path: Path) -> Path:
        for lr in ("0.1", "1e-3"):
            for seed in (1, 2):
                folder = tmp_path / f"multirun/lr={lr}/seed={seed}"
                put(folder / "train.stdout")
                put(folder / "eval.stdout")
                put(folder / "model.pt")
        return tmp_path / "multirun"

    def test_named_groups_are_parameters(self, hydra: Path) -> None:
        """Numbers are numbers; the stage parts an experiment's logs; no group is no parameter."""
        names = r"lr=(?P<lr>[^/]+)/seed=(?P<seed>\d+)/(?P<stage>\w+)\.stdout(?P<part>\.\d+)?"
        experiments, stages = find_experiments(str(hydra), names)
        assert [experiment.name for experiment in experiments] == [
            "lr=1e-3-seed=1", "lr=1e-3-seed=2", "lr=0.1-seed=1", "lr=0.1-seed=2",
        ]  # fmt: skip
        assert experiments[0].parameters == {"lr": 0.001, "seed": 1}
        assert stages == ("train", "eval")
        assert logs_of(experiments[0], hydra) == {
            "train": ["lr=1e-3/seed=1/train.stdout"],
            "eval": ["lr=1e-3/seed=1/eval.stdout"],
        }

    def test_a_group_names_the_experiment(self, hydra: Path) -> None:
        """`experiment` is the name and no parameter."""
        experiments = found(hydra, r"(?P<experiment>lr=.*/seed=.*)/train\.stdout")
        assert experiments["lr=0.1-seed=1"].parameters == {}

    @pytest.mark.parametrize(
        ("path", "names", "name"),
        [
            ("a/b.log", r".*\.log", "a-b"),
            ("a/lr0.5", r".*", "a-lr0.5"),
            ("train/b.log", r"(?P<stage>\w+)/.*", "b"),
            ("b_train.log", r".*_(?P<stage>\w+)\.log", "b"),
            ("x.1.train.out", r".*\.(?P<stage>\w+)\.out", "x.1"),
        ],
    )
    def test_without_that_group_the_path_is_the_name(
        self, tmp_path: Path, path: str, names: str, name: str
    ) -> None:
        """The file's suffix and the stage are left out."""
        put(tmp_path / path)
        assert list(found(tmp_path, names)) == [name]

    def test_a_file_name_that_all_share_says_nothing(self, tmp_path: Path) -> None:
        """Then the folder is the name."""
        put(tmp_path / "a/stdout")
        put(tmp_path / "b/stdout")
        assert list(found(tmp_path, ".*/stdout")) == ["a", "b"]

    def test_a_pattern_that_matches_no_file_is_refused(self, hydra: Path) -> None:
        """The message says how many files there are, and shows one of their paths."""
        said = refused(hydra, r"lr=(?P<lr>[^/]+)\.log")
        assert "none of the 12 files" in said
        assert "such as 'lr=0.1/seed=1/eval.stdout'" in said

    def test_a_pattern_must_match_the_whole_path(self, hydra: Path) -> None:
        """A pattern for train.stdout does not take in train.stdout.gz or old/train.stdout."""
        put(hydra / "old/lr=7/seed=1/train.stdout")
        put(hydra / "lr=7/seed=1/train.stdout.gz")
        experiments = found(hydra, r"lr=(?P<lr>[^/]+)/seed=(?P<seed>\d+)/train\.stdout")
        assert {experiment.parameters["lr"] for experiment in experiments.values()} == {0.1, 0.001}

    def test_a_log_that_cannot_be_read_has_its_row(self, tmp_path: Path) -> None:
        """What the pattern names is an experiment, whatever is wrong with the file."""
        put(tmp_path / "lr1.txt", "")
        (tmp_path / "lr2.txt").symlink_to("nowhere")
        experiments = found(tmp_path, r"lr(?P<lr>\d)\.txt")
        assert {one.parameters["lr"]: one.problem for one in experiments.values()} == {
            1: "empty log", 2: "cannot be read: No such file or directory",
        }  # fmt: skip

    def test_two_experiments_of_one_name_are_refused(self, hydra: Path) -> None:
        """Both places are named."""
        said = refused(hydra, r"lr=(?P<lr>[^/]+)/(?P<experiment>seed=\d+)/train.stdout")
        assert "two experiments have one name, 'seed=1'" in said
        assert "lr=1e-3/seed=1" in said
        assert "lr=0.1/seed=1" in said
        said = refused(hydra, r"lr=(?P<lr>[^/]+)/(?P<experiment>s)eed=1/(?P<stage>\w+).stdout")
        assert "two experiments have one name, 's'" in said

    def test_one_name_with_other_parameters_is_refused(self, tmp_path: Path) -> None:
        """A train.log of one learning rate and a test.log of another are not one experiment."""
        put(tmp_path / "lr1/train.log")
        put(tmp_path / "lr2/test.log")
        said = refused(tmp_path, r"(?P<experiment>lr)(?P<lr>\d)/(?P<stage>\w+)\.log")
        assert "lr is '1' in" in said
        assert "'2' in" in said


class TestRefusals:
    """What cannot be used is said in one sentence."""

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        assert "there is no folder" in refused(tmp_path / "nowhere")

    def test_a_folder_that_the_command_line_made_a_number(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`--config logs=007` arrives as 7; `logs=./007` is the way."""
        monkeypatch.chdir(tmp_path)
        with pytest.raises(InputError, match=r"write logs=\./7 there"):
            study(7)
        put(tmp_path / "7/a/train.log")
        assert [experiment.name for experiment in study(7).experiments] == ["a"]

    def test_a_mapping_that_is_no_yaml(self) -> None:
        r"""In YAML's double quotes `\d` is an error: Snakemake takes all of it for a text."""
        with pytest.raises(InputError, match="in single quotes"):
            study('{folder: runs, names: "\\d"}')

    def test_a_file(self, tmp_path: Path) -> None:
        assert "is a file, expected a folder" in refused(put(tmp_path / "some.log"))

    def test_folders_that_may_not_be_listed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One experiment's is a row that says so; the named folder's own is the end."""
        put(tmp_path / "lr_1/train.log")
        put(tmp_path / "lr_2/train.log")
        original = os.scandir

        def guarded(path: str) -> object:
            if path.endswith(closed):
                raise PermissionError(13, "Permission denied", path)
            return original(path)

        monkeypatch.setattr(os, "scandir", guarded)
        closed = "lr_2"
        experiments = found(tmp_path)
        assert experiments["lr_1"].problem == ""
        assert experiments["lr_2"].problem == "cannot be read: Permission denied"
        assert experiments["lr_2"].parameters == {"lr": 2}
        closed = tmp_path.name
        assert "cannot be read: Permission denied" in refused(tmp_path)

    def test_a_whole_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Somebody who names / by mistake need not wait for ever."""
        for number in range(4):
            put(tmp_path / f"lr_{number}/train.log")
        monkeypatch.setattr("sweepmake.elsewhere.files._MOST_FILES", 7)
        assert "more than 7 files" in refused(tmp_path)
        monkeypatch.setattr("sweepmake.elsewhere.files._MOST_FILES", 8)
        assert len(found(tmp_path)) == 4

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        assert "there is no file in the folder" in refused(tmp_path)

    def test_a_folder_without_logs(self, tmp_path: Path) -> None:
        """What was looked for is said."""
        put(tmp_path / "a/model.pt")
        put(tmp_path / "a/notes.txt")
        said = refused(tmp_path)
        assert "none of its 2 files is one of log.<stage>.<time>" in said
        assert "names" in said

    def test_two_experiments_of_one_name(self, tmp_path: Path) -> None:
        put(tmp_path / "lr_1.log")
        put(tmp_path / "lr_1.out")
        said = refused(tmp_path)
        assert "two experiments have one name, 'lr_1'" in said
        assert "tell them apart with a group (?P<experiment>…) in `names`" in said

    @pytest.mark.parametrize("names", ["(", "(?P<1>a)", "[", "a{99999999999}", 5, ["a"], ""])
    def test_a_pattern_that_is_none(self, names: object, tmp_path: Path) -> None:
        """The config's file and line are named where it stands in one."""
        path = put(tmp_path / "config.yaml", "title: a\nlogs: {folder: a, names: x}\n")
        with pytest.raises(InputError, match="'logs', 'names': ") as caught:
            read_config({"logs": {"folder": "a", "names": names}}, [str(path)])
        assert (caught.value.file, caught.value.line) == (str(path), 2)

    def test_results_do_not_go_among_the_logs(self, tmp_path: Path) -> None:
        """Neither the folder of all results nor one experiment's may lie there."""
        put(tmp_path / "runs/a/train.log")
        put(tmp_path / "runs/runs/train.log")
        for results in (tmp_path / "runs", tmp_path / "runs/results", tmp_path):
            with pytest.raises(InputError, match="nothing is written there"):
                study(str(tmp_path / "runs"), results=str(results))
        assert study(str(tmp_path / "runs"), results=str(tmp_path / "results")).experiments


class TestStudy:
    """From the configuration to the study."""

    def test_a_folder_alone_or_among_options(self, tmp_path: Path) -> None:
        """Both spellings mean the same; the options stay apart from what says which logs."""
        put(tmp_path / "my runs/a/train.log")
        folder = f"{tmp_path}/my runs"
        alone = study(f"{folder}/", results="elsewhere")
        assert (alone.source, alone.params, alone.results) == (folder, None, "elsewhere")
        assert alone.log_options == {}
        among = study({"folder": folder, "names": r"(?P<x>\w)/.*", "clean": True})
        assert among.log_options == {"clean": True}
        assert among.experiments[0].parameters == {"x": "a"}

    def test_options_without_a_folder_are_for_the_sweep(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`logs: {clean: true}` is still about our own sweep."""
        monkeypatch.chdir(tmp_path)
        put(tmp_path / "params.yaml", "template: {train: 'echo {lr}'}\n---\nlr: [1, 2]\n")
        ours = study({"clean": True})
        assert ours.params == "params.yaml"
        assert [experiment.name for experiment in ours.experiments] == ["Lr_1", "Lr_2"]
        assert ours.log_options == {"clean": True}


@pytest.fixture(autouse=True)
def _no_traces() -> Iterator[None]:
    """The data of the tests are as they were."""
    before = state_of(MLRUNNER)
    yield
    assert state_of(MLRUNNER) == before


def test_names_that_never_end_are_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are matched in the process that the user waits for."""
    monkeypatch.setattr("sweepmake.elsewhere.patterns._SECONDS", 1)
    (tmp_path / ("word " * 20 + "!.log")).touch()
    with pytest.raises(InputError, match="names took longer than 1 s on the 1 files in the folder"):
        find_experiments(str(tmp_path), r"(\w+ ?)*:(?P<x>.*)")
