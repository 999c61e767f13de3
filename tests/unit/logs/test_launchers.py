"""The launcher is recognised from the log, or named in the config."""

from __future__ import annotations

import pytest
from launcher_models import DATA, tags

from sweepmake.errors import InputError
from sweepmake.logs.demux.account import exit_reports
from sweepmake.logs.demux.launchers import launcher_named, launcher_names
from sweepmake.logs.demux.recognition import recognise
from sweepmake.logs.demux.streams import Demultiplexer, StreamId, demultiplex

EXPECTED = {
    "hf4-direct": "none",
    "hf4-ompi4-np2": "openmpi4 (tag)",
    "hf5-torchrun-np2": "torchrun",
    "k2-hvd-np2": "horovod (tag)",
    "k2-mpich4-np4-pattern": "mpich (pattern)",
    "k2-ompi4-np2": "openmpi4 (tag)",
    "k2-ompi5-np4-ts": "openmpi5 (tag, timestamps)",
    "k27-ompi4-np4-ts": "openmpi4 (timestamps)",
    "k27-srun-np4": "srun",
    "k3-direct": "none",
    "pl-direct": "none",
    "probe-mpich4-np2": "mpich (rank)",
    "probe-ompi5-np2": "openmpi5 (tag)",
    "probe-torchrun-np2": "torchrun",
    "pt-mlrunner-ompi4-np4": "openmpi4 (tag)",
}


@pytest.mark.parametrize("case", EXPECTED)
def test_launcher_of_real_logs_is_recognised(case: str) -> None:
    """Each captured log shows its launcher and the form of its tags."""
    found = recognise((DATA / case / "log.txt").read_bytes())
    assert (found.title if found else "none") == EXPECTED[case]


@pytest.mark.parametrize("form", tags())
def test_every_form_of_tag_is_recognised(form: str) -> None:
    """Two ranks with one line each are enough for every form."""
    tag = tags()[form]
    log = b"".join(tag(rank, "stdout", rank) + b"Epoch 1/9\n" for rank in (0, 1, 0, 1))
    found = recognise(log)
    assert found is not None
    name, _, rest = form.partition(" ")
    assert found.name == name
    assert rest in found.form or found.form.endswith(rest)


@pytest.mark.parametrize(
    "log",
    [
        b"1: loss=0.5\n2: loss=0.4\n3: loss=0.3\n",
        b"0: loss=0.5\n1: loss=0.4\n2: loss=0.3\n3: loss=0.2\n",
        b'[1] "a line of R"\n[1] 0.25\n[1] 0.5\n',
        b"[2026-11-21 17:00:00] INFO a\n[2026-11-21 17:00:01] INFO b\n",
        b"Traceback:\n[rank1]: RuntimeError\nEpoch 1\nEpoch 2\nEpoch 3\n",
        b"",
    ],
)
def test_numbered_lines_of_a_program_are_no_tags(log: bytes) -> None:
    """Lines that count, R's vectors, dates, and a few of torch's own prefixes are text."""
    assert recognise(log) is None
    assert demultiplex(log) == ({StreamId(0, "output"): log} if log else {})


def test_leading_space_of_megatron_is_not_open_mpi_5_s() -> None:
    """Megatron begins its lines with a space, so the space after the tag is no sign."""
    log = b"[1,0]<stdout>: iteration       10/     200 | lm loss: 1.2\n" * 3
    assert demultiplex(log)[StreamId(0, "stdout")].startswith(b" iteration")
    named = demultiplex(log, "openmpi5")[StreamId(0, "stdout")]
    assert named.startswith(b"iteration")


def test_launcher_in_the_config_is_taken_or_refused_with_a_suggestion() -> None:
    """Each name and alias works; a typing error gets the nearest name."""
    for name in launcher_names():
        assert launcher_named(name)
        assert Demultiplexer(name).launcher.name == name
    assert {form.name for form in launcher_named("OpenMPI")} == {"openmpi4", "openmpi5"}
    with pytest.raises(InputError, match="did you mean 'openmpi5'"):
        Demultiplexer("openmpi55")
    with pytest.raises(InputError, match="no regular expression"):
        Demultiplexer(r"(?P<rank>\d+")
    with pytest.raises(InputError, match="no group for the rank"):
        Demultiplexer(r"(?P<stream>a)")
    with pytest.raises(InputError, match="matches the empty text"):
        Demultiplexer(r"(?P<rank>\d*)")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"  Process name: [[24943,1],1]\n  Exit code:    17\n", [(1, 17, None)]),
        (b"  Process name: [prterun-vm-20924@1,2] Exit code:    3\n", [(2, 3, None)]),
        (
            b"mpirun noticed that process rank 2 with PID 0 on node v exited on signal 9 (Killed)",
            [(2, None, 9)],
        ),
        (
            b"MPI_ABORT was invoked on rank 1 in communicator MPI_COMM_WORLD\nwith errorcode 3.\n",
            [(1, 3, None)],
        ),
        (b"srun: error: vm: task 2: Exited with exit code 17\n", [(2, 17, None)]),
        (b"srun: error: vm: tasks 0-1,3: Killed\n", [(0, None, 9), (1, None, 9), (3, None, 9)]),
        (
            b"=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES\n"
            b"=   PID 4711 RUNNING AT vm\n=   EXIT CODE: 9\n",
            [(None, 9, None)],
        ),
        (b"=   RANK 1 PID 4711 RUNNING AT vm\n=   KILLED BY SIGNAL: 11 (SEGV)\n", [(1, None, 11)]),
        (b"E failed (exitcode: -9) local_rank: 2 (pid: 7) of binary: python\n", [(2, None, 9)]),
        (b"Process name: [1]\nExit code:    17\n", [(1, 17, None)]),
        (b"nothing of that kind", []),
    ],
)
def test_exit_reports_name_rank_and_code(
    text: bytes, expected: list[tuple[int | None, int | None, int | None]]
) -> None:
    """The reports of every launcher say which rank ended how."""
    assert [(end.rank, end.code, end.signal) for end in exit_reports(text)] == expected


def test_binding_report_is_the_launcher_s() -> None:
    """mpirun --report-bindings bears the rank's stderr tag, but the rank did not write it."""
    log = (
        b"[1,0]<stderr>:[vm:20819] MCW rank 0 bound to socket 0[core 0[hwt 0]]: [B/.]\n"
        b"[1,1]<stderr>:[vm:20819] MCW rank 1 is not bound (or bound to all available processors)\n"
        b"[1,0]<stderr>:warning\n[1,0]<stdout>:Epoch 1/9\n"
    )
    demultiplexer = Demultiplexer()
    demultiplexer.feed(log)
    demultiplexer.close()
    assert demultiplexer.take() == {
        StreamId(0, "stderr"): b"warning\n",
        StreamId(0, "stdout"): b"Epoch 1/9\n",
    }
    assert b"MCW rank 1" in demultiplexer.launcher_text.text
    assert demultiplexer.accounted == len(log)
