"""How each launcher marks which rank wrote what; recognition.py tells the launchers apart.

Sources: orte/mca/iof/base/iof_base_output.c (Open MPI 4), PMIx's server_iof (Open MPI 5),
hydra's uiu.c (MPICH, Intel MPI), src/common/write_labelled_message.c (Slurm), horovod's
safe_shell_exec.py and torch's elastic/multiprocessing/tail_log.py, checked on captured logs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from sweepmake.errors import InputError, suggestion

__all__ = [
    "CTIME",
    "LAUNCHERS",
    "NAME_WITHIN",
    "STREAM",
    "Launcher",
    "custom_launcher",
    "launcher_named",
    "launcher_names",
]

# `time.ctime()`: "Sat Nov 21 17:28:16 2026"
CTIME = rb"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}"
STREAM = rb"<(?P<stream>stdout|stderr|stddiag)>:"
NAME_WITHIN = 160
"""In so many bytes of a line its rank is looked for, where the program names it."""
_NAME = (
    rb"(?i)(?<![A-Za-z0-9_=/.\[(])[\[(]?(?:global[_ ]|local[_ ]|world[_ ])?(?:rank|gpu)"
    rb"[ _:=#]{0,3}(?P<rank>\d{1,5})(?:/\d{1,5})?(?![\d.A-Za-z%])[\])]?"
    rb"[ \t]*(?:[|:,;][ \t]*|-[ \t]+)?"
)
_HOST = rb"[A-Za-z0-9][A-Za-z0-9._-]{0,254}"


class Launcher(NamedTuple):
    """One way in which a launcher tags the output of its ranks.

    Args:
        name: what the user writes in the config ("openmpi4").
        form: which of this launcher's tags ("tag", "rank", "pattern"); "" where it has one.
        tag: regular expression of the tag, with a group `rank` and perhaps `stream` and `job`.
        time: regular expression of the timestamp that stands right before the tag.
        breaks: the bytes after which the launcher always writes a tag.
        midline: a tag may stand inside a line, wherever one chunk of output ends.
        weak: the tag is so plain that programs print the like of it; only ranks that were
            seen at the start of a line count.
        inline: the program names the rank, somewhere in the line (see named.py).
        labels: the tag is a label as srun's, before each line, all of one width (see labels.py).
        cut: content of this many bytes was cut by the launcher, with a line feed of its own.
        separator: the constant end of the tag, if the rest of it begins with the last bracket
            before it.
        escaped: control characters of the ranks' text stand as `#015`.
        blank: a blank follows the tag, which it may have lost at the start of a line.
        max_tag: a tag with its timestamp is never longer than this many bytes.
        speaker: name of the launcher in the cleaned log.
    """

    name: str
    form: str = ""
    tag: bytes = b""
    time: bytes = b""
    breaks: bytes = b"\n"
    midline: bool = True
    weak: bool = False
    labels: bool = False
    inline: bool = False
    cut: int = 0
    blank: bool = False
    escaped: bool = False
    max_tag: int = 64
    separator: bytes = b""
    speaker: str = "mpirun"

    @property
    def title(self) -> str:
        """The launcher's name and, where it has several, the form of its tags."""
        return f"{self.name} ({self.form})" if self.form else self.name

    @property
    def tagged(self) -> bool:
        """Whether the output bears tags at all."""
        return bool(self.tag)


def _open_mpi_5() -> Iterable[Launcher]:
    """Yield the tags of `mpirun --output …` of Open MPI 5: `[1,0]<stdout>: text`.

    A tag that has lost its blank is one at the start of a line (see judge.py).
    """
    forms = {
        "tag": rb"\[(?P<job>\d{1,9}),(?P<rank>\d{1,7})\]" + STREAM + b" ?",
        "tag-detailed": rb"\[(?P<job>\d{1,9}),(?P<rank>\d{1,7})\]\[" + _HOST + rb":\d{1,9}\]"
        + STREAM + b" ?",
        "tag-fullname": rb"\[(?P<job>[A-Za-z0-9][^\]\[\s,]{0,254}@\d{1,9}),(?P<rank>\d{1,7})\]"
        + STREAM + b" ",
        "rank": rb"\[(?P<rank>\d{1,7})\]" + STREAM + b" ?",
    }  # fmt: skip
    for form, tag in forms.items():
        long = 340 if form in ("tag-detailed", "tag-fullname") else 64
        for time in (b"", rb"\[" + CTIME + rb"\]"):
            name = f"{form}, timestamps" if time else form
            end = b">: " if form != "tag-detailed" else b""
            yield Launcher(
                "openmpi5", name, tag, time, midline=False, blank=True, max_tag=long, separator=end
            )


def _stamped(name: str, tag: bytes, breaks: bytes, midline: bool) -> Iterable[Launcher]:
    """Yield a tag without and with the timestamp before it."""
    for form, time in (("tag", b""), ("timestamps", CTIME)):
        yield Launcher(name, form, tag, time, breaks, midline, max_tag=96, separator=b">:")


def _hydra(name: str) -> Iterable[Launcher]:
    """Yield `-prepend-rank` (Intel MPI: `-l`) and the usual `-prepend-pattern`s of hydra."""
    rank = rb"(?P<rank>\d{1,7})"
    yield Launcher(name, "rank", rb"\[" + rank + rb"\] ", weak=True, speaker="mpiexec")
    patterns = (
        rb"\[" + rank + rb"@" + _HOST + rb"(?::\d{1,7})?\] ?",
        rb"\[" + rank + rb":" + _HOST + rb"(?::\d{1,7})?\] ?",
        rb"\[" + _HOST + rb":" + rank + rb"\] ?",
        rb"\(" + rank + rb"\) ?",
        rb"<" + rank + rb"> ?",
        rb"\[rank " + rank + rb"\] ?",
    )
    for tag in patterns:
        yield Launcher(name, "pattern", tag, weak=True, max_tag=340, speaker="mpiexec")


# Amazon SageMaker's mpirun: [1,mpirank:1,algo-2]<stdout>:text
_SAGEMAKER = Launcher(
    "openmpi4",
    "sagemaker",
    rb"\[(?P<job>\d{1,9}),mpirank:(?P<rank>\d{1,7}),[A-Za-z0-9][A-Za-z0-9._-]{0,80}\]" + STREAM,
    escaped=True,
    max_tag=160,
    separator=b">:",
)
LAUNCHERS: tuple[Launcher, ...] = (
    *_open_mpi_5(),
    _SAGEMAKER,
    *_stamped("openmpi4", rb"\[(?P<job>\d{1,9}),(?P<rank>\d{1,7})\]" + STREAM, b"\n", True),
    *_stamped("horovod", rb"\[(?P<rank>\d{1,7})\]" + STREAM, b"\r\n", False),
    Launcher(
        "torchrun",
        tag=rb"\[(?P<job>[A-Za-z_][A-Za-z0-9_.-]{0,80}?)(?P<rank>\d{1,7})\]:",
        max_tag=96,
        separator=b"]:",
        weak=True,
        speaker="torchrun",
    ),
    *_hydra("mpich"),
    *_hydra("intelmpi"),
    Launcher(
        "srun", tag=rb" {0,7}(?P<rank>\d{1,7}): ", midline=False, weak=True, labels=True,
        cut=1024, max_tag=16, speaker="srun",
    ),
    Launcher(
        "lines", tag=_NAME, midline=False, weak=True, inline=True, max_tag=64, speaker="system",
    ),
    Launcher("none", speaker="system"),
)  # fmt: skip

_ALIASES = {
    "openmpi": ("openmpi4", "openmpi5"),
    "mpirun": ("openmpi4", "openmpi5"),
    "mpi": ("openmpi4", "openmpi5", "mpich"),
    "hydra": ("mpich",),
    "impi": ("intelmpi",),
    "intel": ("intelmpi",),
    "slurm": ("srun",),
    "torch": ("torchrun",),
}


def launcher_names() -> list[str]:
    """Return the names that the config accepts, without the aliases."""
    return list(dict.fromkeys(launcher.name for launcher in LAUNCHERS))


def custom_launcher(pattern: str) -> Launcher:
    r"""Return a launcher whose tag is the user's regular expression.

    Args:
        pattern: with a named group `rank` and perhaps `stream`, for instance
            `\[(?P<rank>\d+)@[^\]]+\] ` for `mpiexec -prepend-pattern '[%r@%h] '`.

    Raises:
        InputError: where it does not compile, has no group `rank`, or matches nothing.
    """
    try:
        compiled = re.compile(pattern.encode())
    except (re.error, OverflowError, RecursionError) as error:
        raise InputError(
            f"launcher: the tag '{pattern}' is no regular expression: {error}"
        ) from error
    if "rank" not in compiled.groupindex:
        raise InputError(
            f"launcher: the tag '{pattern}' has no group for the rank",
            hint=r"write (?P<rank>\d+) where the rank stands",
        )
    if compiled.match(b""):
        raise InputError(f"launcher: the tag '{pattern}' also matches the empty text")
    return Launcher("custom", pattern, pattern.encode(), weak=True, max_tag=340)


def launcher_named(name: str) -> tuple[Launcher, ...]:
    """Return every form of the launcher that the config names, the likeliest first.

    Args:
        name: one of `launcher_names()`, an alias, or a regular expression with a group `rank`.

    Raises:
        InputError: for an unknown name, with the nearest known one.
    """
    if "(?P<" in name:
        return (custom_launcher(name),)
    wanted = _ALIASES.get(name.lower(), (name.lower(),))
    forms = tuple(form for form in LAUNCHERS if form.name in wanted)
    if not forms:
        raise InputError(
            f"launcher: '{name}' is not known",
            hint=suggestion(name.lower(), launcher_names()),
        )
    return forms
