"""Why an experiment failed: the kind of failure and the line that tells most, for the tables.

Evidence in this order: what the scheduler and the kernel say (time limit, memory), how the workflow
knows that the run ended, the exit code and signal, the exception of the rank that failed first,
the last lines of that rank. A message that something handled long before the end is no evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweepmake.results.last_words import Ending, LastWords, own_lines, read_last_words
from sweepmake.results.outcomes import Outcome, StageOutcome

__all__ = ["KINDS", "Failure", "describe_failure"]

KINDS = (
    "out of GPU memory",
    "out of memory",
    "diverged (nan)",
    "timeout",
    "killed",
    "segmentation fault",
    "aborted",
    "Python exception",
    "command not found",
    "file not found",
    "disk full",
    "MPI abort",
    "interrupted",
    "lost",
    "failed",
)
"""All kinds of failure. "aborted": the program ended itself by a signal, as C++ does on errors."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How an experiment failed.

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


# so many lines of a rank's end count as evidence; redraws of a progress bar are lines
_RECENT = 60
_LAST = 20  # so many of them where there is no exception
_FRESH = 3  # an exception so near to the end explains a SIGKILL or SIGTERM too
_MEMORY = re.compile(
    r"(?<!\w)oom[-_ ]kill|task[s ][\d,\- \[\]]*: Out Of Memory|Out of memory: Kill",
    re.IGNORECASE,
)
_TIME = re.compile(r"DUE TO TIME LIMIT|PBS: job killed: (?:walltime|cput)|TERM_RUNLIMIT")
# kind → what tells it in an exception or a last line; the first that matches counts
_SIGNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("out of memory", re.compile(
        r"DefaultCPUAllocator|by allocator (?:cpu|mklcpu)|Unable to allocate .* for an array|"
        r"^(?:\w+\.)*(?:Array)?MemoryError\b|std::bad_alloc|Cannot allocate memory|"
        r"(?:insufficient|out of) shared memory|(?<!\w)Out of memory: Kill")),
    ("out of GPU memory", re.compile(
        r"(?:CUDA|HIP|XPU|GPU|MPS backend) (?:error: )?out of memory|_ERROR_OUT_OF_MEMORY|"
        r"cuda(?:ErrorMemoryAllocation|Malloc failed)|hipErrorOutOfMemory|"
        r"CU(?:BLAS|DNN|SPARSE|SOLVER)_STATUS_ALLOC_FAILED|cuda runtime error \(2\)|"
        r"torch\.(?:cuda\.)?OutOfMemoryError|\bOOM when allocating|RESOURCE_EXHAUSTED|"
        r"ResourceExhausted|Resource exhausted: ", re.IGNORECASE)),
    ("disk full", re.compile(
        r"No space left on device|Disk quota exceeded|PytorchStreamWriter failed writing|"
        r"inline_container\.cc.*unexpected pos \d+ vs")),
    ("diverged (nan)", re.compile(
        r"\b(?:loss|gradients?|grad_norm|weights?|activations?|training)\b.{0,80}"
        r"(?:\bnans?\b|\binf(?:inite|inity)?\b|non-?finite|not finite|explod|diverg)|"
        r"(?:\bnans?\b|\binfinite\b|non-?finite|not finite).{0,80}\b(?:loss|gradients?|weights?)\b|"
        r"Minimum loss scale reached", re.IGNORECASE)),
    ("interrupted", re.compile(r"^KeyboardInterrupt\b")),
    ("file not found", re.compile(
        r"^(?:\w+\.)*(?:FileNotFoundError|FileNotFoundException)\b|"
        r"^(?!(?:\w+\.)*ImportError\b)(?!.*cannot open shared object file).*"
        r"(?:No such file or directory|can't open file )")),
)  # fmt: skip
# in last lines only: an exception may quote them
_ENDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("command not found", re.compile(r": (?:command not found|Permission denied)$|: not found$")),
    ("segmentation fault", re.compile(r"Segmentation fault|\bSIGSEGV\b")),
    ("killed", re.compile(r"^Killed$|: +\d+ Killed\b|\bSIGKILL\b|is killed by signal: Killed")),
    ("aborted", re.compile(
        r"^Aborted\b|: +\d+ (?:Aborted|Bus error)|\bSIG(?:ABRT|BUS|FPE|ILL)\b|"
        r"^terminate called |^Fatal Python error")),
)  # fmt: skip
_NO_PROGRAM = re.compile(
    r"unable to find the specified executable|execve\(\): .*No such file|execvp error on file"
)
_EXECUTABLE = re.compile(r"^Executable: |execve\(\)|execvp error")
# what the shell says of a child, and nothing more
_SHELL = re.compile(
    r"(?:Killed|Terminated|Aborted|Bus error|Segmentation fault)(?: \(core dumped\))?"
)
_ABORT = re.compile(r"MPI_ABORT was invoked|application called MPI_Abort|MPI_Abort\(")
_SIGNALS = {2: "interrupted", 4: "aborted", 6: "aborted", 7: "aborted", 8: "aborted", 9: "killed",
            11: "segmentation fault", 15: "killed"}  # fmt: skip
_TRACEBACK = re.compile(r"Traceback \(most recent call last\)")
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?::(?: .*)?)?$")
_SURELY = re.compile(
    r"(?:[A-Za-z_]\w*\.)*(?:[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Exhausted)|MisconfigurationException)\b"
)
# what launchers that are Python programs raise once a rank has failed
_SECOND_HAND = re.compile(
    r"(?:\w+\.)*(?:ChildFailedError|CalledProcessError|ProcessExitedException)\b|"
    r"RuntimeError: Horovod detected"
)
_CHAINED = re.compile(r"the above exception", re.IGNORECASE)


def describe_failure(outcome: Outcome) -> Failure | None:
    """Return how an experiment failed, None where it did not.

    Args:
        outcome: the experiment. Of its failed stage's log the last 64 KiB are read; where there is
            no log, the last lines of its summary.
    """
    stage = outcome.failed_stage
    if stage is None:
        return None
    summary = outcome.summary.get("stages", {}).get(stage.stage, {})
    words = read_last_words(stage.log)
    if not words.ranks:
        words = _summarised(words, summary)
    rank, end = _first_failing(words)
    lines = _lines_of(words, rank)
    exception = _exception(lines[-_RECENT:], words.tagged)
    if rank is None and words.tagged:
        rank, exception = _rank_of_exception(words, exception)
    said = [*words.launcher, *(line for own in words.ranks.values() for line in own[-_RECENT:])]
    kind, line = _verdict(_Evidence(stage, end, lines, exception, said))
    if kind == "failed" and _lost_the_numbers(summary):
        kind = "diverged (nan)"
    return Failure(
        stage.stage, stage.exit_code, kind, (line or _last(lines) or _first(words)).strip(), rank
    )


@dataclass(frozen=True, slots=True)
class _Exception:
    """An exception: its last line, those it came from, how many lines follow it."""

    line: str
    earlier: tuple[str, ...]
    after: int


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
    return [line for lines in words.ranks.values() for line in own_lines(lines)[-_RECENT:]]


def _rank_of_exception(
    words: LastWords, found: _Exception | None
) -> tuple[int | None, _Exception | None]:
    """Return the lowest rank whose last lines hold an exception of its own, and that."""
    for rank, lines in words.ranks.items():
        own = _exception(own_lines(lines)[-_RECENT:], words.tagged)
        if own is not None and not _SECOND_HAND.match(own.line):
            return rank, own
    return None, found


def _exception(lines: Sequence[str], tagged: bool) -> _Exception | None:
    """Return the last exception of these lines, but for those that only report another one."""
    found: list[tuple[int, str]] = []
    chained: list[int] = []
    for at, line in enumerate(lines):
        if _TRACEBACK.search(line):
            end = _end_of_traceback(lines, at + 1)
            if end is not None:
                found.append((end, lines[end]))
        elif _CHAINED.search(line):
            chained.append(at)
        elif line.startswith(("SyntaxError: ", "IndentationError: ", "TabError: ")):
            found.append((at, line))
    first_hand = [one for one in found if not _SECOND_HAND.match(one[1])]
    if not found:
        return None
    at, line = (first_hand or found)[-1]
    earlier = []
    for before, text in reversed(found):
        if before < at and any(before < place < at for place in chained):
            earlier.append(text)
    return _Exception(line, tuple(earlier), len(lines) - 1 - at)


def _end_of_traceback(lines: Sequence[str], begin: int) -> int | None:
    """Return where a traceback names its exception: its first line that is not indented.

    Where ranks without tags have written into each other, the first that surely is one.
    """
    for at in range(begin, min(begin + _RECENT, len(lines))):
        if not lines[at].startswith((" ", "\t", "│", "|", "╰", "❱")):
            if _EXCEPTION.match(lines[at]):
                return at
            break
    for at in range(begin, min(begin + _RECENT, len(lines))):
        if _SURELY.match(lines[at]):
            return at
    return None


@dataclass(frozen=True, slots=True)
class _Evidence:
    """All that is known of a failure.

    Attributes:
        stage: how the stage ended, as the stage runner knows it.
        end: how the rank that failed first ended, as the launcher says; None where it does not.
        lines: the program's last lines, of that rank where it is known.
        exception: the exception in them, or None.
        said: what anybody wrote near the end, the launcher and the scheduler too.
    """

    stage: StageOutcome
    end: Ending | None
    lines: Sequence[str]
    exception: _Exception | None
    said: Sequence[str]

    @property
    def signal(self) -> int:
        """The signal of which it died, 0 for none."""
        if self.end is not None and self.end.signal:
            return self.end.signal
        code = self.stage.exit_code
        return code - 128 if code is not None and 128 < code < 160 else 0


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
    return "failed", ""


def _by_scheduler(evidence: _Evidence) -> _Verdict | None:
    """The scheduler, the kernel and the launcher say why they ended it, or never started it."""
    for kind, sign in (("timeout", _TIME), ("out of memory", _MEMORY)):
        if told := _find(evidence.said, sign):
            return kind, told
    if any(map(_NO_PROGRAM.search, evidence.said)):
        return "command not found", _find(evidence.said, _EXECUTABLE)
    return None


def _by_workflow(evidence: _Evidence) -> _Verdict | None:
    """The workflow interrupted the run, or lost it."""
    status = evidence.stage.status
    return (status, "") if status in ("interrupted", "lost") else None


def _by_exit_code(evidence: _Evidence) -> _Verdict | None:
    """`timeout` ends with 124, a shell that cannot start the command with 126 or 127."""
    code = evidence.stage.exit_code
    if code == 124:
        return "timeout", ""
    if code in (126, 127) and evidence.end is None:
        return "command not found", _find(evidence.lines, _ENDS[0][1])
    return None


def _by_signal(evidence: _Evidence) -> _Verdict | None:
    """A signal from outside ended it; who is out of memory may say so and be killed."""
    fresh = evidence.exception is not None and evidence.exception.after < _FRESH
    if evidence.signal not in (2, 9, 11, 15) or fresh:
        return None
    for text in reversed(evidence.lines[-_FRESH * 3 :]):
        if kind := _told(text, _SIGNS[:2]):
            return kind, text
    return _SIGNALS[evidence.signal], ""


def _by_exception(evidence: _Evidence) -> _Verdict | None:
    """The exception says it, or one of those that it came from."""
    found = evidence.exception
    if found is None:
        return None
    kinds = (_told(text, _SIGNS) for text in (found.line, *found.earlier))
    return next(filter(None, kinds), "Python exception"), found.line


def _by_last_lines(evidence: _Evidence) -> _Verdict | None:
    """The program's last lines say it, or the signal by which it ended itself."""
    for signs in (_SIGNS, _ENDS):
        for text in reversed(evidence.lines[-_LAST:]):
            if kind := _told(text, signs):
                return kind, "" if _SHELL.fullmatch(text) else text
    return (_SIGNALS[evidence.signal], "") if evidence.signal in _SIGNALS else None


def _by_abort(evidence: _Evidence) -> _Verdict | None:
    """Some rank called MPI_Abort."""
    told = _find(evidence.said, _ABORT)
    return ("MPI abort", _last(evidence.lines) or told) if told else None


def _told(text: str, signs: Iterable[tuple[str, re.Pattern[str]]]) -> str:
    """Return the first kind whose sign a text bears, "" for none."""
    return next((kind for kind, sign in signs if sign.search(text)), "")


def _find(lines: Sequence[str], sign: re.Pattern[str]) -> str:
    """Return the last of these lines that bears a sign, "" for none."""
    return next((line for line in reversed(lines) if sign.search(line)), "")


def _first(words: LastWords) -> str:
    """Return the first line that a launcher wrote which never started the program, "" for none."""
    said = words.launcher or tuple(line for lines in words.ranks.values() for line in lines)
    return next((line for line in said if re.search(r"\w", line)), "")


def _last(lines: Sequence[str]) -> str:
    """Return the last line that says more than the kind of failure does, "" for none."""
    telling = (line for line in reversed(lines) if not _SHELL.fullmatch(line))
    return next(telling, lines[-1] if lines else "")


def _lost_the_numbers(summary: Mapping[str, Any]) -> bool:
    """Whether the last loss of some rank is not a number any more."""
    for entry in summary.get("ranks", {}).values():
        for name, value in entry.get("last", {}).items():
            if "loss" in name.lower() and value in ("nan", "inf"):
                return True
    return False
