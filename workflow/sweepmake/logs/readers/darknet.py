"""darknet: a line per batch, and lines of its layers.

    Region Avg IOU: 0.625000, Class: 0.375000, Obj: 0.250000, No Obj: 0.250000, count: 8
    12: 800.500000, 900.250000 avg, 0.001000 rate, 3.500000 seconds, 768 images
    12: 800.500000, 900.250000 avg loss, 0.001000 rate, 3.500000 seconds, 768 images, 1.2 hours left

The layers' lines stand in front of their batch, several to each; they give no row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sweepmake.logs.readers.base import NUMBER, Observation, Reader

__all__ = ["Darknet"]

_LINE = re.compile(
    rf"\s*(\d{{1,12}}): ({NUMBER}), ({NUMBER}) avg(?: loss)?, ({NUMBER}) rate, ({NUMBER}) seconds, "
    r"(\d+) images(?:,.*)?",
    re.ASCII,
)
_LAYER = re.compile(r"(?:Region|v3 \()[^:]{0,60}Avg", re.ASCII)


class Darknet(Reader):
    """Reads the lines of batches."""

    name = "darknet"

    def read(self, text: str) -> Sequence[Observation] | Observation | None:
        """Return the batch's loss, its running mean, rate and time."""
        match = _LINE.fullmatch(text)
        if match:
            step, loss, mean, rate, time, images = match.groups()
            values = {"loss": loss, "avg": mean, "rate": rate, "seconds": time, "images": images}
            return Observation(values, step=step)
        if _LAYER.match(text) and "IOU" in text:
            return Observation({}, kind="place")
        return None
