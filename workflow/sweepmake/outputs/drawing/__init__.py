"""The figures: one PDF per experiment with every rank, and one that compares all experiments.

Only the modules in here import matplotlib.
"""

__all__ = ["FORMAT_VERSION"]

FORMAT_VERSION = 1
"""Raised when a figure changes, so that the workflow draws the existing ones again."""
