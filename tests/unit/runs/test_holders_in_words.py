"""Who holds something, in the words of a message."""

from __future__ import annotations

import os
import time

import pytest

from sweepmake.runs.claims import Holder

NOW = time.mktime((2026, 11, 21, 14, 2, 0, 0, 0, -1))
HERE = os.uname().nodename


@pytest.mark.parametrize(
    ("holder", "words"),
    [
        (Holder(), "another process"),
        (Holder(pid=7), "process 7"),
        (Holder(pid=7, host=HERE), "process 7"),
        (Holder(pid=7, host="gpu3", job="815"), "process 7 on gpu3 (job 815)"),
        (Holder(pid=7, since=NOW), "process 7, since 14:02"),
        (Holder(pid=7, since=NOW - 12 * 3600 + 60), "process 7, since 02:03"),
        (Holder(pid=7, since=NOW - 12 * 3600), "process 7, since 21 Nov 02:02"),
        (Holder(host="gpu3", since=NOW - 86400), "another process on gpu3, since 20 Nov 14:02"),
    ],
)
def test_a_holder_in_words(monkeypatch: pytest.MonkeyPatch, holder: Holder, words: str) -> None:
    """Its host where that is another one; its day where the hour alone would not tell."""
    monkeypatch.setattr(time, "time", lambda: NOW)
    assert str(holder) == words
