"""Lines of names and numbers, as loops of one's own print them.

    [2026-11-21 18:07:16,800][train][INFO] - epoch 1 step 10/40 | loss 1.28837 | acc 43.75%
    Train Epoch: 1 [640/6400 (10%)] Loss: 2.125000
    Epoch: [0]  [10/20]  eta: 0:00:10  lr: 0.000010  loss: 6.2500 (6.3750)  class_error: 85.0 (87)
    Iter 1: loss=348.4970, lr=0.009997, test_acc=0.5999, best_acc=0.5999, duration=0:00:08
    [0]     train-rmse:9.50000      test-rmse:9.75000
    Test set: Average loss: 0.5625, Accuracy: 850/1000 (85%)

The grammar of such lines is in `grammar/`: a logger's prefix, places (epoch, step, …), fields, and
phases. A line counts when it says where training is, or when it holds nothing but pairs and one of
them is a result by its name. Names stay as printed; an evaluation's get their phase in front where
it stands elsewhere in the line. Percent signs go, durations become seconds, means in brackets are
`<name>_avg`, deviations `<name>_std`.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence

from sweepmake.logs.readers.base import Observation, Part, Reader, is_number, unit_seconds
from sweepmake.logs.readers.grammar.line import Labels, Line, Value, heading_phase
from sweepmake.logs.readers.grammar.names import is_known, is_result
from sweepmake.logs.readers.grammar.phases import TRAINING, has_phase, phased
from sweepmake.logs.readers.grammar.prefix import skip_prefix
from sweepmake.logs.readers.grammar.templates import Template, learn

__all__ = ["Pairs"]

_LONGEST = 4096
_HAS_NUMBER = re.compile(r"[0-9]|nan|inf", re.IGNORECASE)
_TEMPLATES = 12  # so many forms of lines are known at once
_TRIES = 200  # so many lines without a template are looked at
_SEGMENTS = re.compile(r"[\r\n\x08]+")
_BAR = re.compile(
    r"\[[=>]|━|%\||[<?]\d*[\d:?]*, *[\d.?]+ ?(?:it/s|s/it)"
)  # another reader's, or damaged
_CALL = re.compile(r"[A-Za-z_][\w.]{0,60}\(\w{1,60}=", re.ASCII)  # Namespace(lr=0.1, …): settings
_STEPS = ("step", "iter", "batch", "update", "tick", "episode")
_TIMES = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


class Pairs(Reader):
    """Reads lines of names and numbers."""

    name = "pairs"

    def __init__(self) -> None:
        self._labels = Labels()
        self._comma = False
        self._units: dict[str, str] = {}
        self._iter_is_epoch: bool | None = None
        self._epoch = ""
        self._under: str | None = None  # the step that stood alone on its line
        self._headed = False  # an epoch stood alone on its line
        self._phase: str | None = None  # of the heading that stands above
        self._templates: list[Template] = []
        self._tries = 0
        self._once = False  # … for one line
        self._placed: set[str] = set()  # names that stood beside a place

    def heading(self, text: str) -> Sequence[Observation]:
        """Take note of a line without a number: `Test Error:`."""
        phase = heading_phase(text)
        if phase or text.strip(" -=*_#"):
            self._phase, self._once = phase, False
        return ()

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return the line's values, None when it is prose."""
        if len(text) > _LONGEST or not _HAS_NUMBER.search(text):
            return None
        seen = self._line(text)
        if seen is not None and seen.values and seen.kind == "line" and self._tries < _TRIES:
            self._learn(text, seen)
        return seen

    def read_block(self, text: str) -> Iterator[Part] | None:
        """Return what lines of known forms say; the others are left to all readers."""
        return self._parts(text) if self._templates else None

    def _parts(self, text: str) -> Iterator[Part]:
        for segment in _SEGMENTS.split(text):
            if segment:
                yield self._known(segment) or segment

    def _known(self, segment: str) -> Observation | None:
        """Return what a line of a known form says; that form is tried first the next time."""
        for at, template in enumerate(self._templates):
            seen = template.read(segment)
            if seen is not None:
                if at:
                    self._templates.insert(0, self._templates.pop(at))
                self._phase = self._under = None
                self._once = False
                self._placed.update(seen.values)
                self._epoch = seen.epoch or self._epoch
                return seen
        return None

    def _learn(self, text: str, seen: Observation) -> None:
        """Take note of a line's form."""
        self._tries += 1
        twin = copy.copy(self)
        twin._units, twin._placed = dict(self._units), set()
        template = learn(text, skip_prefix(text)[0], seen, twin._line)
        if template is not None:
            self._tries = 0
            self._templates = [template, *self._templates[: _TEMPLATES - 1]]

    def _line(self, text: str) -> Observation | None:
        """Return what a line says."""
        start, phase = skip_prefix(text)
        if _CALL.match(text, start) or _BAR.search(text):
            return None
        line = Line(text, start, phase, self._labels, self._comma)
        self._comma = line.comma
        if line.values:
            return self._with_values(line)
        return self._only_place(line) if line.places else None

    def _only_place(self, line: Line) -> Observation | None:
        """Return the place that stands alone on its line; what follows belongs to it."""
        phase = heading_phase(line.rest)
        if line.prose or line.odd or (line.rest.strip(" \t-=*#:.,|[]()>") and phase is None):
            return None
        epoch, step, total, _ = self._place(line)
        if epoch is None:
            self._under, self._phase = step, phase
            return Observation({}, kind="place")
        if not self._headed:
            self._headed = True
            self._templates.clear()  # an iteration is now one of an epoch
        self._under, self._phase = None, phase or line.phase
        seen = Observation({}, epoch, total_epochs=total if epoch != self._epoch else None)
        self._epoch = epoch
        return seen._replace(kind="place")

    def _with_values(self, line: Line) -> Observation | None:
        if not line.places:
            return self._without_place(line)
        evaluates = line.phase not in (None, TRAINING)
        epoch, step, total, steps = self._place(line)
        self._phase = None
        self._under = None
        if epoch is not None:
            self._epoch = epoch
        if evaluates and len(line.phases) == 1 and None not in (step, steps) and step != steps:
            self._phase, self._once = line.phase, True  # an evaluation that is not done yet
            return Observation({}, kind="place")
        values = self._named(line, line.phase)
        if not values:
            return None
        self._placed.update(values)
        if evaluates and epoch is not None:
            step = None
        kind = "summary" if evaluates and step is None else "line"
        return Observation(
            values,
            epoch,
            step,
            steps if epoch is not None or self._headed else None,
            eta_s=line.eta_s,
            total_epochs=total,
            kind=kind,
        )

    def _without_place(self, line: Line) -> Observation | None:
        """Return a result that stands without a place; settings and prose are none."""
        if line.prose:
            return None
        phase = line.phase or self._phase
        under = self._headed or self._under is not None or self._phase is not None
        if not any(is_result(value.name) for value in line.values) and not (
            under and all(is_known(value.name) for value in line.values)
        ):
            return None
        values = self._named(line, phase)
        if self._once:
            self._phase, self._once = None, False
        if phase is None:
            # a time beside a result is another one than the training's
            values = {k: v for k, v in values.items() if k not in self._placed or is_result(k)}
        return Observation(values, step=self._under, kind="summary") if values else None

    def _place(self, line: Line) -> tuple[str | None, str | None, int | None, str | None]:
        """Return (epoch, step, epochs asked for, steps per epoch) of a line.

        `Iter 5: …, test_acc=…` is an epoch where it is the only place and a test or validation
        result stands beside it the first time; elsewhere an iteration is a step. One log counts
        one way.
        """
        places = line.places
        epoch = places.get("epoch")
        step = next((places[key] for key in _STEPS if key in places), None)
        if epoch is None and places.keys() == {"iter"}:
            if self._iter_is_epoch is None:
                self._iter_is_epoch = any(_evaluates(value.name) for value in line.values)
            if self._iter_is_epoch:
                epoch, step = step, None
        total = epoch[1] if epoch else None
        return (
            _whole(epoch[0]) if epoch else None,
            _whole(step[0]) if step else None,
            int(total[:9]) if total else None,
            _whole(step[1]) if step and step[1] else None,
        )

    def _named(self, line: Line, phase: str | None) -> dict[str, str]:
        """Return the values under the names of their phases."""
        several = len(line.phases) > 1
        first = line.values[0]
        carried = "" if several or phase else first.word
        if carried and any(
            value.word not in ("", carried) or (has_phase(value.name) and not value.word)
            for value in line.values
        ):
            carried = ""
        values: dict[str, str] = {}
        doubtful: set[str] = set()
        for value in line.values:
            text = self._in_unit(value)
            if text is None:
                continue
            name = value.name
            if carried and not value.word and name.lower() not in ("lr", "learning rate"):
                name = f"{carried} {name}"
            else:
                own = value.phase if several or not phase else value.phase or phase
                name = phased(name, own, training=several)
            if values.setdefault(name, text) != text:
                doubtful.add(name)
            if value.number.mean is not None:
                values[f"{name}_avg"] = value.number.mean
            if value.number.deviation is not None:
                values[f"{name}_std"] = value.number.deviation
        for name in doubtful:
            del values[name]
        return values

    def _in_unit(self, value: Value) -> str | None:
        """Return a value in the unit that its name had first; None where it cannot be told."""
        text, unit = value.number.text, value.number.unit
        if text is None or not is_number(text):
            return None
        first = self._units.setdefault(value.name, unit) if unit else self._units.get(value.name)
        if not unit or unit == first or first is None:
            return text
        if unit in _TIMES and first in _TIMES:
            in_seconds = unit_seconds(text + unit)
            if in_seconds is None:
                return None
            return f"{float(in_seconds) / _TIMES[first]:.9g}"
        return None


def _evaluates(name: str) -> bool:
    return name.lower().startswith(("test", "val", "eval", "best", "dev"))


def _whole(text: str) -> str:
    if "." in text:
        return text
    return text.lstrip("0") or "0"
