"""Ludwig's tables."""

from __future__ import annotations

from sweepmake.logs.readers.box_tables import BoxTables


def test_rows_are_phases_and_features_stay_apart() -> None:
    """A row's phase stands in front; a second feature's name too."""
    reader = BoxTables()
    assert reader.read("│ train    │ 1.2500 │     0.5000 │") is None
    reader.heading("│ label    │   loss │   accuracy │")
    assert reader.read("│ train    │ 1.2500 │     0.5000 │").values == {
        "train_loss": "1.2500",
        "train_accuracy": "0.5000",
    }
    assert reader.read("│ vali     │ 1.3750 │     0.4500 │").values["val_loss"] == "1.3750"
    assert reader.read("│ train    │ 1.2500 │") is None
    reader.heading("│ combined │   loss │")
    assert reader.read("│ train    │ 2.2500 │").values == {"train_combined_loss": "2.2500"}
