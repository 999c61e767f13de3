"""darknet's lines."""

from __future__ import annotations

from sweepmake.logs.readers.darknet import Darknet


def test_a_batch_is_a_row_and_its_layers_are_none() -> None:
    """The step, the loss, its mean and the rate; the lines of layers are known and give no row."""
    reader = Darknet()
    line = "12: 800.5, 900.25 avg loss, 0.001 rate, 3.5 seconds, 768 images, 1.2 hours left"
    seen = reader.read(line)
    assert (seen.step, seen.values["loss"], seen.values["avg"]) == ("12", "800.5", "900.25")
    layer = reader.read("Region 82 Avg IOU: 0.62, Class: 0.37, Obj: 0.25, No Obj: 0.25,  count: 8")
    assert (layer.kind, layer.values) == ("place", {})
    assert reader.read("12: 800.5, 900.25 avg") is None
