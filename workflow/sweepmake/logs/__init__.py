"""From raw logs of distributed runs to what each rank logged."""

__all__ = ["FORMAT_VERSION"]

FORMAT_VERSION = 3
"""Raised whenever the same log gives other results: the workflow then reads all logs again."""
