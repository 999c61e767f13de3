"""What becomes of each stage that mlrunner finished in one experiment's folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sweepmake.elsewhere.mlrunner import Left, Script, log_time, read_script
from sweepmake.errors import InputError
from sweepmake.params.shell_words import difference, split_words
from sweepmake.plan import Plan
from sweepmake.runs.records import read_record, read_small

__all__ = ["Judged", "judge"]

SAME = "mlrunner's run, of the same command"
SAME_BUT_SKIPPED = "mlrunner's run; its command is that of a later start, which skipped it"
ON_WORD = "mlrunner's run, kept on the user's word though its command was another"


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of one experiment's runs.

    Attributes:
        found: stage → the record of a finished run that is to be adopted.
        reason: why nothing may start in its folder, or "".
        again: the stages that were adopted, have another command now, and are to run again.
        adopted: whether any of its runs is mlrunner's.
    """

    found: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    reason: str = ""
    again: tuple[str, ...] = ()
    adopted: bool = False


def judge(plan: Plan, name: str, left: Left) -> Judged:
    """Return what becomes of the runs that mlrunner finished in an experiment's folder.

    Stages are looked at in their order, also those not selected now, because a run builds on the
    one before it. After the first one that does not count, none does.
    """
    return _Judge(plan, name, left).decide()


class _Judge:
    def __init__(self, plan: Plan, name: str, left: Left) -> None:
        self._plan = plan
        self._name = name
        self._left = left
        self._word = plan.config.mlrunner
        self._found: dict[str, dict[str, object]] = {}
        self._again: list[str] = []
        self._done: set[str] = set()
        self._adopted = False
        self._upstream = ""  # the id of the run before
        self._newest = 0.0  # when the newest of the runs before began
        self._ended = 0.0  # when the last of them ended

    def decide(self) -> Judged:
        reason = ""
        selected = self._plan.experiments[self._name].stages
        for stage in (one.name for one in self._plan.sweep.stages):
            try:
                today = self._plan.command(self._name, stage)
            except InputError:
                continue  # a stage that is not selected, of a parameter that there is not
            record = read_record(f"{self._plan.records(self._name)}/{stage}.json")
            if record is not None:
                problem = self._recorded(stage, record, "{_time}".join(today))
            elif self._left.states.get(stage) == "finished":
                problem = self._finished(stage, "{_time}".join(today))
            else:
                continue
            if problem:
                reason = problem if self._word == "match" else ""
                break
        if all(stage in self._done for stage in selected):
            reason = ""
        return Judged(self._found, reason, tuple(self._again), self._adopted)

    def _recorded(self, stage: str, record: dict[str, object], today: str) -> str:
        """Take note of a run that has a record; return what is wrong with one that was adopted."""
        self._adopted |= "adopted" in record
        then = str(record.get("fingerprint"))
        if "adopted" in record and then != today:
            words, new_words = split_words(then), split_words(today)
            if words != new_words and self._word != "keep":
                if self._word == "again":
                    self._again.append(stage)
                return _differs(stage, difference(words, new_words))
            self._found[stage] = {**record, "fingerprint": today}
        marker = self._plan.marker(self._name, stage)
        if Path(marker).exists():
            self._done.add(stage)
            self._upstream = read_small(marker) or self._upstream
        started, ended = record.get("started"), record.get("ended")
        self._newest = max(self._newest, started if isinstance(started, int | float) else 0.0)
        self._ended = max(self._ended, ended if isinstance(ended, int | float) else 0.0)
        return ""

    def _finished(self, stage: str, today: str) -> str:
        """Adopt a run that mlrunner finished; return why not, where its command is another."""
        log = self._left.logs.get(stage, "")
        script = read_script(stage, self._left.param.scripts.get(stage, ""))
        problem = self._compare(stage, script)
        if problem and self._word != "keep":
            return problem
        began = log_time(log) or (script and log_time(script.log)) or 0.0
        if began < self._newest:
            return ""  # the stage before it ran again afterwards: so does this one
        how = ON_WORD if problem else SAME
        if script and script.log != log and not problem:
            how = SAME_BUT_SKIPPED
        self._adopt(stage, today, script, began, how)
        return ""

    def _compare(self, stage: str, script: Script | None) -> str:
        """Return what differs between mlrunner's command and today's, or ""."""
        if script is None:
            why = self._left.param.problem or f"'param' does not tell the command of '{stage}'"
            return f"mlrunner finished '{stage}', but {why}"
        name = script.output.rpartition("/")[2]
        pieces = self._plan.command(self._name, stage, name=name, output=script.output)
        then, now = split_words(script.command), split_words(script.time.join(pieces))
        return "" if then == now else _differs(stage, difference(then, now))

    def _adopt(self, stage: str, today: str, script: Script | None, began: float, how: str) -> None:
        """Make the record that the stage runner would have made, as far as mlrunner's files tell.

        A log's name tells when mlrunner was started, not the stage: nobody knows how long it took.
        """
        plan, left = self._plan, self._left
        log = f"{left.folder}/{left.logs[stage]}" if stage in left.logs else ""
        ended = Path(log or f"{left.folder}/stat").stat().st_mtime
        self._ended = max(self._ended, ended)
        number = plan.experiments[self._name]
        gpu = next(one.gpu for one in plan.sweep.stages if one.name == stage)
        self._found[stage] = {
            "id": f"{script.time if script else began}-mlrunner-{stage}",
            "experiment": number.name,
            "stage": stage,
            "state": "finished",
            "attempt": 1,
            "after": self._upstream,
            "started": began or self._ended,
            "ended": self._ended,
            "wall_time_s": None,
            "cpu_time_s": None,
            "max_memory_mb": None,
            "exit_code": 0,
            "host": "",
            "pid": None,
            "gpu": gpu,
            "slot": script.devices if script else "",
            "directory": "",
            "commit": "",
            "log": log,
            "command": script.command if script else "",
            "fingerprint": today,
            "adopted": how,
        }
        self._adopted = True
        self._done.add(stage)
        self._upstream = str(self._found[stage]["id"])
        self._newest = max(self._newest, began)


def _differs(stage: str, words: tuple[str, str]) -> str:
    then, now = words
    if not then or not now:
        return f"'{stage}' ran with{'' if then else 'out'} '{then or now}'"
    return f"'{stage}' ran with '{then}', which is '{now}' now"
