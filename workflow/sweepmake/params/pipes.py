"""Pipes whose exit code tells nothing of the training: `python train.py --lr {lr} | tee log`.

Without `pipefail`, the exit code of a pipe is that of its last command (bash 5, "Pipelines" in its
manual): a training that fails there has finished. Such files run under mlrunner, so they keep
running; what is found here is only told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

__all__ = ["hidden_failures"]

# they work on what others write: at a pipe's end they end well whatever came before
_FILTERS = frozenset(
    [
        "awk",
        "cat",
        "column",
        "cut",
        "egrep",
        "fgrep",
        "fmt",
        "fold",
        "gawk",
        "grep",
        "gzip",
        "head",
        "less",
        "logger",
        "mawk",
        "more",
        "nl",
        "pv",
        "rev",
        "rg",
        "sed",
        "sort",
        "tac",
        "tail",
        "tee",
        "tr",
        "ts",
        "uniq",
        "wc",
        "xz",
        "zstd",
    ]
)
# they only give others something to read
_SOURCES = _FILTERS | frozenset(
    [
        "curl",
        "echo",
        "false",
        "find",
        "gunzip",
        "jq",
        "ls",
        "printf",
        "seq",
        "tar",
        "true",
        "wget",
        "xzcat",
        "yes",
        "zcat",
        "zstdcat",
        ":",
    ]
)
_BEFORE = frozenset(
    [
        "time",
        "nohup",
        "env",
        "exec",
        "command",
        "nice",
        "stdbuf",
        "unbuffer",
        "if",
        "then",
        "else",
        "elif",
        "while",
        "until",
        "do",
        "!",
        "{",
    ]
)
_WORD = re.compile(r"[^\s|&;<>()]+")


def hidden_failures(
    command: str, operators: Sequence[int], placeholder: re.Pattern[str]
) -> Iterator[str]:
    """Yield how each pipe goes on that hides a failure: "| tee".

    Args:
        command: the template, as one line.
        operators: where the shell's operators stand in it, as `read_shell` finds them.
        placeholder: what a parameter's place looks like.

    A pipe hides the failure of a program where its last command is a filter and an earlier one is
    more than that, or where only an earlier one uses parameters. A command that sets `pipefail` or
    looks at PIPESTATUS takes care of it itself.
    """
    if "pipefail" in command or "PIPESTATUS" in command:
        return
    for commands, last_pipe in _pipelines(command, operators):
        *earlier, last = commands
        working = [one for one in earlier if _program(one) not in _SOURCES]
        uses = [one for one in working if placeholder.search(one)]
        if (working and _program(last) in _FILTERS) or (uses and not placeholder.search(last)):
            first = _WORD.search(last)
            yield f"{last_pipe} {first[0]}" if first else last_pipe


def _pipelines(command: str, operators: Sequence[int]) -> Iterator[tuple[list[str], str]]:
    """Yield the commands of each pipe that has several, and its last sign, `|` or `|&`."""
    commands: list[str] = []
    begin, sign, at = 0, "", 0
    marks = {*operators}
    while at <= len(command):
        char = command[at : at + 1] if at in marks else ""
        both = command[at : at + 2] if at + 1 in marks else char
        if at < len(command) and (not char or _redirects(command, at)):
            at += 1
            continue
        commands.append(command[begin:at])
        if char == "|" and both != "||":
            sign = both if both == "|&" else "|"
            at += len(sign)
        else:
            if len(commands) > 1:
                yield commands, sign
            commands = []
            at += 2 if both in ("||", "&&", ";;") else 1
        begin = at


def _redirects(command: str, at: int) -> bool:
    """Return whether an operator belongs to a redirection: `>`, `2>&1`, `&>`, `>|`, `<(`."""
    char, before, after = command[at], command[at - 1 : at], command[at + 1 : at + 2]
    follows = char in "&|(" and before in ("<", ">")
    return char in "<>" or follows or (char == "&" and after == ">")


def _program(command: str) -> str:
    """Return the name of a command's program, without what may stand before it."""
    for word in command.split():
        if "=" in word.split("/")[0] or word.startswith("-") or word in _BEFORE:
            continue
        return word.rpartition("/")[2]
    return ""
