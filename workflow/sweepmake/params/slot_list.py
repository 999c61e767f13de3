"""The GPU slots that a user names: `resource` in params.yaml, `gpus` in config.yaml."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from sweepmake.errors import InputError

__all__ = ["parse_slots"]

_DEVICE = re.compile(r"[0-9]+|(?:GPU|MIG)-[0-9A-Za-z][0-9A-Za-z/-]*")
_FORMS = 'write 0, "0,1" for a pair in one slot, or a name such as "GPU-8f3b…" or "MIG-…"'


def parse_slots(
    values: object, *, where: str, file: str | None = None, line: int | None = None
) -> tuple[str, ...]:
    """Return slots as CUDA_VISIBLE_DEVICES wants them: "0", "0,1", "GPU-…".

    Args:
        values: a list with one entry per slot, each a number or a text in which commas part the
            devices of one slot. A single number or text may stand without the list; blanks then
            part slots, as after mlrunner's -r ("0,1 2,3"). Equal slots share their device.
        where: what is being read, for messages, such as "config gpus".
        file: the file where it stands.
        line: its line there.

    Raises:
        InputError: there is no slot, or one is empty, negative, a list, or names a device twice.
    """

    def error(problem: str, hint: str) -> InputError:
        return InputError(f"{where}: {problem}", file=file, line=line, hint=hint)

    if isinstance(values, str):
        entries: Sequence[object] = re.sub(r"\s*,\s*", ",", values).split()
    elif isinstance(values, list | tuple):
        entries = values
    else:
        entries = [values]
    if not entries:
        raise error("found an empty list, expected at least one GPU", _FORMS)
    slots = []
    for entry in entries:
        if isinstance(entry, list | tuple):
            joined = ",".join(str(device) for device in entry)
            raise error(f"found the list {entry!r} as one slot", f'write "{joined}"')
        if isinstance(entry, bool) or not isinstance(entry, int | str):
            raise error(f"found {entry!r}, expected a GPU", _FORMS)
        slots.append(_slot(str(entry), error))
    return tuple(slots)


def _slot(text: str, error: Callable[[str, str], InputError]) -> str:
    """Return one slot in its normal form: no blanks, no leading zeros."""
    if not text.strip():
        raise error(
            "found an empty slot, expected a GPU",
            "a stage that needs none has 'gpu: 0' in 'stage:'",
        )
    devices = []
    for written in text.split(","):
        device = written.strip()
        if not _DEVICE.fullmatch(device):
            raise error(f"found {device!r} in the slot {text!r}, expected a GPU", _FORMS)
        device = str(int(device)) if device.isdecimal() else device
        if device in devices:
            raise error(f"the slot {text!r} names {device} twice", "name each GPU of a slot once")
        devices.append(device)
    return ",".join(devices)
