"""Stable-Baselines' tables."""

from __future__ import annotations

from sweepmake.logs.readers.rl_tables import RlTables

RULE = "-" * 34


def test_a_table_counts_when_it_is_whole() -> None:
    """Sections stand in front of names, timesteps are the step; without its rule there is none."""
    reader = RlTables()
    assert list(reader.heading(RULE)) == []
    reader.heading("| rollout/           |           |")
    reader.read("|    ep_rew_mean     | 20.25     |")
    reader.heading("| time/              |           |")
    reader.read("|    total_timesteps | 2048      |")
    assert list(reader.finish()) == []
    (seen,) = reader.heading(RULE)
    assert (seen.step, seen.values) == ("2048", {"rollout/ep_rew_mean": "20.25"})


def test_other_lines_between_rules_are_left_alone() -> None:
    """`| epoch 1 | loss 0.5 |` is no row of a table."""
    reader = RlTables()
    reader.heading(RULE)
    assert reader.read("| epoch 1 | loss 0.5 |") is None
    assert reader.read("| loss | 0.5 |") is None
