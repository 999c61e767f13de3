"""Why a run failed: the kind of failure, the line that decides, and what to do about it.

Evidence in this order: what the scheduler and the kernel say (time limit, memory), how the workflow
knows that the run ended, the exit code and signal, the exception of the rank that failed first,
the last lines of that rank. A message that something handled long before the end is no evidence.

Needs the standard library alone: the stage runner, which starts without any package, can ask too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweepmake.results.exceptions import (
    RECENT,
    Raised,
    find_exception,
    is_second_hand,
    without_second_hand,
)
from sweepmake.results.failure_kinds import hint_for
from sweepmake.results.failure_signs import (
    NOISE,
    SHELL,
    kind_of_end,
    kind_of_last_line,
    kind_of_library,
    kind_of_memory,
    kind_of_scheduler,
    usage_line,
)
from sweepmake.results.last_words import Ending, LastWords, own_lines, read_last_words

__all__ = ["Failure", "describe_end", "describe_run"]


@dataclass(frozen=True, slots=True)
class Failure:
    """How a run, and with it its experiment, failed.

    Attributes:
        stage: the stage that failed.
        exit_code: of its command, 128 + n for signal n; None where nobody knows.
        kind: one of KINDS.
        last_line: the line of the log that says why, else the program's last one; "" for none.
        rank: the first rank that failed; None where the log does not tell.
    """

    stage: str
    exit_code: int | None
    kind: str
    last_line: str
    rank: int | None = None

    @property
    def hint(self) -> str:
        """What to do about it, in one line."""
        return hint_for(self.kind, self.last_line)


_LAST = 20  # so many lines of a rank's end where there is no exception
_FRESH = 3  # an exception so near to the end explains a SIGKILL or SIGTERM too
_NO_PROGRAM = re.compile(
    r"unable to find the specified executable|execve\(\): .*No such file|execvp error on file"
)
_NO_EXECUTION = re.compile(r"execve\(\): .*Permission denied")
_EXECUTABLE = re.compile(r"^Executable: |execve\(\)|execvp error")
_NOT_FOUND = re.compile(r": (?:command not found|not found|No such file or directory)$|not found: ")
_DENIED = re.compile(r": Permission denied$")
_LIBRARY = re.compile(r"error while loading shared libraries|symbol lookup error")
_ABORT = re.compile(
    r"MPI_ABORT was invoked|application called MPI_Abort|MPI_Abort\(|MPI_ERRORS_ARE_FATAL|"
    r"Fatal error in (?:internal_|P)?MPI_"
)
_MPI_ERROR = re.compile(r"MPI_ERR_[A-Z]")
# 1, 10, 12: the terminal has gone, a batch system gives notice; 24: the limit of CPU time
_SIGNALS = {1: "killed", 2: "interrupted", 3: "aborted", 4: "aborted", 5: "aborted", 6: "aborted",
            7: "aborted", 8: "aborted", 9: "killed", 10: "killed", 11: "segmentation fault",
            12: "killed", 15: "killed", 24: "timeout"}  # fmt: skip


def describe_run(record: Mapping[str, object]) -> Failure | None:
    """Return how a run failed, None where it has not failed.

    Args:
        record: what the stage runner keeps in `output/<experiment>/.sweepmake/<stage>.json`: its
            `state`, `exit_code` and `log` are used, `stage`, `kind` and `reason` if they are there.
    """
    state, code = str(record.get("state", "lost")), record.get("exit_code")
    if state in ("finished", "running"):
        return None
    known = code if isinstance(code, int) else None
    if kind := record.get("kind"):
        # the stage runner itself has found it, or ended the run for it
        stage = str(record.get("stage") or "")
        return Failure(stage, known, str(kind), str(record.get("reason") or ""))
    return describe_end(str(record.get("stage") or ""), state, known, str(record.get("log") or ""))


def describe_end(
    stage: str,
    status: str,
    exit_code: int | None,
    log: str,
    summary: Mapping[str, Any] | None = None,
) -> Failure:
    """Return how a run failed.

    Args:
        stage: its stage.
        status: "failed", "interrupted" or "lost".
        exit_code: of its command, 128 + n for signal n; None where nobody knows.
        log: the path of its log, of which the last 64 KiB are read; "" for none.
        summary: what metrics.json says of this stage: where there is no log, the last lines that it
            keeps; where nothing else tells, a last loss that is no number.
    """
    words = read_last_words(log)
    if not words.ranks:
        words = _summarised(words, summary or {})
    rank, end = _first_failing(words)
    lines = _lines_of(words, rank)
    exception = find_exception(lines)
    if rank is None and words.tagged:
        rank, exception = _rank_of_exception(words, exception)
    said = [*words.launcher, *(line for own in words.ranks.values() for line in own[-RECENT:])]
    kind, line = _verdict(_Evidence(status, exit_code, end, lines, exception, said))
    if kind == "failed" and _lost_the_numbers(summary or {}):
        kind = "diverged (nan)"
    line = line or _last(lines) or _ended(said, kind) or _first(words)
    return Failure(stage, exit_code, kind, line.strip(" \t│"), rank)


def _summarised(words: LastWords, summary: Mapping[str, Any]) -> LastWords:
    """Return the last lines that the summary keeps of the ranks that died."""
    ranks = {
        int(rank): tuple(str(line) for line in entry.get("last_lines", ()))
        for rank, entry in summary.get("ranks", {}).items()
        if entry.get("died")
    }
    return LastWords(ranks, words.launcher, words.endings, len(summary.get("ranks", {})) > 1)


def _first_failing(words: LastWords) -> tuple[int | None, Ending | None]:
    """Return the first rank that the launcher says has failed; one that it stopped itself last."""
    bad = [end for end in words.endings if (end.code or end.signal) and end.rank is not None]
    stopped = [end for end in bad if end.signal == 15 or end.code == 143]
    for end in [end for end in bad if end not in stopped] + stopped:
        return end.rank, end
    return None, next((end for end in words.endings if end.code or end.signal), None)


def _lines_of(words: LastWords, rank: int | None) -> list[str]:
    """Return the program's own last lines: of one rank where that is known and has any."""
    if rank is not None and (chosen := own_lines(words.ranks.get(rank, ()))):
        return chosen
    return [line for lines in words.ranks.values() for line in own_lines(lines)[-RECENT:]]


def _rank_of_exception(words: LastWords, found: Raised | None) -> tuple[int | None, Raised | None]:
    """Return the lowest rank whose last lines hold an exception of its own, and that."""
    for rank, lines in words.ranks.items():
        own = find_exception(own_lines(lines))
        if own is not None and not is_second_hand(own.line):
            return rank, own
    return None, found


@dataclass(frozen=True, slots=True)
class _Evidence:
    """All that is known of a failure.

    Attributes:
        status, exit_code: how the run ended, as the stage runner knows it.
        end: how the rank that failed first ended, as the launcher says; None where it does not.
        lines: the program's last lines, of that rank where it is known.
        exception: the exception in them, or None.
        said: what anybody wrote near the end, the launcher and the scheduler too.
    """

    status: str
    exit_code: int | None
    end: Ending | None
    lines: list[str]
    exception: Raised | None
    said: Sequence[str]

    @property
    def signal(self) -> int:
        """The signal of which it died, 0 for none."""
        if self.end is not None and self.end.signal:
            return self.end.signal
        code = self.exit_code
        return code - 128 if code is not None and 128 < code < 160 else 0

    @property
    def last(self) -> list[str]:
        """The last lines, oldest first, without launchers' tracebacks, stacks and warnings."""
        kept = without_second_hand(self.lines[-RECENT:])
        return [line for line in kept if not NOISE.match(line)][-_LAST:]


_Verdict = tuple[str, str]
"""A kind of failure, and the line that tells it; "" where none does."""


def _verdict(evidence: _Evidence) -> _Verdict:
    """Ask the witnesses, the surest first: the first that knows decides."""
    for witness in (
        _by_scheduler,
        _by_workflow,
        _by_exit_code,
        _by_signal,
        _by_exception,
        _by_last_lines,
        _by_abort,
    ):
        if verdict := witness(evidence):
            return verdict
    if evidence.exception is not None:
        return "Python exception", evidence.exception.decides
    return "failed", ""


def _by_scheduler(evidence: _Evidence) -> _Verdict | None:
    """The scheduler, the kernel and the launcher say why they ended it, or never started it."""
    told = {kind: line for line in reversed(evidence.said) if (kind := kind_of_scheduler(line))}
    for kind in ("timeout", "out of memory", "node failure", "killed"):
        if kind in told:
            return kind, told[kind]
    if any(map(_NO_PROGRAM.search, evidence.said)):
        return "command not found", _find(evidence.said, _EXECUTABLE)
    denied = _find(evidence.said, _NO_EXECUTION)
    return ("permission", denied) if denied else None


def _by_workflow(evidence: _Evidence) -> _Verdict | None:
    """The workflow interrupted the run, or lost it."""
    return (evidence.status, "") if evidence.status in ("interrupted", "lost") else None


def _by_exit_code(evidence: _Evidence) -> _Verdict | None:
    """`timeout` ends with 124, a shell that cannot start the command with 126 or 127."""
    code = evidence.exit_code
    if code == 124:
        return "timeout", ""
    if code not in (126, 127) or evidence.end is not None:
        return None
    for kind, sign in (("permission", _DENIED), ("missing module", _LIBRARY)):
        if told := _find(evidence.lines[-_FRESH:], sign):
            return kind, told
    return "command not found", _find(evidence.lines, _NOT_FOUND)


def _by_signal(evidence: _Evidence) -> _Verdict | None:
    """A signal from outside ended it; who is out of memory may say so and be killed."""
    fresh = evidence.exception is not None and evidence.exception.after < _FRESH
    if evidence.signal not in (1, 2, 9, 10, 11, 12, 15, 24) or fresh:
        return None
    for text in reversed(evidence.lines[-_FRESH * 3 :]):
        if kind := kind_of_memory(text):
            return kind, text
    kind = _SIGNALS[evidence.signal]
    return kind, next((text for text in evidence.last if kind_of_library(text) == kind), "")


def _by_exception(evidence: _Evidence) -> _Verdict | None:
    """The exception says it, or what it came from; one of a launcher only that it has seen one."""
    found = evidence.exception
    if found is None or (not found.kind and is_second_hand(found.line)):
        return None
    if found.kind:
        return found.kind, found.decides
    if found.line.startswith("ZeroDivisionError"):
        for text in reversed(evidence.lines):
            if kind_of_last_line(text) == "diverged (nan)":
                return "diverged (nan)", found.line
    return "Python exception", found.line


def _by_last_lines(evidence: _Evidence) -> _Verdict | None:
    """The program's last lines say it, or the signal by which it ended itself."""
    last = evidence.last
    asked = (usage_line(lines, evidence.exit_code) for lines in (last, evidence.said))
    if refused := next(filter(None, asked), ""):
        return "usage error", refused
    witnesses: tuple[Callable[[str], str], ...]
    witnesses = (kind_of_last_line, kind_of_library, kind_of_end)
    for witness in witnesses:
        for text in reversed(last):
            if kind := witness(text):
                return kind, "" if SHELL.fullmatch(text) else text
    return (_SIGNALS[evidence.signal], "") if evidence.signal in _SIGNALS else None


def _by_abort(evidence: _Evidence) -> _Verdict | None:
    """Some rank called MPI_Abort."""
    told = _find(evidence.said, _ABORT)
    if not told:
        return None
    return "MPI abort", _find(evidence.said, _MPI_ERROR) or _last(evidence.lines) or told


def _find(lines: Sequence[str], sign: re.Pattern[str]) -> str:
    """Return the last of these lines that bears a sign, "" for none."""
    return next((line for line in reversed(lines) if sign.search(line)), "")


def _first(words: LastWords) -> str:
    """Return the first line that a launcher wrote which never started the program, "" for none."""
    said = words.launcher or tuple(line for lines in words.ranks.values() for line in lines)
    return next((line for line in said if re.search(r"\w", line)), "")


def _last(lines: Sequence[str]) -> str:
    """Return the last line that says more than the kind of failure does, "" for none."""
    telling = (
        line
        for line in reversed(without_second_hand(lines))
        if not SHELL.fullmatch(line) and not is_second_hand(line) and re.search(r"\w", line)
    )
    return next(telling, "")


def _ended(said: Sequence[str], kind: str) -> str:
    """Return the last line that says that a process ended so, "" for none."""
    told = (line for line in reversed(said) if kind in (kind_of_library(line), kind_of_end(line)))
    return next(told, "")


def _lost_the_numbers(summary: Mapping[str, Any]) -> bool:
    """Whether the last loss of some rank is not a number any more."""
    for entry in summary.get("ranks", {}).values():
        for name, value in entry.get("last", {}).items():
            if "loss" in name.lower() and value in ("nan", "inf"):
                return True
    return False
