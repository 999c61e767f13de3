"""From the logs of an experiment's stages to history.csv.gz and metrics.json, streaming."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sweepmake.errors import InputError
from sweepmake.logs import FORMAT_VERSION
from sweepmake.logs.attempts import join_attempts
from sweepmake.logs.demux.recognition import Verdict
from sweepmake.logs.demux.streams import Account, Demultiplexer, StreamId, read_blocks
from sweepmake.logs.history_file import write_history
from sweepmake.logs.joining import join_streams
from sweepmake.logs.options import LogOptions, read_with
from sweepmake.logs.readers import make_readers
from sweepmake.logs.reading import StreamReader
from sweepmake.logs.rows import RowStream, Spool
from sweepmake.logs.summary import Json, StageSummary, describe_stage, flat_keys
from sweepmake.logs.tally import Tally
from sweepmake.logs.wizard_results import result_rows
from sweepmake.patience import Patience, TooSlowError
from sweepmake.replacing import replacing

if TYPE_CHECKING:
    from sweepmake.logs.clean import CleanLog
    from sweepmake.logs.extract import MetricSearch
    from sweepmake.params.metrics import MetricPattern

__all__ = ["FORMAT_VERSION", "LogOptions", "ParsedLogs", "StageLogs", "parse_logs"]

# so many are taken apart before the ranks' parts are read: the more at once, the faster
_BLOCKS = 4
_ORDER = ("stdout", "output", "stddiag", "stderr")


class StageLogs(NamedTuple):
    """One stage's logs.

    Args:
        stage: its name.
        files: its attempts, oldest first; an attempt's number is its place from 1.
        whole: whether the last one is known to have ended with exit code 0. Else a number at its
            very end may be a part of one.
    """

    stage: str
    files: tuple[Path, ...]
    whole: bool = False


class ParsedLogs(NamedTuple):
    """What was written, and how much of it.

    Args:
        history: history.csv.gz.
        metrics: metrics.json.
        rows: rows of the history.
        columns: its metric columns.
        user_metrics: the user's own metrics, as in metrics.json (see docs/readers.md).
        warnings: what of the logs is doubtful, each with its stage.
    """

    history: Path
    metrics: Path
    rows: int
    columns: tuple[str, ...]
    user_metrics: Mapping[str, Json] = {}
    warnings: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """What to tell the user: metrics without a match or a number, and what is doubtful."""
        return [f"warning: {text}" for text in self.warnings] + [
            f"metric '{name}': {entry['note']}"
            + f" in stage '{entry['stage']}'" * bool(entry["stage"])
            for name, entry in self.user_metrics.items()
            if isinstance(entry, dict) and entry["note"]
        ]


class _Stage:
    """One stage while its logs are read."""

    def __init__(
        self,
        logs: StageLogs,
        output: Path,
        spool: Spool,
        options: LogOptions,
        search: MetricSearch | None,
    ) -> None:
        self.logs = logs
        self.tallies: dict[int, Tally] = {}
        self.accounts: dict[int, Account] = {}
        self.rows: list[tuple[int, int, RowStream]] = []
        self.launcher: str | None = None
        self.verdict: Verdict | None = None
        self.warnings: list[str] = []
        self.search = search
        self._output = output
        self._spool = spool
        self._options = options
        self._patterns = options.patterns()
        self._patience: AbstractContextManager[None] = nullcontext()

    def read(self) -> None:
        """Read every attempt's log.

        Raises:
            InputError: one cannot be read, or an expression of the user's takes too long on it.
        """
        for attempt, path in enumerate(self.logs.files, 1):
            with _named(path, self._options):
                self._read(attempt, path)
        self.rows = join_attempts(self.rows, self._spool, self.tallies)

    def _read(self, attempt: int, path: Path) -> None:
        """Read one attempt's log."""
        patience = _patience(self._options)
        self._patience = patience or nullcontext()
        for tally in self.tallies.values():
            tally.begin_attempt()
        clean = self._clean_log(attempt)
        demultiplexer = Demultiplexer(self._options.launcher, events=clean is not None)
        readers: dict[StreamId, StreamReader] = {}
        for count, block in enumerate(read_blocks(path), 1):
            if patience is not None:
                patience.grant(len(block))
            with self._patience:
                demultiplexer.feed(block)
            if count % _BLOCKS == 0:
                self._take(demultiplexer, readers, clean)
        with self._patience:
            demultiplexer.close()
        self._take(demultiplexer, readers, clean)
        if clean is not None:
            clean.close()
        last = attempt == len(self.logs.files)
        self._close(attempt, readers, whole=last and self.logs.whole)
        if self.search is not None:
            self.search.close(path.name)
        self.warnings += [f"{path.name}: {text}" for text in demultiplexer.warnings]
        self._end(demultiplexer)

    def _end(self, demultiplexer: Demultiplexer) -> None:
        """Note what the launcher said of the ranks of an attempt."""
        self.launcher = demultiplexer.launcher.title
        self.verdict = demultiplexer.verdict
        for rank, account in demultiplexer.account.items():
            if rank >= 0:
                self._account(rank, account)
        for end in demultiplexer.exits:
            if end.rank in self.tallies and (end.code or end.signal):
                self.tallies[end.rank].failed = True

    def _clean_log(self, attempt: int) -> CleanLog | None:
        """Return where the cleaned log of an attempt goes, None if it is not wanted."""
        options = self._options
        if not (options.clean or options.per_rank):
            return None
        from sweepmake.logs.clean import CleanLog

        name = f"{self.logs.stage}.{attempt}"
        folder = self._output / f"ranks.{name}" if options.per_rank else None
        return CleanLog(self._output / f"clean.{name}.log", per_rank=folder)

    def _take(
        self,
        demultiplexer: Demultiplexer,
        readers: dict[StreamId, StreamReader],
        clean: CleanLog | None,
    ) -> None:
        for stream, data in demultiplexer.take().items():
            if stream.rank < 0:
                continue
            reader = readers.get(stream)
            if reader is None:
                offered = make_readers(self._options.reader, self._patterns)
                rows = RowStream(self._spool, Tally())
                reader = readers[stream] = StreamReader(rows, offered)
            with self._patience:
                reader.feed(data)
            if self.search is not None:
                self.search.feed(stream, data)
        if clean is not None:
            clean.speaker = demultiplexer.launcher.speaker
            clean.write(demultiplexer.take_events())

    def _close(self, attempt: int, readers: dict[StreamId, StreamReader], *, whole: bool) -> None:
        order = {name: at for at, name in enumerate(_ORDER)}
        ranks: dict[int, list[RowStream]] = {}
        for stream in sorted(readers, key=lambda one: (one.rank, order.get(one.name, 9), one.name)):
            with self._patience:
                readers[stream].close(whole=whole)
            rows = ranks.setdefault(stream.rank, [])
            tally = self.tallies.setdefault(stream.rank, Tally())
            tally.add_stream(readers[stream].rows.tally)
            if readers[stream].rows.rows:
                rows.append(readers[stream].rows)
        for rank, rows in ranks.items():
            tally = self.tallies[rank]
            tally.restarts += max((one.tally.restarts for one in rows), default=0)
            for one in join_streams(rows, self._spool):
                tally.add_rows(one.tally)
                self.rows.append((attempt, rank, one))

    def _account(self, rank: int, found: Account) -> None:
        """Add one attempt's account to the rank's."""
        found.unparsed = self.tallies[rank].counts.unparsed if rank in self.tallies else 0
        before = self.accounts.get(rank)
        if before is not None:
            for name in ("bytes", "lines", "joined", "ambiguous", "lost", "tag_bytes"):
                setattr(found, name, getattr(found, name) + getattr(before, name))
        self.accounts[rank] = found

    def summary(self) -> StageSummary:
        """Return what was found."""
        counts: dict[str, int] = {}
        for tally in self.tallies.values():
            for name, count in tally.readers.items():
                counts[name] = counts.get(name, 0) + count
        most = max(sorted(counts), key=lambda name: counts[name]) if counts else None
        accounts: dict[int, Json] = {
            rank: dict(vars(account)) for rank, account in self.accounts.items()
        }
        files = tuple(path.name for path in self.logs.files)
        found = StageSummary(self.logs.stage, files, self.launcher, most, self.tallies, accounts)
        if self.verdict is None:
            return found
        _, sure, why = self.verdict
        return found._replace(evidence=why, confidence=sure, warnings=tuple(self.warnings))


def parse_logs(
    stages: Sequence[StageLogs],
    output: Path,
    *,
    options: LogOptions | None = None,
    metrics: Sequence[MetricPattern] = (),
) -> ParsedLogs:
    """Read the logs; write history.csv.gz, metrics.json and what the options ask for.

    Args:
        stages: the stages in their order, each with its attempts' logs.
        output: the folder; made if it is not there. Files are replaced in one step.
        options: launcher, reader, cleaned logs, Excel.
        metrics: the user's own metrics, to be read out of the logs too.

    Raises:
        InputError: a log that cannot be read, an option or a pattern that cannot be used.
    """
    options = options or LogOptions()
    options.check()
    output.mkdir(parents=True, exist_ok=True)
    spool = Spool(output)
    try:
        found = []
        with _collector_at_rest():
            for logs in stages:
                stage = _Stage(
                    logs,
                    output,
                    spool,
                    options,
                    _search(logs.stage, metrics, options.pattern_time_s),
                )
                stage.read()
                found.append(stage)
        rows = [
            (stage.logs.stage, attempt, rank, stream)
            for stage in found
            for attempt, rank, stream in sorted(stage.rows, key=lambda one: one[:2])
            if stream.rows
        ]
        history = output / "history.csv.gz"
        columns = write_history(history, rows)
        summary = output / "metrics.json"
        user_metrics = _user_metrics(found, metrics)
        _write_json(summary, _summary(found, user_metrics, read_with(options, metrics)))
    finally:
        spool.close()
    if options.excel:
        from sweepmake.logs.excel import write_excel

        write_excel(history, summary, output / "history.xlsx")
    count = sum(stream.rows for *_, stream in rows)
    warnings = [f"stage '{one.logs.stage}': {text}" for one in found for text in one.warnings]
    return ParsedLogs(history, summary, count, tuple(columns), user_metrics, tuple(warnings))


def _search(stage: str, metrics: Sequence[MetricPattern], seconds: int) -> MetricSearch | None:
    """Return what searches a stage's logs, None where no metric is asked for."""
    wanted = [metric for metric in metrics if metric.stage in ("", stage)]
    if not wanted:
        return None
    from sweepmake.logs.extract import MetricSearch

    return MetricSearch(wanted, seconds=seconds)


def _patience(options: LogOptions) -> Patience | None:
    """Return the time that the user's patterns have for one log, None where there are none."""
    if not options.pattern and "(?P<" not in (options.launcher or ""):
        return None
    return Patience(options.pattern_time_s)


@contextmanager
def _named(log: Path, options: LogOptions) -> Iterator[None]:
    """Name log, pattern and time where a pattern of the user's takes too long."""
    try:
        yield
    except TooSlowError as late:
        patterns = [late.pattern] if late.pattern else [*options.pattern, options.launcher or ""]
        shown = " or ".join(f"'{one}'" for one in patterns if one)
        raise InputError(
            f"{log}: the log pattern {shown} took longer than {options.pattern_time_s} s",
            hint="nested repeats, such as (a+)+, take forever: rewrite it, or give it more time "
            "with logs: {pattern_time_s: …}",
        ) from late


def _user_metrics(found: Sequence[_Stage], metrics: Sequence[MetricPattern]) -> dict[str, Json]:
    """Return what was found of the user's metrics, by their names."""
    if not metrics:
        return {}
    from sweepmake.logs.extract import user_metrics

    stages = {one.logs.stage: one.search.found if one.search else {} for one in found}
    return user_metrics(metrics, stages)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep Python's cycle collector from walking the rows again and again: they make no cycles."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _summary(
    found: Sequence[_Stage], user_metrics: dict[str, Json], how: dict[str, Json]
) -> dict[str, Json]:
    """Return metrics.json's content."""
    summaries = [stage.summary() for stage in found]
    content: dict[str, Json] = flat_keys(summaries)
    content["format_version"] = FORMAT_VERSION
    content["read_with"] = how
    if user_metrics:
        content["measured"] = user_metrics
    content["stages"] = {one.stage: describe_stage(one) for one in summaries}
    shown = next((s for s in found if any(stream.rows for *_, stream in s.rows)), None)
    streams = [(rank, stream) for _, rank, stream in shown.rows] if shown else []
    content.update(result_rows(streams))
    return content


def _write_json(path: Path, content: dict[str, Json]) -> None:
    """Write strict JSON, replacing the file in one step."""
    with replacing(path) as partial, partial.open("w", encoding="utf-8") as file:
        file.writelines(_lines(content))


def _lines(content: dict[str, Json]) -> Iterable[str]:
    """Yield the JSON, one key per line: small to read, and results stay on one line per rank."""
    yield "{\n"
    for at, (key, value) in enumerate(content.items()):
        yield (",\n" if at else "") + json.dumps(key) + ": "
        if key in ("results", "stages") and isinstance(value, dict):
            inner = (f"{json.dumps(k)}: {json.dumps(v, allow_nan=False)}" for k, v in value.items())
            yield "{\n " + ",\n ".join(inner) + "\n}"
        else:
            yield json.dumps(value, allow_nan=False)
    yield "\n}\n"
