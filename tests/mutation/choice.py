"""Which mutations are tried: spread over the modules by their length, the same ones for a seed."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import PurePath

from .mutants import Mutation, compiles, count_statements


def choose(
    sources: dict[str, str], found: dict[str, list[Mutation]], count: int, seed: int
) -> list[Mutation]:
    """Return some of the mutations of a library; all compile.

    A module gets as many as its share of the lines that begin a statement. In a module, all sorts
    of change have the same chance, however many places there are for them. In which order they are
    drawn depends on the module's own text and file name only.

    Args:
        sources: the sources of the modules by their files, relative to the package.
        found: all mutations of each.
        count: how many; there are fewer if the library has no more.
        seed: other mutations for another number.
    """
    ranked = []
    for module, mutations in sorted(found.items()):
        name = PurePath(module).stem
        share = max(1, count_statements(sources[module]))
        first = _drawn(seed, name)
        for at, mutation in enumerate(_shuffled(mutations, seed, name)):
            ranked.append(((at + first) / share, mutation))
    ranked.sort(key=lambda one: (one[0], one[1].key))
    chosen: list[Mutation] = []
    for _, mutation in ranked:
        if len(chosen) == count:
            break
        if compiles(mutation.applied(sources[mutation.module])):
            chosen.append(mutation)
    return sorted(chosen, key=lambda one: (one.module, one.number, one.start, one.kind))


def _drawn(seed: int, *of: str) -> float:
    """Return a number from 0 to 1 that a seed gives to a name."""
    digest = hashlib.sha256("\0".join([str(seed), *of]).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _shuffled(mutations: list[Mutation], seed: int, name: str) -> list[Mutation]:
    """Return mutations in the order in which they are taken: one of each sort, then the next."""
    groups: dict[str, list[Mutation]] = defaultdict(list)
    for mutation in mutations:
        groups[mutation.group].append(mutation)
    placed = []
    for group, members in groups.items():
        members.sort(key=lambda one: _drawn(seed, name, *one.key[1:]))
        between = _drawn(seed, name, group)
        placed += [((at, between), mutation) for at, mutation in enumerate(members)]
    return [mutation for _, mutation in sorted(placed, key=lambda one: one[0])]
