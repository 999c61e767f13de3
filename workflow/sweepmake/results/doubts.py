"""What of the experiments' numbers is doubtful: whose they are, where ranks wrote without tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sweepmake.results.outcomes import Outcome

__all__ = ["doubtful", "doubts"]

_NAMED = 3


def doubtful(outcome: Outcome) -> str | None:
    """Return what is doubtful of an experiment, None where nothing is."""
    return "; ".join(f"{stage}: {text}" for stage, text in _warnings(outcome)) or None


def doubts(outcomes: Sequence[Outcome]) -> list[str]:
    """Return one warning for each stage that has doubtful logs, with the experiments' names."""
    found: dict[str, dict[str, str]] = {}
    for outcome in outcomes:
        for stage, text in _warnings(outcome):
            found.setdefault(stage, {}).setdefault(outcome.experiment.name, text)
    warnings = []
    for stage, names in found.items():
        listed = ", ".join(list(names)[:_NAMED]) + ", …" * (len(names) > _NAMED)
        many = f"{len(names)} experiment" + "s" * (len(names) > 1)
        warnings.append(f"logs of '{stage}', {many} ({listed}): {next(iter(names.values()))}")
    return warnings


def _warnings(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Yield (stage, warning) of an experiment's metrics.json, whatever version wrote it."""
    stages = outcome.summary.get("stages")
    for stage, found in (stages if isinstance(stages, Mapping) else {}).items():
        texts = found.get("warnings") if isinstance(found, Mapping) else None
        for text in texts if isinstance(texts, list) else ():
            if isinstance(text, str):
                yield stage, text
