"""Ultralytics (YOLOv5 to YOLO11): a table per epoch, its row redrawn by a bar.

          Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size
           1/50      3.25G      1.250     2.5000      1.125         31        640: 100%|###| 40/40 [00:10<00:00,  4.00it/s]
                     Class     Images  Instances      Box(P          R      mAP50  mAP50-95): 100%|###| 5/5 [00:01<00:00]
                       all         80        320      0.625       0.50     0.5625      0.375

The row of all classes belongs to the epoch's last step, under `val_`; those of single classes, the
memory, and how many instances the last batch had are no metrics.
"""  # noqa: E501

from __future__ import annotations

import re
from collections.abc import Sequence

from sweepmake.logs.readers.base import Observation, Reader, is_number, seconds

__all__ = ["Ultralytics"]

_ROW = re.compile(
    r"\s*(\d{1,9})/(\d{1,9})\s+([\d.]+[KMGT]B?)((?:\s+\S+){2,20}?)\s*:\s+\d{1,3}%[^\[]*?\s"
    r"(\d{1,12})/(\d{1,12}) ?\[([\d:.]+)<([\d:?]+)[^\]]*\]?.*",
    re.ASCII,
)
_CLASSES = re.compile(r"\s*Class\s+Images\s+(.*?)(?::\s+\d{1,3}%.*)?", re.ASCII)
_NO_METRICS = frozenset({"instances", "size", "labels", "img_size", "targets", "images"})


class Ultralytics(Reader):
    """Reads the rows under `Epoch GPU_mem …` and `Class Images …`."""

    name = "ultralytics"

    def __init__(self) -> None:
        self._columns: list[str] = []
        self._classes: list[str] = []

    def heading(self, text: str) -> Sequence[Observation]:
        """Take note of the training's header."""
        words = text.split()
        if len(words) > 3 and words[0] == "Epoch" and words[1].lower() == "gpu_mem":
            self._columns = words[2:]
        return ()

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return the row of an epoch or of all classes."""
        found = _CLASSES.fullmatch(text)
        if found:
            self._classes = _class_columns(found[1].split())
            return Observation({}, kind="place")
        if self._classes and text.lstrip().startswith("all "):
            return self._all(text.split()[2:])
        return self._row(text) if self._columns else None

    def _row(self, text: str) -> Observation | None:
        match = _ROW.fullmatch(text)
        if not match:
            return None
        epoch, total, _, cells, step, steps, _, left = match.groups()
        texts = cells.split()
        if len(texts) != len(self._columns):
            return None
        values = {
            name: cell
            for name, cell in zip(self._columns, texts, strict=True)
            if is_number(cell) and name.lower() not in _NO_METRICS
        }
        return Observation(
            values, epoch, step, steps, seconds(left), None, int(total), kind="progress"
        )

    def _all(self, texts: list[str]) -> Observation | None:
        if len(texts) != len(self._classes) or not all(map(is_number, texts)):
            return None
        pairs = zip(self._classes, texts, strict=True)
        values = {f"val_{name}": text for name, text in pairs if name.lower() not in _NO_METRICS}
        return Observation(values, kind="summary")


def _class_columns(words: list[str]) -> list[str]:
    """Return the columns behind `Images`; of several groups (`Box(`, `Mask(`) with their names."""
    several = sum("(" in word for word in words) > 1
    columns, group = [], ""
    for word in words:
        before, opened, name = word.rpartition("(")
        if opened:
            group = f"{before} " if several else ""
        columns.append(group + name.rstrip(")"))
    return columns
