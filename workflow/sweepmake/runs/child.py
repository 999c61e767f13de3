"""The command of a run as a child process: its start, the signals that reach it, its end.

The command runs under two shells in one process group: the inner one, bash, executes it and writes
down its exit code; the outer one does so where the inner one could not, and marks it. So it is
known, whatever was killed, whether the command ended or a shell died under it.
"""

from __future__ import annotations

import os
import time

from sweepmake.runs import groups, records

TYPE_CHECKING = False
if TYPE_CHECKING:
    import resource
    import signal
    from collections.abc import Callable, Mapping
else:
    import _signal as signal  # the C part of signal: the Python part imports enum, 5 ms

__all__ = ["GRACE_S", "Child", "end_at_once", "tee"]

# The outer shell has a trap, not the default action, so that it outlives a Ctrl-C that the command
# still handles; a trap, unlike an ignored signal, is not inherited. What the inner shell has
# written counts where it is what the outer one saw: a shell that a signal ends may write nonsense.
WRAPPER = (
    'trap : INT TERM HUP; /bin/bash -c "$1"; code=$?; { read -r seen < "$2"; } 2>/dev/null; '
    '[ "$seen" = $code ] || echo $code shell 2>/dev/null 1<>"$2"; exit $code'
)
START_UP = __file__.rpartition("/")[0] + "/command.bash"
GRACE_S = 20.0  # from the first signal to SIGKILL
AGAIN_S = 1.0  # by which one Ctrl-C comes from the terminal and from the workflow
LATE_S = 0.5  # by which a scheduler's signal may reach this program after the command
LINGER_S = 2.0  # in which what reads the command's output (`> >(tee log)`) comes to its end
LONGEST_PAUSE_S = 0.5  # between two looks at a group whose shell has ended


def end_at_once() -> None:
    """Let Ctrl-C end this program as other signals do, while there is no command to pass it on to.

    What it waits for (a lock, a GPU) may be hours away, and the system frees what it holds.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Child:
    """A command under /bin/bash, in a process group of its own.

    Attributes:
        pid: the process group while any of it lives, else 0.
        caught: the first signal that asked this program to end, else 0.
        ended_for: the reason for which `look` had the command ended, else "".
        interrupted: whether it did not come to its end: a signal asked this program to end it, or
            its shell was killed while what it had started lived on.
    """

    __slots__ = (
        "_caught_at",
        "_exit_path",
        "_grace_s",
        "_kill_at",
        "_owed",
        "_tell",
        "caught",
        "ended_for",
        "interrupted",
        "pid",
    )

    def __init__(
        self, grace_s: float = GRACE_S, tell: Callable[[str], None] = lambda _words: None
    ) -> None:
        """Make a child that is not started yet.

        Args:
            grace_s: seconds from the first signal that asks the command to end to SIGKILL.
            tell: is told in a few words what the user should know.
        """
        self.pid = 0
        self.caught = 0
        self.ended_for = ""
        self.interrupted = False
        self._caught_at = 0.0
        self._grace_s = grace_s
        self._tell = tell
        self._exit_path = ""
        self._kill_at = 0.0  # on the monotonic clock, once the command has been asked to end
        self._owed = 0  # a signal that came when there was no group to send it to

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
        self._exit_path = os.path.join(os.getcwd(), exit_path)
        told = dict(environment)
        if "BASH_ENV" in told:
            told["SWEEPMAKE_BASH_ENV"] = told["BASH_ENV"]
        told["BASH_ENV"] = START_UP
        told["SWEEPMAKE_EXIT"] = self._exit_path
        try:
            self.pid = os.posix_spawn(
                "/bin/sh",
                ["/bin/sh", "-c", WRAPPER, "sweepmake", command, self._exit_path],
                told,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, output, 1),
                    (os.POSIX_SPAWN_DUP2, output, 2),
                ],
                setpgroup=0,
                # Python ignores two of them, who starts a workflow with & the third; the command
                # shall not
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT],
            )
        finally:
            os.close(output)
        self._send_owed()

    def wait(
        self, look: Callable[[], str] | None = None, every_s: float = 1.0
    ) -> tuple[int, resource.struct_rusage]:
        """Wait until no process of the group is left.

        Args:
            look: is called every so often while the command runs; where it returns a reason, the
                command gets SIGTERM and, after the grace time, SIGKILL, and `ended_for` is the
                reason. Without it nothing wakes up.
            every_s: seconds between two calls.

        Returns:
            The exit code (128 + n for signal n) and the resources used.
        """
        self._await_shell(look, every_s)
        # Once it is reaped its number can be given out again: no handler may use it any more.
        group, self.pid = self.pid, 0
        _, status, usage = os.wait4(group, 0)
        code = os.waitstatus_to_exitcode(status)
        code = code if code >= 0 else 128 - code
        asked = code - 128 in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
        if groups.is_left(group):
            self.pid = group
            self._send_owed()
        if asked and not self.caught:
            # Slurm's scancel signals all processes of a job, one after the other: if this one is
            # next, the run was interrupted, and did not fail
            time.sleep(LATE_S)
        if self.pid:
            code = self._await_group(code, look, every_s)
        self.pid = 0
        signal.setitimer(signal.ITIMER_REAL, 0)
        # a command that had come to a good end when the signal came has finished
        if self.caught and (code or self._written() != (0, True)):
            self.interrupted = True
        return code, usage

    def end(self, reason: str) -> None:
        """Ask the command to end, for a reason; after the grace time it is killed."""
        self.ended_for = self.ended_for or reason
        self._stop(signal.SIGTERM)

    def kill(self) -> None:
        """Kill what there is of the group at once, and see it end."""
        group = self.pid
        if not group:
            return
        self._send(signal.SIGKILL)
        try:  # noqa: SIM105 - contextlib is slow to import
            os.waitpid(group, 0)
        except ChildProcessError:
            pass  # it has been reaped already, but not the rest of the group
        while groups.members(group):
            self._send(signal.SIGKILL)
            time.sleep(0.01)
        self.pid = 0

    def _await_shell(self, look: Callable[[], str] | None, every_s: float) -> None:
        """Wait for the end of the outer shell, as a zombie, whose number is nobody else's."""
        how = os.WEXITED | os.WNOWAIT
        if look is not None:
            # it waits in the kernel, also between two looks: the end is noticed at once
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
            next_look = time.monotonic() + every_s
            while not self.ended_for:
                if os.waitid(os.P_PID, self.pid, how | os.WNOHANG) is not None:
                    return
                pause = next_look - time.monotonic()
                if pause > 0:
                    signal.sigtimedwait([signal.SIGCHLD], pause)
                else:
                    self._look(look)
                    next_look = time.monotonic() + every_s
        os.waitid(os.P_PID, self.pid, how)

    def _await_group(self, code: int, look: Callable[[], str] | None, every_s: float) -> int:
        """Wait until the last process of a group has ended whose outer shell is gone.

        What is left after the command's own end is ended. Where a shell was killed, the rest is
        waited for: it is the training.

        Returns:
            The exit code: the inner shell's, if that lived longer than the outer one.
        """
        pause, began = 0.005, time.monotonic()
        next_look = began + every_s
        told = False
        while left := groups.members(self.pid):
            now = time.monotonic()
            died = code > 128 and not self._written()[1]
            if died and not told and not self._kill_at:
                told = True
                self._tell(f"WAIT    for what its killed shell has left: {groups.name(left)}")
            elif not died and not self._kill_at and now > began + LINGER_S:
                self._tell(f"LEFT    ended what the command left behind: {groups.name(left)}")
                self._stop(signal.SIGTERM)
            if look is not None and not self.ended_for and now > next_look:
                self._look(look)
                next_look = now + every_s
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
        written, by_itself = self._written()
        self.interrupted = told and not by_itself
        return written if by_itself and written is not None else code

    def _written(self) -> tuple[int | None, bool]:
        """Return the exit code that a shell has written, and whether it was the command's own."""
        try:
            return records.read_exit(self._exit_path)
        except OSError:
            return None, False  # as if it could not write: nobody else may end because of that

    def _look(self, look: Callable[[], str]) -> None:
        try:
            reason = look()
        except OSError:
            return  # no file descriptors at this moment: there will be another look
        if reason:
            self.end(reason)

    def _pass_on(self, number: int, _frame: object) -> None:
        now = time.monotonic()
        if not self.caught:
            self.caught, self._caught_at = number, now
            self._stop(number)
        elif number == self.caught and now - self._caught_at > AGAIN_S:
            self._stop(signal.SIGKILL)
        # else it is the same wish in another way, and the command is at work on it already

    def _stop(self, number: int) -> None:
        """Send the group a signal; the first one begins the grace time."""
        self._send(number)
        if not self._kill_at:
            self._kill_at = time.monotonic() + self._grace_s
            # halfway, what was asked in another way than by SIGTERM is asked by it
            share = 1.0 if number == signal.SIGTERM else 0.5
            signal.setitimer(signal.ITIMER_REAL, share * self._grace_s)

    def _insist(self, _number: int, _frame: object) -> None:
        left = self._kill_at - time.monotonic()
        self._send(signal.SIGTERM if left > 0.01 else signal.SIGKILL)
        signal.setitimer(signal.ITIMER_REAL, max(left, 0.5))

    def _send(self, number: int) -> None:
        if not self.pid:
            self._owed = number
            return
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return  # the last one has just ended

    def _send_owed(self) -> None:
        """Send what came before there was anyone to send it to."""
        number, self._owed = self._owed, 0
        if number:
            self._send(number)


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
