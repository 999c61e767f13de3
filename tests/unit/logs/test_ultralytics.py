"""Ultralytics' tables."""

from __future__ import annotations

from sweepmake.logs.readers.ultralytics import Ultralytics

HEADER = "      Epoch    GPU_mem   box_loss   cls_loss  Instances       Size"
ROW = "       1/50      3.25G      1.250     2.5000         31        640: "


def test_rows_redraw_and_the_evaluation_of_all_classes_joins() -> None:
    """Losses are progress of their epoch; `all` gives val_; single classes give nothing."""
    reader = Ultralytics()
    assert reader.read(ROW + "50%|# | 20/40 [00:05<00:05,  4.00it/s]") is None  # no header yet
    reader.heading(HEADER)
    seen = reader.read(ROW + "50%|# | 20/40 [00:05<00:05,  4.00it/s]")
    assert (seen.epoch, seen.step, seen.steps_per_epoch, seen.eta_s) == ("1", "20", "40", "5")
    assert (seen.values, seen.total_epochs) == ({"box_loss": "1.250", "cls_loss": "2.5000"}, 50)
    reader.read(
        "   Class     Images  Instances      Box(P          R      mAP50  mAP50-95): 100%|#| 5/5"
    )
    found = reader.read(
        "     all         80        320      0.625       0.50     0.5625      0.375"
    )
    assert found.values["val_P"] == "0.625"
    assert found.values["val_mAP50-95"] == "0.375"
    assert "val_Instances" not in found.values
    assert (
        reader.read("   person         40        120      0.625       0.50     0.5625      0.375")
        is None
    )


def test_boxes_and_masks_stay_apart() -> None:
    """Two groups of one name have their group in front."""
    reader = Ultralytics()
    reader.read(
        "   Class     Images  Instances      Box(P          R  mAP50)     Mask(P          R  mAP50)"
    )
    values = reader.read("  all  80  320  0.1 0.2 0.3  0.4 0.5 0.6").values
    assert (values["val_Box P"], values["val_Mask P"]) == ("0.1", "0.4")
