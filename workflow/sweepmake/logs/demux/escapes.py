"""Control characters that a collector of logs wrote as text: `#015` is a carriage return.

rsyslog, and what Amazon SageMaker collects its logs with, write a control character as `#` and
three octal digits: `#015Epoch 0:  50%|…`, `#033[A`.
"""

from __future__ import annotations

import re

__all__ = ["Escapes"]

_CODES = re.compile(rb"#0(10|11|15|33)")
_BEGUN = re.compile(rb"#(?:0[13]?)?\Z")


class Escapes:
    """Turns the escapes of one stream back, however its bytes are cut."""

    def __init__(self) -> None:
        self._rest = b""

    def turn_back(self, text: bytes, *, final: bool = False) -> bytes:
        """Return the text with its control characters.

        Args:
            text: what follows what was given before; an escape that its end cuts is kept back.
            final: nothing follows.
        """
        text = self._rest + text
        self._rest = b""
        begun = None if final else _BEGUN.search(text)
        if begun:
            text, self._rest = text[: begun.start()], begun[0]
        if b"#0" not in text:
            return text
        return _CODES.sub(lambda code: bytes([int(code[1], 8)]), text)
