"""Logs that Sweepmake did not make: which experiments a folder holds, found by looking only."""

from sweepmake.foreign.find import find_cases, keep_out

__all__ = ["find_cases", "keep_out"]
