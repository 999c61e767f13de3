"""What a metric's name tells."""

from __future__ import annotations

import pytest

from sweepmake.metric_names import (
    base_name,
    is_evaluation,
    is_metric,
    is_validation,
    validation_name,
)


@pytest.mark.parametrize(
    ("name", "base", "short"),
    [
        ("val_loss", "loss", "val_loss"),
        ("val_accuracy", "accuracy", "val_acc"),
        ("Eval/Acc@1", "Acc@1", "val_acc"),
        ("validation.top 5", "top 5", "val_top_5"),
        ("dev f1", "f1", "val_f1"),
        ("valid-Dice", "Dice", "val_Dice"),
        ("value_loss", "value_loss", None),
        ("eval", "eval", None),
        ("test_acc", "test_acc", None),
        ("loss", "loss", None),
    ],
)
def test_a_validation_metric_has_a_short_name(name: str, base: str, short: str | None) -> None:
    """Whatever it begins with; other metrics have none."""
    assert base_name(name) == base
    assert validation_name(name) == short
    assert is_validation(name) == (short is not None)


@pytest.mark.parametrize(
    ("name", "evaluation"),
    [
        ("val_loss", True),
        ("test_acc", True),
        ("eval", True),
        ("Test loss", True),
        ("tester", False),
    ],
)
def test_tests_and_validations_are_evaluations(name: str, evaluation: bool) -> None:
    """With a metric behind it, or the word alone."""
    assert is_evaluation(name) is evaluation


@pytest.mark.parametrize(
    ("name", "metric"), [("loss", True), ("top-5", True), ("mAP50", True), ("lr", False)]
)
def test_metrics_are_known_by_their_names(name: str, metric: bool) -> None:
    """A learning rate is none."""
    assert is_metric(name) is metric
