"""A Slurm of one node, this machine, in a temporary directory."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "sinfo")
CONFIGURATION = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={root}/munge.socket,cred_expire=5
CryptoType=crypto/munge
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=500 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing():
    """Why this machine cannot run it; empty if it can."""
    absent = [name for name in PROGRAMS if _find(name) is None]
    if absent:
        return f"not installed: {', '.join(absent)} (slurmd slurmctld munge)"
    return "" if os.geteuid() == 0 else "slurmd starts jobs as root only"


def _find(name):
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


class Slurm:
    """Commands of a Slurm that runs."""

    def __init__(self, root):
        self.root = root
        self._environment = {**os.environ, "SLURM_CONF": str(root / "slurm.conf")}

    def run(self, name, *arguments):
        """What a command prints."""
        done = subprocess.run(
            [_find(name), *arguments],
            env=self._environment,
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, (name, arguments, done.stderr)
        return done.stdout

    def start(self):
        host, ports = socket.gethostname(), [_free_port(), _free_port()]
        text = CONFIGURATION.format(
            host=host, ports=ports, root=self.root, cpus=os.cpu_count()
        )
        (self.root / "slurm.conf").write_text(text)
        (self.root / "munge.key").write_bytes(os.urandom(128))
        (self.root / "munge.key").chmod(0o400)
        self.run(
            "munged",
            "--force",
            *(
                f"--{flag}={self.root}/munge.{end}"
                for flag, end in (
                    ("key-file", "key"),
                    ("socket", "socket"),
                    ("pid-file", "pid"),
                    ("log-file", "log"),
                    ("seed-file", "seed"),
                )
            ),
        )
        self.run("slurmctld")
        self.run("slurmd")
        self.patiently("idle", lambda: "idle" in self.run("sinfo"), 60)

    def state(self, job):
        """State of a job, such as RUNNING."""
        found = self.run("scontrol", "show", "job", job)
        return found.partition("JobState=")[2].split()[0]

    def patiently(self, what, happened, seconds):
        deadline = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
            time.sleep(0.2)

    def stop(self):
        """Ends the daemons, each by its own process id, and waits for their end."""
        for name in ("slurmd", "slurmctld", "munge"):
            with contextlib.suppress(OSError, ValueError):
                pid = int((self.root / f"{name}.pid").read_text())
                os.kill(pid, signal.SIGTERM)
                ended = lambda pid=pid: not psutil.pid_exists(pid)  # noqa: E731
                self.patiently(f"the end of {name}", ended, 30)


@contextlib.contextmanager
def running(root):
    """Context manager: a Slurm of one node below `root`, whose path is short."""
    Path(root / "state").mkdir()
    Path(root / "spool").mkdir()
    slurm = Slurm(root)
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
