"""The course of one invocation: planned, started, ended; what is done and said at each point.

`sweepmake.snakemake_internals` calls it at these points, in Snakemake's main process only. It knows
nothing of Snakemake but what is handed to it.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sweepmake.errors import SweepmakeError
from sweepmake.invocation import adoption, gpus_in_use, session
from sweepmake.invocation.folders import SweepClaims
from sweepmake.invocation.gpus_in_use import Look
from sweepmake.invocation.left_locks import clear_locks, note_locks
from sweepmake.invocation.markers import check_targets, check_writable, forget_missing
from sweepmake.invocation.signals import Stop
from sweepmake.outputs.writing import WORKFLOW
from sweepmake.runs.claims import this_process
from sweepmake.runs.gpus import choose_slots

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence

    from sweepmake.plan import Plan
    from sweepmake.results.study import Study
    from sweepmake.runs.gpus import Slots

__all__ = ["Asked", "Course", "Engine", "Sweep"]

_RESULTS = "results"
_STAGES = "stages"
_WORKBOOK = "build_workbook"
_MAKERS = frozenset({"read_logs", "plot_ranks", _WORKBOOK, "plot_comparison"})
_PROGRAMS = frozenset(f"{rule}.py" for rule in (*_MAKERS, "build_results"))
_NOTES = Path(".snakemake")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user has asked Snakemake for.

    Attributes:
        targets: rules and files; none for the default target.
        forced: rules and files of --forcerun, and the targets under --force.
        everything: whether --forceall was given.
        dry: whether nothing is to be executed (-n).
        local: whether the runs are executed on this machine, not by a cluster.
        gpu: G of `--resources gpu=G`, None where it was not given.
        cores: how many cores may be used here.
    """

    targets: frozenset[str] = frozenset()
    forced: frozenset[str] = frozenset()
    everything: bool = False
    dry: bool = False
    local: bool = True
    gpu: int | None = None
    cores: int = 1


class Engine(Protocol):
    """What the course has Snakemake do."""

    def offer(self, resource: str, amount: int) -> None:
        """Let so many units of a resource be in use at a time."""

    def hide_job_events(self, rules: Collection[str], stages: Collection[str]) -> bool:
        """Keep its own report of our rules' jobs off a plain terminal; False without such one."""

    def lift_rate_limit(self) -> None:
        """Let it start as many jobs a second as it can."""

    def start_no_more(self) -> None:
        """Let it start no more jobs, and end when the living ones have."""

    def locks(self) -> Sequence[str]:
        """Return the paths of the locks that it has made for this invocation."""


@dataclass(slots=True)
class Sweep:
    """A sweep, or a folder of logs made elsewhere, as a reading of the Snakefile found it.

    Attributes:
        study: the experiments, and how their results are made.
        plan: the runs; None for logs that were made elsewhere.
        config: the whole configuration, as JSON.
        results: the command that makes all results from what is there, less --cores.
        rules: name of a rule in the workflow → its name in rules/.
        stages: name of a rule in the workflow → the stage that it runs.
        claims: those on its folders.
        slots: the slots of this machine, once they are chosen.
        to_run: the names in rules/ of the rules that have jobs to run, once they are known.
        failed: how many runs have failed in this invocation, retries and all.
    """

    study: Study
    plan: Plan | None
    config: str
    results: list[str]
    rules: dict[str, str]
    stages: dict[str, str]
    claims: SweepClaims = field(init=False)
    slots: Slots | None = None
    to_run: frozenset[str] = frozenset()
    failed: int = 0

    def __post_init__(self) -> None:
        self.claims = SweepClaims(self.output, self.study.results)

    @property
    def output(self) -> str | None:
        """The folder of its experiments; None for logs that were made elsewhere."""
        return self.plan.config.output if self.plan else None

    @property
    def is_run(self) -> bool:
        """Whether jobs of a sweep of ours are to run.

        `results` and logs that were made elsewhere need no GPU, and may be read beside a sweep.
        """
        return bool(self.plan and self.to_run - {_RESULTS})

    def note(self, jobs: Mapping[str, int]) -> None:
        """Take note of which of its rules have jobs to run."""
        self.to_run = frozenset(own for name, own in self.rules.items() if jobs.get(name))

    def owns(self, target: str) -> bool:
        """Return whether a target is one of this sweep's rules or files."""
        folders = [self.study.results, self.output]
        return target in self.rules or any(
            Path(target).is_relative_to(folder) for folder in folders if folder
        )

    def is_run_by(self, target: str) -> bool:
        """Return whether a target of this sweep asks for runs of stages and for nothing else."""
        return (
            target in self.stages
            or self.rules.get(target) == _STAGES
            or bool(self.output and Path(target).is_relative_to(self.output))
        )


class Course:
    """One invocation, from its planning to its last words, for all sweeps that it has.

    Args:
        environment: where the stage runners of this invocation are told what they need to know.
            Without slots there, they do nothing.
    """

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self._environment = environment
        self._holder = this_process("snakemake", environment)
        self._sweeps: list[Sweep] = []
        self._asked = Asked()
        self._stop = Stop()
        self._began = time.time()
        # nothing that another invocation has left there may be taken for this one's
        environment.pop("SWEEPMAKE_SLOTS", None)

    @property
    def stops_jobs(self) -> bool:
        """Whether a signal that ends this process, Ctrl-C too, is passed on to its jobs."""
        return self._stop.is_watching

    @property
    def is_stopping(self) -> bool:
        """Whether a signal has asked for the end."""
        return bool(self._stop.caught)

    def add(self, sweep: Sweep) -> None:
        """Take note of a sweep; of one only, however often `use rule` reads the Snakefile.

        Raises:
            SweepmakeError: another sweep of this workflow has one of its folders.
        """
        for known in self._sweeps:
            if known.config == sweep.config:
                known.rules.update(sweep.rules)
                known.stages.update(sweep.stages)
                return
            _part(known, sweep)
        self._sweeps.append(sweep)
        forget_missing(sweep.study)

    def planned(self, asked: Asked, engine: Engine) -> None:
        """Before Snakemake looks for jobs, and before it locks anything: claim what may be made.

        Raises:
            SweepmakeError: another workflow is at work on the folders, or a target cannot be had by
                its name.
        """
        self._asked = asked
        self._began = time.time()
        for sweep in self._sweeps:
            sweep.to_run, sweep.slots = frozenset(), None
            check_targets(sweep.study, sorted(asked.targets | asked.forced))
            if not asked.dry and not _only_results(sweep, asked):
                self._claim(sweep, engine)
            if sweep.plan and not _only_results(sweep, asked):
                self._adopt(sweep, sweep.plan)
        if not asked.dry:
            known = [folder for sweep in self._sweeps for folder in sweep.claims.known]
            clear_locks(_NOTES, known, self._sources())

    def previewed(self, jobs: Mapping[str, int]) -> None:
        """In a dry run, once the jobs are known: refuse what could not be started.

        Raises:
            SweepmakeError: the sweeps have different slots.
        """
        told: dict[str, str] = {}
        for sweep in self._sweeps:
            sweep.note(jobs)
            if sweep.is_run and sweep.plan:
                slots = self._find_slots(sweep.plan)
                _join(told, session.environment(slots, (), debug=False))

    def failed(self, rule: str, engine: Engine) -> None:
        """A job has failed, and is not tried again: start no more runs where that is hopeless."""
        for sweep in self._sweeps:
            if rule not in sweep.stages or not sweep.plan:
                continue
            sweep.failed += 1
            most = sweep.plan.config.max_failures
            if sweep.failed == most:
                engine.start_no_more()
                session.say(
                    f"max_failures: {most} {'run has' if most == 1 else 'runs have'} failed, so no "
                    "more are started; those that run go on to their end"
                )

    def started(self, jobs: Mapping[str, int], engine: Engine) -> None:
        """Before the first job: prepare the runs, greet the user.

        Args:
            jobs: rule → how many jobs of it are to run.
            engine: Snakemake.

        Raises:
            SweepmakeError: the results cannot be written, or a stage can never start.
        """
        plain = True
        if self._asked.local:
            ours = {name for sweep in self._sweeps for name in sweep.rules}
            stages = {name for sweep in self._sweeps for name in sweep.stages}
            plain = engine.hide_job_events(ours, stages)
        told: dict[str, str] = {}
        for sweep, plan, slots in self._running(jobs, engine):
            look = Look([], {})
            if self._asked.local:
                look = gpus_in_use.look(slots, avoid=plan.config.busy_gpus == "avoid")
            _join(told, self._begin(sweep, plan, slots, engine, quiet=not plain) | look.told)
            where = slots.describe() if self._asked.local else "the cluster's"
            count = sum(jobs.get(name, 0) for name in sweep.stages)
            session.say("\n".join([session.welcome(plan, where, count), *look.lines]))
        if told:
            session.export(told, self._environment)
        if self._asked.local:
            self._stop.watch(_PROGRAMS)
        self._environment["SWEEPMAKE_COMMAND"] = session.command_line(sys.argv)
        self._environment[WORKFLOW] = f"workflow {self._holder.pid} {self._began}"

    def ended(self) -> None:
        """After the last job: say what became of every run, make what results there can be."""
        self._stop.interrupt()
        for sweep in self._sweeps:
            if sweep.is_run and sweep.plan:
                session.say(session.outcome(sweep.plan, self._began))
            if _WORKBOOK in sweep.to_run and not self._is_made(sweep, "experiments.done"):
                # its rule did not run, because experiments failed that it was to show
                self._make_results(sweep)
            sweep.claims.release()
        self._stop.done()

    def _make_results(self, sweep: Sweep) -> None:
        """Make the results; not where this process may be given a few seconds only."""
        if self._stop.is_urgent:
            session.say(session.no_results(sys.argv))
        else:
            session.make_results([*sweep.results, "--cores", str(self._asked.cores)])

    def locked(self) -> str | None:
        """Return what is said where Snakemake finds locks; None where that is not ours to say."""
        if not self._sweeps:
            return None
        for sweep in self._sweeps:
            try:
                sweep.claims.require(run=True, make=True)
            except SweepmakeError as error:
                return f"error: {error}"
        return (
            "error: a lock of another workflow in this folder is on files that this command needs: "
            "wait for its end. If it was killed, and no Snakemake is at work here any more, remove "
            "the lock (snakemake --unlock) and type the same command again"
        )

    def _claim(self, sweep: Sweep, engine: Engine) -> None:
        """Claim the folders of a sweep, and offer its slots."""
        sweep.claims.take(self._holder)
        targets = self._asked.targets
        if not targets or any(map(sweep.owns, targets)):
            make = not targets or not all(map(sweep.is_run_by, targets))
            sweep.claims.require(run=True, make=make)
        if sweep.plan:
            self._choose_slots(sweep, sweep.plan, engine)

    def _find_slots(self, plan: Plan) -> Slots:
        virtual = self._asked.gpu or self._asked.cores
        return choose_slots(
            plan.slots, self._environment, output=plan.config.output, virtual=virtual
        )

    def _choose_slots(self, sweep: Sweep, plan: Plan, engine: Engine) -> Slots:
        """Choose the slots of this machine."""
        slots = self._find_slots(plan)
        sweep.slots = slots
        # elsewhere the cluster's scheduler has the GPUs, and knows how many there are
        if self._asked.local:
            engine.lift_rate_limit()
        if self._asked.local and self._asked.gpu is None:
            # never less than one stage takes: Snakemake would lower what the stage asks for
            most = max(stage.gpu for stage in plan.sweep.stages)
            engine.offer("gpu", max(len(slots.ids), most))
        return slots

    def _sources(self) -> set[str]:
        """Return what the sweeps' jobs read beside their folders, and their programs' names."""
        sources = set(_PROGRAMS)
        for study in (sweep.study for sweep in self._sweeps):
            sources |= {study.params} if study.params else set()
            sources |= {
                log for one in study.experiments for logs in one.logs.values() for log in logs
            }
        return sources

    def _adopt(self, sweep: Sweep, plan: Plan) -> None:
        """Let Snakemake find finished what mlrunner has finished; a dry run writes nothing."""
        asked = self._asked
        if asked.dry:
            forced = session.forced_runs(
                everything=asked.everything, names=asked.forced, stages=sweep.stages
            )
            adoption.assume(plan, forced)
        elif not sweep.claims.has_output:
            return  # another workflow has the folder, and has adopted what there is
        else:
            adoption.adopt(plan)
        for line in adoption.messages(plan, dry=asked.dry):
            session.say(line)

    def _running(
        self, jobs: Mapping[str, int], engine: Engine
    ) -> Iterator[tuple[Sweep, Plan, Slots]]:
        """Yield the sweeps that have runs or what follows them to do; let go of the others."""
        for sweep in self._sweeps:
            sweep.note(jobs)
            if sweep.to_run & (_MAKERS | {_RESULTS}):
                check_writable("results", sweep.study.results)
            if sweep.is_run and sweep.plan:
                check_writable("output", sweep.plan.config.output)
            make = bool(sweep.to_run & _MAKERS)
            sweep.claims.settle(self._holder, run=sweep.is_run, make=make)
        held = [folder for sweep in self._sweeps for folder in sweep.claims.held]
        note_locks(_NOTES, held, engine.locks())
        for sweep in self._sweeps:
            if sweep.is_run and sweep.plan:
                slots = sweep.slots or self._choose_slots(sweep, sweep.plan, engine)
                yield sweep, sweep.plan, slots

    def _begin(
        self, sweep: Sweep, plan: Plan, slots: Slots, engine: Engine, *, quiet: bool
    ) -> dict[str, str]:
        """Return what the stage runners of one sweep are told."""
        asked = self._asked
        if asked.local:
            session.import_ahead()
            if warning := session.check_slots(plan, slots, asked.gpu):
                session.say(f"warning: {warning}")
                engine.offer("gpu", len(slots.ids))
        forced = session.forced_runs(
            everything=asked.everything, names=asked.forced, stages=sweep.stages
        )
        session.save_params(plan)
        config = plan.config
        return session.environment(
            slots, forced, debug=config.debug, quiet=quiet, grace_s=config.grace
        )

    def _is_made(self, sweep: Sweep, marker: str) -> bool:
        """Return whether this invocation has made what a marker stands for."""
        path = Path(sweep.study.marker(marker))
        return path.exists() and path.stat().st_mtime >= self._began


def _only_results(sweep: Sweep, asked: Asked) -> bool:
    """Return whether all that is asked for is the results of what is there now."""
    names = asked.targets | asked.forced
    return bool(asked.targets) and all(sweep.rules.get(name) == _RESULTS for name in names)


def _part(one: Sweep, other: Sweep) -> None:
    """Raise SweepmakeError where two sweeps of one workflow would work in one folder."""
    for key, mine, yours in (
        ("output", one.output, other.output),
        ("results", one.study.results, other.study.results),
    ):
        if mine and yours and Path(mine).resolve() == Path(yours).resolve():
            raise SweepmakeError(
                f"two sweeps of one workflow have the {key} folder '{yours}': "
                "set 'output' and 'results' in each one's config"
            )


def _join(told: dict[str, str], more: Mapping[str, str]) -> None:
    """Add what the runners of one more sweep are told to what they are told already.

    Raises:
        SweepmakeError: the two have different slots; all runs of a workflow share one environment.
    """
    slots = "SWEEPMAKE_SLOTS"
    if told and told[slots] != more[slots]:
        raise SweepmakeError(
            "the sweeps of one workflow share its GPU slots, and these differ: "
            f"{told[slots].split(';')} and {more[slots].split(';')}: give both the same 'resource' "
            "or 'gpus', or run them as two workflows"
        )
    forced = "SWEEPMAKE_FORCE"
    both = "\n".join(sorted({*told.get(forced, "").split("\n"), *more[forced].split("\n")} - {""}))
    told.update({**more, **told, forced: both})
