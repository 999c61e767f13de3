"""One line taken apart: its places, its values with their phases, and whether it is prose."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sweepmake.logs.readers.base import seconds
from sweepmake.logs.readers.grammar.names import Label, is_known, is_result, parse_label
from sweepmake.logs.readers.grammar.numbers import (
    TOKEN,
    Number,
    count_percent,
    has_decimal_comma,
    read_number,
)
from sweepmake.logs.readers.grammar.phases import phase_of

__all__ = ["Labels", "Line", "Value", "heading_phase"]

_MOST = 5000  # so many labels are remembered
_STEP_WORDS = re.compile(r" *(?:batch|batches|step|steps|iter|iters|iterations|it)\b", re.ASCII)
_LASTS = re.compile(r"time|elapsed|duration|eta|remain|left|took|runtime|total", re.IGNORECASE)
_SPAN = re.compile(r"elapsed|duration|eta|remain|left|took|runtime|total", re.IGNORECASE)
_LABEL = 200  # so much of the text in front of a number is its label
_TOKENS = 400  # so many numbers of a line are looked at
_POINT = re.compile(r"\d\.\d")
_REST = 4  # so many words may follow the last number of a line without a place
_BETWEEN = " \t:-,|"
# ESPnet's: `3epoch:train:1-50batch: loss=90.25`, `3epoch results: [train] loss=85.5, [valid] …`
_ESPNET = re.compile(r"(\d{1,9})epoch(?::(\w+):\d+-(\d{1,9})batch| results):", re.ASCII)


class Labels:
    """The labels of one stream: the same few stand in each of its lines."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool, bool], Label] = {}

    def get(self, text: str, begins: bool, glued: bool) -> Label:
        """Return what a label says, from memory where it was seen before."""
        key = (text, begins, glued)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            found = parse_label(text, begins=begins, glued=glued)
            self._known[key] = found
        return found


class Value:
    """A named number of a line."""

    __slots__ = ("name", "number", "phase", "word")

    def __init__(self, name: str, phase: str | None, number: Number, word: str) -> None:
        self.name = name
        self.phase = phase
        self.number = number
        self.word = word


class Line:
    """A line taken apart.

    Attributes:
        places: "epoch", "step", "iter", … -> (number as printed, total as printed or None).
        values: in their order.
        phase: the one that the line as a whole is about.
        phases: all that the line names.
        eta_s: seconds.
        prose: whether it holds text that is neither a name nor a place.
        odd: how many numbers had a name and could not be read.
        rest: the text behind the last number.
    """

    def __init__(
        self, text: str, start: int, phase: str | None, labels: Labels, comma: bool
    ) -> None:
        self.places: dict[str, tuple[str, str | None]] = {}
        self.values: list[Value] = []
        self.phase = phase
        self.phases: set[str] = {phase} if phase else set()
        self.eta_s: str | None = None
        self.prose = False
        self.odd = 0
        self.comma = comma or ("," in text and has_decimal_comma(text))
        self._text = text
        self._labels = labels
        self._brackets: list[tuple[str, str | None, bool]] = []
        self._at = self._start = start
        self._current = phase
        self._doubtful = False  # prose stood before a number
        if "epoch" in text[start + 1 : start + 14]:
            self._espnet()
        for match in self._tokens():
            self._take(match)
        self.rest = text[self._at :]
        if self.rest.count(" ") > _REST and len(self.rest.split()) > _REST:
            self.prose = True
        self._place_brackets()

    def _espnet(self) -> None:
        found = _ESPNET.match(self._text, self._start)
        if found:
            epoch, phase, step = found.groups()
            self._set_place("epoch", epoch, None)
            if step:
                self._set_place("step", step, None)
                self.phase = self._current = phase_of(phase)
            self._at = self._start = found.end()

    def _tokens(self) -> Iterator[re.Match[str]]:
        at = self._start
        for _ in range(_TOKENS):
            match = TOKEN.search(self._text, at)
            if match is None:
                return
            yield match
            at = max(match.end(), self._at)

    def _take(self, match: re.Match[str]) -> None:
        kind = match.lastgroup
        before = self._text[max(self._at, match.start() - _LABEL) : match.start()]
        if match["first"] is not None:
            self._bracket(match, before)
            return
        begins = self._at == self._start
        label = self._labels.get(before, begins, False)
        if match["number"] is not None and kind in ("number", "unit"):
            self._number(match, label, before)
        elif match["count"] is not None:
            self._count(match, label)
        else:
            self._time(match, label)

    def _open(self, label: Label) -> None:
        """Take the phase that a label opens."""
        if label.phase:
            self._current = label.phase
            self.phases.add(label.phase)
            if not self.values:
                self.phase = label.phase

    def _set_place(self, role: str, number: str, total: str | None) -> None:
        if "," in number:
            number = number.replace(",", "")
        self.places.setdefault(role, (number, total))

    def _bracket(self, match: re.Match[str], before: str) -> None:
        first, second, end = match["first"], match["second"], match.end()
        word = before.strip(_BETWEEN + "#")
        if not word:
            if not self.values or self._text[end:].strip() == "":
                epoch_pair = match["between"] == ","
                self._brackets.append((first, second, epoch_pair))
                self._at = end
            return
        phase = phase_of(word)
        if phase and not self.values:  # `Train: [0/300][10/1251]`
            self._open(Label("", phase=phase))
            self._brackets.append((first, second, match["between"] == ","))
            self._at = end
            return
        label = self._labels.get(before, self._at == self._start, True)
        if label.role not in ("", "value"):
            self._open(label)
            if label.role != "aside":
                self._set_place(label.role, first, second)
            self._at = end
        elif not self.values and label.phase and not label.prose:
            self._open(label)
            self._brackets.append((first, second, match["between"] == ","))
            self._at = end
        elif match["between"] == "/" and self.values and not self._text[end:].strip():
            self._brackets.append((first, second, False))
            self._at = end

    def _place_brackets(self) -> None:
        """Give brackets without a word their place: `[0][10/391]`, `[ 20/200]`, `[1,  500]`."""
        found = self._brackets
        if not found:
            return
        if found[0][2] and found[0][1] is not None and "epoch" not in self.places:
            self._set_place("epoch", found[0][0], None)
            self._set_place("step", found[0][1], None)
        elif len(found) > 1 and "epoch" not in self.places:
            self._set_place("epoch", found[0][0], found[0][1])
            self._set_place("step", found[1][0], found[1][1])
        elif self.places.keys().isdisjoint(("step", "iter", "batch", "update", "tick", "episode")):
            number, total, _ = found[-1]
            self._set_place("step", number, total)

    def _number(self, match: re.Match[str], label: Label, before: str) -> None:
        text = match["number"]
        if label.role == "":
            if self._at == self._start and self._leads(match, before):
                return
            # prose is judged with what follows it; a number that only lacks a name is passed over
            self._doubtful = self._doubtful or label.prose
            if not label.prose and not text[-1].isalpha() and before.strip(" \t([{"):
                self._at = match.end()
            return
        self._open(label)
        self.prose = self.prose or label.prose
        if label.role == "value":
            if not label.joint and not self._blank_joins(text, label.name):
                return
            phase = None if self.values or self.places else phase_of(label.name)
            if phase and text.isdigit() and self._text[match.end() :].lstrip()[:1] == "[":
                self._open(Label("", phase=phase))  # timm's `Train: 0 [  50/1251 (  4%)]`
                self._set_place("epoch", text, None)
                self._at = match.end()
                return
            number = read_number(self._text, match, decimal_comma=self.comma)
            self._at = number.end
            if label.name.lower() == "eta":
                self.eta_s = _in_seconds(number)
            elif number.text is None or ("," in text and self._either(label.name)):
                self.odd += 1
            else:
                self.values.append(Value(label.name, self._current, number, label.word))
            return
        self._at = match.end()
        if label.role != "aside" and text.replace(",", "").replace(".", "").isdigit():
            self._set_place(label.role, text, None)

    def _blank_joins(self, text: str, name: str) -> bool:
        """Return whether blanks alone may join a name and a number: not behind prose."""
        return not self._doubtful and (not text[-1].isalpha() or is_result(name) or is_known(name))

    def _either(self, name: str) -> bool:
        """Return whether the comma in a result may be a decimal one or stand between thousands."""
        return not self.comma and is_result(name) and not _POINT.search(self._text, self._start)

    def _leads(self, match: re.Match[str], before: str) -> bool:
        """Take a number that begins the line: `10:\\tlearn: 0.65` is a step."""
        if before.strip() or not match["number"].isdigit() or match["unit"]:
            return False
        behind = self._text[match.end() : match.end() + 2]
        if behind[:1] != ":" or behind[1:] not in ("\t", " "):
            return False
        self._brackets.append((match["number"], None, False))
        self._at = match.end() + 1
        return True

    def _count(self, match: re.Match[str], label: Label) -> None:
        """Take `10/40`: a place, a result with its counts, or nothing."""
        end = match.end()
        self._open(label)
        if label.role not in ("", "value", "aside"):
            self._set_place(label.role, match["count"], match["total"])
            self._at = end
            return
        percent = count_percent(self._text, end)
        if label.role == "value" and percent:
            number = Number(percent[0], "%", None, None, percent[1])
            self.values.append(Value(label.name, self._current, number, label.word))
            self._at = percent[1]
            return
        words = _STEP_WORDS.match(self._text, end)
        if label.role == "" and words:
            self._set_place("step", match["count"], match["total"])
            self._at = words.end()
            return
        if label.role == "value":
            self.odd += 1
        if not label.prose:
            self._at = end

    def _time(self, match: re.Match[str], label: Label) -> None:
        """Take a duration; a clock's time is none."""
        self._open(label)
        if match["minutes"] is not None:
            number = seconds(f"{match['minutes']}:{match['seconds']}")
            clock = False
        else:
            text = (match["days"] or "") + match["clock"]
            number = seconds(text)
            clock = match["days"] is None and text.count(":") == 2 and text.find(":") == 2
        name = label.name
        if label.role == "value":
            self.prose = self.prose or label.prose
            self._at = match.end()
            if name.lower() == "eta":
                self.eta_s = number
            elif number is not None and (_SPAN if clock else _LASTS).search(name):
                value = Number(number, "s", None, None, match.end())
                self.values.append(Value(name, self._current, value, label.word))
        elif label.role:
            self._at = match.end()


def _in_seconds(number: Number) -> str | None:
    if number.text is None:
        return None
    return seconds(number.text + (number.unit or "s"))


def heading_phase(text: str) -> str | None:
    """Return the phase of a heading without numbers: `Test Error:`, `***** eval metrics *****`."""
    words = text.strip(" *-=#:[]()>,").split()
    return phase_of(words[0].strip("[]():")) if 0 < len(words) <= 4 else None
