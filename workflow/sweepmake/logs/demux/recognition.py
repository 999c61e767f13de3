"""Which launcher wrote a log: what its lines tell, and how sure that is.

Tags such as `[1,0]<stdout>:` are a launcher's, wherever they stand. Plain ones (`[1] `, `1: `,
`[default1]:`) are the like of what programs print: numbered lists, footnotes, an epoch in
brackets. They are believed on evidence: which ranks there are, whether these speak in turns,
whether what one of them says makes sense by itself and not together with the others, and
whether lines of a training stand without a tag. Where that is not enough the log has no tags:
to take a program's own numbers for ranks is worse than to know of none.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sweepmake.logs.demux.launchers import CTIME, LAUNCHERS, NAME_WITHIN, STREAM, Launcher
from sweepmake.logs.demux.places import is_training, place_of

__all__ = ["Verdict", "label_width", "recognise", "weigh"]

_HEAD = 1 << 18
_SAMPLE = 20_000
_LINE_START = 400
_FRAGMENT = 8  # of a line, at the end of the log: less may be a part of a tag
_PLAIN = re.compile(rb"[\[(<]| {0,7}\d{1,7}: ")
_LOOKED_AT = 500  # lines with a tag, and lines without
_OF_TORCH = re.compile(rb" |\[[IWEF]\d{0,4} ?")
# at so many of the lines' starts a tag is the launcher's, whatever the lines say
_COVERED = 0.9
# Keras bars (` 1/13 [`) and Megatron's lines (` iteration  10/`) begin with one space
_OWN_SPACE = re.compile(rb"(?:iteration +\d+/|validation loss at|\d+/\d+ \[)")
_LAUNCHED = (
    b"mpirun", b"mpiexec", b"srun: ", b"slurmstepd", b"torchrun",
    b"torch.distributed", b"ChildFailedError", b"Root Cause (first observed failure)",
)  # fmt: skip


class Verdict(NamedTuple):
    """What a log's first part tells of its launcher.

    Args:
        form: the launcher and its tag; None where no tag is believed.
        sure: from 0 to 1.
        why: the evidence, in words.
    """

    form: Launcher | None
    sure: float
    why: str


class _Tagged(NamedTuple):
    """A line that begins with a tag: where it stands, whose it is, what follows the tag."""

    at: int
    rank: int
    tag: re.Match[bytes]
    text: bytes


def recognise(
    head: bytes, forms: Iterable[Launcher] = LAUNCHERS, *, cut: bool = False
) -> Launcher | None:
    """Return the form whose tags the log's first part shows, or None (see `weigh`)."""
    return weigh(head, forms, cut=cut).form


def weigh(head: bytes, forms: Iterable[Launcher] = LAUNCHERS, *, cut: bool = False) -> Verdict:
    """Return which form's tags the log's first part shows, and how sure that is.

    Of those that are believed the one wins that begins most lines; among equals the more
    specific form, which is listed first.

    Args:
        head: the first bytes of the log, some hundred kilobytes.
        forms: the forms to choose from.
        cut: whether the log goes on behind these bytes: then their last line is not whole.
    """
    forms = list(forms)
    lines = _starts(head, cut=cut)
    plain: list[bytes] = []  # the lines without those that begin with no plain tag
    either = len({form.name for form in forms}) > 1  # Open MPI 4 and 5 are both to choose from
    streams, dated = b">:" in head, re.search(CTIME, head) is not None
    best, most = Verdict(None, 1.0, "no line begins with the tag of a launcher"), 0
    seen = {b"(?:)"}  # that of a log without tags
    for form in forms:
        whole = form.tag if form.inline else form.time + b"(?:" + form.tag + b")"
        if whole in seen or (form.time and not dated) or (STREAM in form.tag and not streams):
            continue
        seen.add(whole)
        if form.weak and 2 * most >= len(lines):
            continue
        looked_at = lines
        if form.inline:
            if best.form is None and (verdict := _named_within(form, lines)).form is not None:
                best = verdict
            continue
        if form.weak and form.name != "custom":
            plain = plain or [line if _PLAIN.match(line) else b"" for line in lines]
            looked_at = plain
        tags = list(map(re.compile(whole).match, looked_at))
        if len(tags) - tags.count(None) <= most:
            continue
        found = _found(form, tags, lines)
        if len(found) <= most or (either and form.name == "openmpi5" and not _spaced(found)):
            continue
        verdict = _believe(form, found, lines, head)
        if verdict.form is not None:
            best, most = verdict, len(found)
        elif best.form is None and verdict.sure < best.sure:
            best = verdict
    return best


def _found(
    form: Launcher, tags: Sequence[re.Match[bytes] | None], lines: Sequence[bytes]
) -> list[_Tagged]:
    """Return the lines that begin with a tag of this form."""
    found = [
        _Tagged(at, int(tag["rank"]), tag, lines[at][tag.end() :])
        for at, tag in enumerate(tags)
        if tag
    ]
    if form.labels and found:  # they are right-aligned: a date, say, is none
        width = label_width(one.tag.end() for one in found)
        found = [one for one in found if one.tag.end() == width]
    return found


def _named_within(form: Launcher, lines: Sequence[bytes]) -> Verdict:
    """Return whether the program's own lines name their ranks, `rank 1 | epoch 2`, and why."""
    search = re.compile(form.tag).search
    named: list[_Tagged] = []
    untold = told = 0
    for at, line in enumerate(lines):
        lower = line[:NAME_WITHIN].lower()
        name = search(line, 0, NAME_WITHIN) if b"rank" in lower or b"gpu" in lower else None
        if name is None:
            untold += len(named) < _LOOKED_AT and is_training(line)
            continue
        text = line[: name.start()] + line[name.end() :]
        named.append(_Tagged(at, int(name["rank"]), name, text))
        told += len(named) < _LOOKED_AT and is_training(text)
        if untold > told + 1:
            break
    named = [one for one in named if is_training(one.text)][:_LOOKED_AT]
    ranks = sorted({one.rank for one in named})
    shared = _shared_places(named)
    if untold or len(ranks) < 2 or max(ranks) >= 2 * len(ranks):
        return Verdict(None, 1.0, "")
    if not shared or not _takes_turns([one.rank for one in named]):
        return Verdict(None, 1.0, "")
    words = f"{told} lines of the training name {_named(ranks)}"
    return Verdict(form, 0.9, f"{words}; {shared} places come from several ranks, in turns")


def label_width(widths: Iterable[int]) -> int:
    """Return how wide the labels are: as most of them."""
    return Counter(widths).most_common(1)[0][0]


def _starts(head: bytes, *, cut: bool) -> list[bytes]:
    """Return the starts of the lines that are looked at, without one whose start is not whole.

    Of `[1,0]<stdout>: text` the cut `[1,0]<stdout>:` would be another launcher's tag.
    """
    cut = cut or len(head) > _HEAD
    lines = head[:_HEAD].split(b"\n", _SAMPLE)
    rest = lines.pop()  # what follows the last line feed
    whole = len(rest) >= (_LINE_START if cut else _FRAGMENT) or not lines
    if rest and whole and len(lines) < _SAMPLE:
        lines.append(rest)
    return [line[:_LINE_START] for line in lines]


def _spaced(found: Sequence[_Tagged]) -> bool:
    """Whether a blank follows these tags that Open MPI 5 has added, and not the programs.

    A tag before an empty line, or at the end of a log that was cut, tells nothing; one among
    many that has lost its blank is damaged.
    """
    spaced = bare = 0
    for one in found:
        if not one.tag[0].endswith(b" "):
            bare += bool(one.text)
        elif not _OWN_SPACE.match(one.text):
            spaced += 1
    indented = sum(one.text.startswith(b" ") for one in found if one.tag[0].endswith(b" "))
    if bare == 0:
        return spaced > 0
    return spaced - indented >= 3 and bare <= max(1, (spaced - indented) // 20)


def _believe(
    form: Launcher, found: Sequence[_Tagged], lines: Sequence[bytes], head: bytes
) -> Verdict:
    """Return whether these tags are the launcher's, and why."""
    ranks = sorted({one.rank for one in found})
    share = len(found) / (len(lines) or 1)
    if not found:
        return Verdict(None, 1.0, "")
    words = f"{len(found)} of {len(lines)} lines begin with a tag, of {_named(ranks)}"
    if form.name == "custom":
        return Verdict(form, 1.0, words)
    if not form.weak:
        span = len(found) / (found[-1].at - found[0].at + 1)
        if share >= 0.05 or (span >= 0.5 and len(found) > 1):
            return Verdict(form, 0.99 if span >= 0.5 else 0.9, words)
        return Verdict(None, 0.7, f"{words}: too few")
    launched = any(word in head for word in _LAUNCHED)
    sure, reason = _plain_tags(form, found, lines, share, launched=launched)
    if not sure:
        return Verdict(None, 0.8, f"{words}, but {reason}")
    if launched:
        sure, reason = min(0.99, sure + 0.04), f"{reason}; the launcher speaks"
    return Verdict(form, sure, f"{words}; {reason}")


def _named(ranks: Sequence[int]) -> str:
    """Return "rank 3", or "4 ranks (0 to 3)"."""
    if len(ranks) == 1:
        return f"rank {ranks[0]}"
    return f"{len(ranks)} ranks ({ranks[0]} to {ranks[-1]})"


def _plain_tags(
    form: Launcher,
    found: Sequence[_Tagged],
    lines: Sequence[bytes],
    share: float,
    *,
    launched: bool,
) -> tuple[float, str]:
    """Return how sure plain tags are the launcher's (0: not at all), and why."""
    order = [one.rank for one in found]
    ranks = set(order)
    if max(ranks) >= 4 * len(ranks) and not _telling(form, found):
        return 0, "the numbers are not those of ranks"
    inside = {one.at for one in found}
    outside = (line for at, line in enumerate(lines) if at not in inside)
    found = found[:_LOOKED_AT]
    told = sum(is_training(one.text) for one in found)
    untold = sum(map(is_training, itertools.islice(outside, _LOOKED_AT)))
    if untold and 10 * untold > told:
        return 0, f"{untold} lines of a training have none"
    if len(ranks) == 1:
        if _telling(form, found):
            return 0.95, "with the name of a role"
        if ranks == {0} and share >= 0.5:
            return 0.6, "only rank 0 speaks"
        return 0, "one number is no sign of ranks"
    if _counts(order):
        return 0, "they count"
    shared = _shared_places(found)
    if shared and _takes_turns(order):
        return 0.95, f"{shared} places of the training come from several ranks, in turns"
    if _telling(form, found):
        return 0.9, "with the name of a role"
    if 0 not in ranks or share < 0.5:
        return 0, "what they say does not tell ranks apart"
    if share < _COVERED and not launched and _cycles(order):
        return 0, "they count again and again"
    if not _takes_turns(order) and order == sorted(order) and _may_be_epochs(found):
        return 0, "they may number the epochs"
    return (0.8 if share >= _COVERED else 0.6), "most lines have one"


def _telling(form: Launcher, found: Sequence[_Tagged]) -> bool:
    """Whether the tags name a role, as torchrun's `[default3]:` does, text right behind it.

    PyTorch's exceptions begin with `[rank3]: `, a blank behind it, its warnings with
    `[rank3]:[W1127 10:02:11 …`.
    """
    if form.name != "torchrun":
        return False
    roles = {one.tag["job"] for one in found}
    if roles == {b"default"}:
        return True
    own = sum(_OF_TORCH.match(one.text) is not None for one in found)
    return roles == {b"rank"} and 4 * own < len(found)


def _counts(order: Sequence[int]) -> bool:
    """Whether these are 1, 2, 3, … each once: a list, or footnotes."""
    steps = [b - a for a, b in itertools.pairwise(order)]
    return len(steps) > 1 and all(step == 1 for step in steps)


def _cycles(order: Sequence[int]) -> bool:
    """Whether these are 0, 1, 2, 0, 1, 2, …: a list that is printed again and again."""
    first = order[0]
    return all(b - a == 1 or b == first for a, b in itertools.pairwise(order))


def _takes_turns(order: Sequence[int]) -> bool:
    """Whether a number comes back after others: an epoch's or a fold's does not."""
    runs = [rank for rank, _ in itertools.groupby(order)]
    return len(runs) > len(set(runs))


def _shared_places(found: Sequence[_Tagged]) -> int:
    """Return how many places of the training several ranks speak of."""
    ranks: dict[tuple[tuple[bytes, float], ...], set[int]] = {}
    for one in found:
        if place := place_of(one.text):
            ranks.setdefault(place, set()).add(one.rank)
    return sum(len(each) > 1 for each in ranks.values())


def _may_be_epochs(found: Sequence[_Tagged]) -> bool:
    """Whether the numbers, one after the other, may be epochs: the lines behind them name none."""
    blocks = {one.rank for one in found if re.search(rb"\d", one.text)}
    named = any(word == b"epoch" for one in found for word, _ in place_of(one.text))
    return len(blocks) > 1 and not named
