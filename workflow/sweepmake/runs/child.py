"""The command of a run as a child process: its start, the signals that reach it, its end."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import resource
    import signal
    from collections.abc import Mapping
else:
    import _signal as signal  # the C part of signal: the Python part imports enum, 5 ms

__all__ = ["Child", "end_at_once", "tee"]

# The outer shell has a trap, not the default action, so that it outlives a Ctrl-C that the command
# still handles; a trap, unlike an ignored signal, is not inherited.
WRAPPER = 'trap : INT TERM HUP; /bin/bash -c "$1"; code=$?; echo $code > "$2"; exit $code'
GRACE_S = 10  # from the first signal to SIGTERM, and again to SIGKILL
ONCE_S = 1.0  # in which the same signal, from the terminal and from the workflow, counts as one
LATE_S = 0.5  # by which a scheduler's signal may reach this program after the command


def end_at_once() -> None:
    """Let Ctrl-C end this program as other signals do, while there is no command to pass it on to.

    What it waits for (a lock, a GPU) may be hours away, and the system frees what it holds.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Child:
    """A command under /bin/bash, in a process group of its own.

    Attributes:
        pid: the process group while the command runs, else 0.
        caught: the first signal that asked this program to end, else 0.
    """

    __slots__ = ("_asked", "_stopping", "caught", "pid")

    def __init__(self) -> None:
        self.pid = 0
        self.caught = 0
        self._stopping = 0
        self._asked = 0.0  # when the first signal came, on the monotonic clock

    def watch(self) -> None:
        """From now on, pass on the signals that end a run; insist where they are not obeyed."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup has it ignored, here and in the command
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._pass_on)
        signal.signal(signal.SIGALRM, self._insist)

    def start(
        self, command: str, exit_path: str, output: int, environment: Mapping[str, str]
    ) -> None:
        """Start the command: its output goes to a file, its exit code is written into another.

        Args:
            command: for /bin/bash, which gets it as one argument.
            exit_path: a shell around the command writes the exit code here, so that it is known
                also when this program has been killed.
            output: the file descriptor for stdout and stderr; closed here.
            environment: the command's environment variables.
        """
        self.pid = os.posix_spawn(
            "/bin/sh",
            ["/bin/sh", "-c", WRAPPER, "sweepmake", command, exit_path],
            dict(environment),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
            ],
            setpgroup=0,
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # Python ignores them, children should not
        )
        os.close(output)
        if self.caught:  # a signal came before there was anyone to pass it on to
            self._kill(self.caught)
            signal.alarm(GRACE_S)

    def wait(self) -> tuple[int, resource.struct_rusage]:
        """Return the exit code (128 + n for signal n) and the resources used."""
        _, status, usage = os.wait4(self.pid, 0)
        signal.alarm(0)
        self.pid = 0
        code = os.waitstatus_to_exitcode(status)
        code = code if code >= 0 else 128 - code
        asked = code - 128 in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
        if asked and not self.caught:
            # Slurm's scancel signals all processes of a job, one after the other: if this one is
            # next, the run was interrupted, and did not fail
            time.sleep(LATE_S)
        return code, usage

    def _pass_on(self, number: int, _frame: object) -> None:
        again = self.caught
        if number == again and time.monotonic() - self._asked < ONCE_S:
            return
        self.caught = again or number
        self._asked = self._asked or time.monotonic()
        if self.pid:
            self._kill(signal.SIGKILL if again else number)
            signal.alarm(GRACE_S)

    def _insist(self, _number: int, _frame: object) -> None:
        self._stopping += 1
        self._kill(signal.SIGTERM if self._stopping == 1 else signal.SIGKILL)
        signal.alarm(GRACE_S)

    def _kill(self, number: int) -> None:
        # Until wait() has returned, the group's leader is there, at least as a zombie.
        os.killpg(self.pid, number)


def tee(log: int) -> tuple[int, int]:
    """Start `tee`; return its pid and a pipe: what is written there goes to terminal and log."""
    read, write = os.pipe()
    pid = os.posix_spawnp(
        "tee",
        ["tee", "-a", "/dev/stderr"],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, read, 0), (os.POSIX_SPAWN_DUP2, log, 1)],
        setpgroup=0,
    )
    os.close(read)
    os.close(log)
    return pid, write
