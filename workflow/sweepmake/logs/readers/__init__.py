"""The readers: from one segment of text to an observation. docs/readers.md says how to add one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module

from sweepmake.logs.readers.base import Block, Observation, Part, Reader
from sweepmake.logs.readers.keras import KerasEpochs

__all__ = ["READERS", "Block", "Observation", "Part", "Reader", "make_readers"]

# Name -> (class, texts of which a segment must have one to be worth a look), in the order in which
# they are offered a segment: the strict ones first. The module has the reader's name.
_FORMATS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ultralytics": ("Ultralytics", (" all ", "G ", "mAP")),
    "keras2": ("Keras2", ("] - ", "/Unknown - ", "Epoch ")),
    "keras3": ("Keras3", ("/step", "Epoch ")),
    "keras_lines": ("KerasLines", (" - ", "Epoch ", "=]")),
    "fairseq": ("Fairseq", (" | ", " / ")),
    "hf_trainer": ("HfTrainer", ("{'",)),
    "json_lines": ("JsonLines", ("{",)),
    "megatron": ("Megatron", ("iteration",)),
    "imagenet": ("ImageNet", ("][", " * ", "Test: [")),
    "tqdm": ("Tqdm", ("<",)),
    "box_tables": ("BoxTables", ("\u2502",)),
    "rl_tables": ("RlTables", ("|",)),
    "darknet": ("Darknet", (" avg", "Region ")),
    "columns": ("Columns", ()),
    "pairs": (
        "Pairs",
        ("=", ":", "|", "poch", "tep", "ter", "ound", "pdate", "atch", "tick", "pisode", "[", "  "),
    ),
}
# texts of which a segment without a number must have one to be told to a reader
_HEADINGS: dict[str, tuple[str, ...]] = {
    "ultralytics": ("Epoch ",),
    "box_tables": ("\u2502",),
    "rl_tables": ("| ", "----"),
    "columns": ("poch", "ter ", "tep", "E ", "ound"),
    "pairs": ("est", "val", "Val", "rain"),
}
READERS = (*_FORMATS, "regex")


class _OnDemand(Reader):
    """A reader that is imported when a segment first looks like its format."""

    def __init__(self, name: str, marks: tuple[str, ...], make: Callable[[], Reader]) -> None:
        self.name = name
        self._marks = marks
        self._make = make
        self._reader: Reader | None = None

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return what the reader says, None when nothing of its format is there."""
        if self._reader is None:
            marks = self._marks or _HEADINGS.get(self.name, ())
            if not any(mark in text for mark in marks):
                return None
            self._reader = self._make()
        else:
            for mark in self._marks:
                if mark in text:
                    break
            else:
                if self._marks:
                    return None
        return self._reader.read(text)

    def heading(self, text: str) -> Sequence[Observation]:
        """Tell the reader of a segment without a number, once one of its format was there."""
        if self._reader is None:
            if not any(mark in text for mark in _HEADINGS.get(self.name, ())):
                return ()
            self._reader = self._make()
        return self._reader.heading(text)

    def read_block(self, text: str) -> Iterable[Part] | None:
        """Return what the reader says of a block; it has learned nothing before it was needed."""
        return self._reader.read_block(text) if self._reader is not None else None

    def finish(self) -> Sequence[Observation]:
        """Return what the reader held back."""
        return self._reader.finish() if self._reader is not None else ()


def make_readers(only: str | None = None, patterns: Sequence[re.Pattern[str]] = ()) -> list[Reader]:
    """Return fresh readers for one stream; those of Keras share the epoch that it is in.

    Args:
        only: the one reader to use; None for all.
        patterns: the regex reader's; with patterns and without `only`, it is the first asked.
    """
    epochs = KerasEpochs()
    readers: list[Reader] = []
    if patterns and only in (None, "regex"):
        from sweepmake.logs.readers.regex import RegexReader

        readers.append(RegexReader(patterns))
    for name, (class_name, marks) in _FORMATS.items():
        if only in (None, name):
            make = _maker(name, class_name, epochs)
            readers.append(_OnDemand(name, marks, make))
    return readers


def _maker(name: str, class_name: str, epochs: KerasEpochs) -> Callable[[], Reader]:
    def make() -> Reader:
        reader = getattr(import_module(f".{name}", __name__), class_name)
        made: Reader = reader(epochs) if name.startswith("keras") else reader()
        return made

    return make
