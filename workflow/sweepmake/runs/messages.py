"""What the stage runner says to the user, and what it shows of a log."""

from __future__ import annotations

import os

from sweepmake.visible import visible

__all__ = ["describe", "say", "tail"]

TAIL_LINES = 10
TAIL_BYTES = 8192


def say(text: str, colour: int = 0) -> None:
    """Write one message for the user, in one write, so that runs do not cut into each other."""
    text = visible(text)
    if colour and os.isatty(2) and "NO_COLOR" not in os.environ:
        text = f"\x1b[{colour}m{text}\x1b[0m"
    try:
        os.write(2, (text + "\n").encode("utf-8", "backslashreplace"))
    except OSError:
        return  # the terminal is closed, or what it goes to is full: there is nobody to tell that


def describe(error: OSError) -> str:
    """Return what the system has said no to, and why, on one line: "No space left: a/b"."""
    why = error.strerror or str(error)
    what = error.filename
    if what is None:
        return why
    shown = os.fsdecode(what) if isinstance(what, str | bytes) else str(what)
    return f"{why}: {shown}".replace("\n", "\\n")


def tail(path: str, *, interrupted: bool = False) -> list[str]:
    """Return a log's last lines as a terminal would show them; [] where there is none.

    Args:
        path: the log.
        interrupted: whether the run was, so that a traceback of KeyboardInterrupt says nothing.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return []  # the command has removed it
    try:
        size = os.fstat(file).st_size
        data = os.pread(file, TAIL_BYTES, max(0, size - TAIL_BYTES))
    finally:
        os.close(file)
    lines = data.decode("utf-8", "replace").rstrip("\n").split("\n")
    if interrupted:
        lines = _without_tracebacks(lines)
    shown = [line.rstrip("\r").rpartition("\r")[2].replace("\b", "") for line in lines]
    return [line for line in shown[-TAIL_LINES:] if line.strip()]


def _without_tracebacks(lines: list[str]) -> list[str]:
    """Return the lines without what Python writes when Ctrl-C ends it.

    That is, from the line "Traceback (most recent call last):", or from where the lines begin, the
    indented lines down to "KeyboardInterrupt"; and before it "Process SpawnProcess-1:" of a worker.
    """
    kept: list[str] = []
    for line in lines:
        if line.split(":")[0] != "KeyboardInterrupt":
            kept.append(line)
            continue
        while kept and (not kept[-1].strip() or kept[-1].startswith(" ")):
            kept.pop()
        if kept and kept[-1].startswith("Traceback "):
            kept.pop()
        if kept and kept[-1].startswith("Process ") and kept[-1].endswith(":"):
            kept.pop()
    return kept
