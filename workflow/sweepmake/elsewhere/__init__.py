"""Logs that Sweepmake did not make: which experiments a folder holds, found by looking only."""

from sweepmake.elsewhere.find import find_experiments, keep_out

__all__ = ["find_experiments", "keep_out"]
