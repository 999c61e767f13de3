"""The GPU slots that a user names: `resource` in params.yaml, `gpus` in config.yaml."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from sweepmake.params.kinds import Kind
from sweepmake.params.origin import Origin
from sweepmake.params.yaml_reader import Items, Node, Scalar

__all__ = ["slots"]

_DEVICE = r"(?:[0-9]+|(?:GPU|MIG)-[0-9A-Za-z][0-9A-Za-z/-]*)"
_SLOT = rf"\s*{_DEVICE}\s*(?:,\s*{_DEVICE}\s*)*"
_FORMS = 'write 0, "0,1" for a pair in one slot, or a name such as "GPU-8f3b…" or "MIG-…"'


def slots(*, alone: bool) -> Kind[tuple[str, ...]]:
    """A list of slots, each as CUDA_VISIBLE_DEVICES wants it: "0", "0,1", "GPU-…".

    Each entry is a number, or a text in which commas part the devices of one slot. Equal slots
    share their device.

    Args:
        alone: whether a number or a text may stand without the list; blanks then part slots, as
            after mlrunner's -r ("0,1 2,3").
    """

    def read(node: Node, origin: Origin) -> tuple[str, ...]:
        if isinstance(node, Items):
            entries: Sequence[Node] = node.items
        elif alone and isinstance(node, Scalar):
            written = re.sub(r"\s*,\s*", ",", node.text).split() or [node.text]
            entries = [replace(node, text=part) for part in written]
        else:
            raise origin.expected("a list of GPUs", node)
        if not entries:
            raise origin.expected("at least one GPU", node, hint=_FORMS)
        return tuple(_slot(entry, origin) for entry in entries)

    return Kind(read, lambda: _schema(alone))


def _schema(alone: bool) -> dict[str, object]:
    one: list[object] = [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": f"^{_SLOT}$"},
    ]
    several = {"type": "array", "minItems": 1, "items": {"anyOf": one}}
    if not alone:
        return several
    listed = {"type": "string", "pattern": rf"^{_SLOT}(?:\s{_SLOT})*$"}
    return {"anyOf": [one[0], listed, several]}


def _slot(node: Node, origin: Origin) -> str:
    """Return one slot in its normal form: no blanks, no leading zeros."""
    if isinstance(node, Items):
        joined = ",".join(item.text if isinstance(item, Scalar) else "…" for item in node.items)
        raise origin.error("found a list as one slot", node, hint=f'write "{joined}"')
    if not isinstance(node, Scalar) or type(node.value) not in (int, str):
        raise origin.expected("a GPU", node, hint=_FORMS)
    if not node.text.strip():
        raise origin.error(
            "found an empty slot, expected a GPU",
            node,
            hint="a stage that needs none has 'gpu: 0' in 'stage:'",
        )
    devices: list[str] = []
    for written in node.text.split(","):
        device = written.strip()
        if not re.fullmatch(_DEVICE, device):
            raise origin.error(
                f"found {device!r} in the slot {node.text!r}, expected a GPU", node, hint=_FORMS
            )
        if device.isdecimal() and len(device) < 19:
            device = str(int(device))  # 01 and 1 are one
        if device in devices:
            raise origin.error(
                f"the slot {node.text!r} names {device} twice",
                node,
                hint="name each GPU of a slot once",
            )
        devices.append(device)
    return ",".join(devices)
