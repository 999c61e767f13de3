"""A real Slurm with fake GPUs on one machine, in one temporary folder.

Needs root and Debian's packages slurm-wlm and munge; touches nothing outside its folder. Several
can run at a time. By hand, from the repository's root:

    python tests/cluster/slurm.py bash          # a shell in which sbatch, squeue, srun work
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Slurm", "SlurmError", "why_not"]

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol",
            "sinfo", "setpriv")  # fmt: skip
START_S = 30  # the longest wait for the nodes; about one second is usual
STOP_S = 15  # the longest wait for a daemon, or for the last jobs, to end
POLL_S = 0.1

# Several slurmd share one host (Debian builds them so), each under a node name of its own.
# MinJobAge: without accounting, an ended job's state is known only so long (seconds).
# config_overrides: a node may claim more cores than the machine has.
SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
MinJobAge=3600
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerParameters=bf_interval=1,sched_interval=5,batch_sched_delay=0,sched_min_interval=0
{nodes}
PartitionName=main Nodes=ALL Default=YES State=UP
"""
NODE = (
    "NodeName={name} NodeAddr=127.0.0.1 NodeHostname={host} Port={port} "
    "CPUs={cpus} RealMemory={memory_mb} Gres=gpu:{gpus}"
)

# The jobstep plugin of Snakemake strips most SLURM_* variables before it calls srun
# (snakemake_executor_plugin_slurm_jobstep 0.6.1), also the one that says where this Slurm is. Where
# it is set it stays: the srun that is started here may be such a script, of an outer Slurm.
SRUN = """\
#!/bin/sh
SLURM_CONF="${{SLURM_CONF:-{conf}}}" exec '{srun}' "$@"
"""


class SlurmError(Exception):
    """Slurm did not start; the message has the ends of its logs."""


def why_not() -> str | None:
    """Return why no Slurm can be started here, or None where it can."""
    if os.geteuid() != 0:
        return "Slurm's daemons need root"
    path = _with_sbin(os.environ)
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (apt-get install slurm-wlm munge)"
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        try:
            _make_gpu(Path(folder) / "gpu0")
        except OSError as error:
            return f"no device files can be made, which the fake GPUs need: {error}"
    return None


class Slurm:
    """One Slurm: a controller and some nodes, started on entry, stopped and removed on exit.

    Attributes:
        folder: where everything lies: configuration, logs, state.
        environment: the environment variables for programs that shall use this Slurm.
        nodes: the nodes' names.
        gpus: how many fake GPUs each node has; their ids are 0, 1, … on every node.
    """

    def __init__(
        self, nodes: int = 2, gpus: int = 4, cpus: int = 16, memory_mb: int = 20000
    ) -> None:
        self.nodes = tuple(f"node{number}" for number in range(1, nodes + 1))
        self.gpus = gpus
        self._cpus = cpus
        self._memory_mb = memory_mb
        self._stack = ExitStack()
        self.folder = Path()
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the daemons and wait until every node is idle.

        Raises:
            SlurmError: they are not after START_S seconds, or a daemon has ended.
        """
        # /tmp and a short name: the path of munge's socket must stay below 108 bytes
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        try:
            self._configure()
            self._start_daemons()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Cancel every job, stop the daemons, end what they left behind, remove the folder."""
        self._stack.close()

    def run(self, *command: str, check: bool = True) -> str:
        """Return what a program writes that uses this Slurm: `slurm.run("squeue", "-h")`."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=check, timeout=60
        )
        return done.stdout

    def jobs(self) -> dict[str, dict[str, str]]:
        """Return all jobs, ended ones too: id → field → value, as `scontrol show job` has them."""
        found: dict[str, dict[str, str]] = {}
        # -o: one line per job, such as "JobId=7 JobName=wrap … NumTasks=1 … TresPerJob=gres:gpu:1"
        for line in self.run("scontrol", "-o", "show", "job").splitlines():
            fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
            if "JobId" in fields:
                found[fields["JobId"]] = fields
        return found

    def _configure(self) -> None:
        for name in ("bin", "dev", "etc", "munge", "state", *(f"spool/{n}" for n in self.nodes)):
            (self.folder / name).mkdir(parents=True, mode=0o755)
        self.folder.chmod(0o755)  # munge insists that others can reach its socket
        for number in range(self.gpus):
            _make_gpu(self.folder / f"dev/gpu{number}")
        host = socket.gethostname().partition(".")[0]
        control_port, *ports = _free_ports(1 + len(self.nodes))
        nodes = [
            NODE.format(name=name, host=host, port=port, cpus=self._cpus,
                        memory_mb=self._memory_mb, gpus=self.gpus)
            for name, port in zip(self.nodes, ports, strict=True)
        ]  # fmt: skip
        conf = self.folder / "etc/slurm.conf"
        conf.write_text(
            SLURM_CONF.format(
                host=host, control_port=control_port, folder=self.folder, nodes="\n".join(nodes)
            )
        )
        gpus = f"Name=gpu File={self.folder}/dev/gpu[0-{self.gpus - 1}]"
        (self.folder / "etc/gres.conf").write_text(
            "".join(f"NodeName={name} {gpus}\n" for name in self.nodes)
        )
        key = self.folder / "munge/key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        path = _with_sbin(os.environ)
        srun = self.folder / "bin/srun"
        srun.write_text(SRUN.format(conf=conf, srun=shutil.which("srun", path=path)))
        srun.chmod(0o755)
        # a Slurm job in which this runs would lead our programs to its own Slurm
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_"))}
        self.environment = {
            **clean,
            "SLURM_CONF": str(conf),
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{path}",
        }

    def _start_daemons(self) -> None:
        munge = self.folder / "munge"
        self._daemon(
            "munged", "--foreground", f"--socket={munge}/socket", f"--key-file={munge}/key",
            f"--pid-file={munge}/pid", f"--log-file={munge}/log", f"--seed-file={munge}/seed",
        )  # fmt: skip
        self._wait_for("munge's socket", lambda: (munge / "socket").exists())
        self._stack.callback(self._end_leftovers)
        daemons = [self._daemon("slurmctld", "-D")]
        daemons += [self._daemon("slurmd", "-D", "-N", name) for name in self.nodes]
        self._stack.callback(self._cancel_all)

        def all_idle() -> bool:
            for daemon in daemons:
                if daemon.poll() is not None:
                    raise SlurmError(f"a daemon has ended: {daemon.args}\n{self._log_ends()}")
            states = self.run("sinfo", "-h", "-N", "-o", "%T", check=False).split()
            return states == ["idle"] * len(self.nodes)

        self._wait_for("idle nodes", all_idle)

    def _daemon(self, *command: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{command[0]}.out").open("ab")
        with log:
            # should this process be killed, its daemons end with it
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *command],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for this process; it stops them in order
            )
        self._stack.callback(_end, process)
        return process

    def _wait_for(self, what: str, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_S
        while not happened():
            if time.monotonic() > deadline:
                raise SlurmError(f"no {what} after {START_S} s\n{self._log_ends()}")
            time.sleep(POLL_S)

    def _cancel_all(self) -> None:
        """Cancel every job and wait until none is left: then no slurmstepd is left either."""
        self.run("scancel", "--user=root", "--full", check=False)
        deadline = time.monotonic() + STOP_S
        while self.run("squeue", "-h", check=False).strip() and time.monotonic() < deadline:
            time.sleep(POLL_S)

    def _end_leftovers(self) -> None:
        """End what has outlived the daemons: it is known by the SLURM_CONF that it inherited."""
        mark = f"SLURM_CONF={self.folder}/etc/slurm.conf".encode()
        for environ in Path("/proc").glob("[0-9]*/environ"):
            try:
                ours = mark in environ.read_bytes().split(b"\0")
                if ours and int(environ.parent.name) != os.getpid():
                    os.kill(int(environ.parent.name), signal.SIGKILL)
            except (OSError, ProcessLookupError):
                continue  # it has just ended

    def _log_ends(self) -> str:
        ends = []
        for log in sorted([*self.folder.glob("*.log"), *self.folder.glob("*.out")]):
            lines = log.read_text(errors="replace").splitlines()[-15:]
            ends += [f"--- {log.name}", *lines]
        return "\n".join(ends)


def _with_sbin(environment: os._Environ[str] | dict[str, str]) -> str:
    """Return PATH with the folders of daemons, which a user's PATH often lacks."""
    parts = [p for p in environment.get("PATH", "").split(os.pathsep) if p]
    missing = [folder for folder in ("/usr/sbin", "/sbin") if folder not in parts]
    return os.pathsep.join([*parts, *missing])


def _make_gpu(path: Path) -> None:
    """Make a fake GPU: /dev/null under another name. Slurm gives out no ids for ordinary files."""
    os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on; all are held until the last is found."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _terminated_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end this program as Ctrl-C does: in order."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main(command: list[str]) -> int:
    """Run a command with a Slurm of its own; return its exit code."""
    if reason := why_not():
        print(f"no Slurm: {reason}", file=sys.stderr)
        return 1
    with _terminated_as_interrupt(), Slurm() as slurm:
        return subprocess.run(command or ["bash"], env=slurm.environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
