"""Kills sweeps at random, again and again, and checks that every promise has been kept.

`python tests/storm --kills 200 --seed 1` is the whole; `make test` runs a dozen kills of it. See
`program` for what is killed and `promises` for what is checked.
"""
