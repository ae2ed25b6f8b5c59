"""Hosts of a cluster: network namespaces of this machine, joined by a bridge.

Each has its address and its host name, and runs one program: its Ray, or a server of
ssh. Their `/tmp/ray` are apart, because Rays that share it overwrite the files of each
other. Only root can make them.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

_PORT = 6379
# Shells of a login on these hosts find the programs of this environment.
_OWN = """\
mkdir -p /tmp/ray /run/sshd
mount -t tmpfs ray /tmp/ray
mount -t tmpfs profile /etc/profile.d
echo "PATH=$1:\\$PATH" >/etc/profile.d/path.sh
hostname "$0"
shift
exec "$@"
"""


def missing():
    """Why this machine cannot have such hosts; empty if it can."""
    if os.geteuid():
        return "only root can make network namespaces"
    if not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
        return "ip, unshare or nsenter is not installed"
    made = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True)
    return "network namespaces are forbidden here" if made.returncode else ""


class NamespaceHosts:
    """Hosts `host0`, `host1` ...; the first is the head."""

    def __init__(self, number):
        self._name = f"m{os.getpid() % 100_000}"
        self._network = f"10.231.{os.getpid() % 250}"
        self._programs = []
        self._ip("link", "add", self._name, "type", "bridge")
        self._ip("link", "set", self._name, "up")
        self._gateway = f"{self._network}.254"
        self._ip("addr", "add", f"{self._gateway}/24", "dev", self._name)
        for index in range(number):
            self._make(index)

    def host(self, index):
        """The address of a host."""
        return f"{self._network}.{index + 1}"

    def _space(self, index):
        return f"{self._name}h{index}"

    def _link(self, index):
        return f"{self._name}v{index}"

    def _ip(self, *words):
        subprocess.run(["ip", *words], check=True)

    def _make(self, index):
        space, link = self._space(index), self._link(index)
        self._ip("netns", "add", space)
        self._ip(*f"link add {link} type veth peer name eth0 netns {space}".split())
        self._ip("link", "set", link, "master", self._name, "up")
        inside = ("-n", space)
        self._ip(*inside, "addr", "add", f"{self.host(index)}/24", "dev", "eth0")
        self._ip(*inside, "link", "set", "eth0", "up")
        self._ip(*inside, "link", "set", "lo", "up")
        # A Ray that is not told its address takes that of the way to other networks.
        self._ip(*inside, "route", "add", "default", "via", self._gateway)

    def start(self, *words):
        """Starts the program of the next host."""
        index, programs = len(self._programs), str(Path(sys.executable).parent)
        shell = ["unshare", "--mount", "--uts", "sh", "-ec", _OWN, f"host{index}"]
        started = subprocess.Popen(
            ["ip", "netns", "exec", self._space(index), *shell, programs, *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._programs.append(started)

    def inside(self):
        """The words that run a command on the head, in the present directory."""
        pid = str(self._programs[0].pid)
        enter = ["nsenter", "--target", pid, "--net", "--mount", "--uts"]
        return [*enter, "env", f"--chdir={Path.cwd()}"]

    def cut_off(self, index):
        """No packet reaches or leaves this host from now on."""
        self._ip("link", "set", self._link(index), "down")

    def connect(self, index):
        """Ends `cut_off`."""
        self._ip("link", "set", self._link(index), "up")

    def close(self):
        """Kills everything on the hosts, and removes them."""
        for index, program in enumerate(self._programs):
            listed = ["ip", "netns", "pids", self._space(index)]
            pids = subprocess.run(listed, capture_output=True, text=True).stdout.split()
            subprocess.run(["kill", "-9", *pids], stderr=subprocess.DEVNULL)
            program.wait(60)
            self._ip("netns", "delete", self._space(index))
        self._ip("link", "delete", self._name)


def start_rays(hosts, *cpus):
    """Starts a Ray with a number of CPUs on each host; returns their address."""
    address = f"{hosts.host(0)}:{_PORT}"
    for index, number in enumerate(cpus):
        words = [str(Path(sys.executable).with_name("ray")), "start", "--block"]
        words += [f"--node-ip-address={hosts.host(index)}", f"--num-cpus={number}"]
        words += ["--disable-usage-stats"]
        if index:
            words += [f"--address={address}"]
        else:
            words += ["--head", f"--port={_PORT}", "--include-dashboard=false"]
        hosts.start(*words)
        _await_members(hosts, index + 1)
    return address


def _await_members(hosts, number):
    """Waits until the cluster has so many hosts."""
    code = (
        "import ray; ray.init(address='auto', logging_level='ERROR');"
        "print(sum(node['Alive'] for node in ray.nodes()))"
    )
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        command = [*hosts.inside(), sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.stdout.strip() == str(number):
            return
        time.sleep(1)
    raise AssertionError(f"host {number} did not join: {done.stderr}")


def start_ssh(hosts, number, folder):
    """Starts a server of ssh on each host.

    Args:
        hosts: without programs yet.
        number: of hosts.
        folder: for keys; a program `ssh` in it reaches the hosts without a question.
    """
    for name in ("host", "user"):
        key = ["-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(["ssh-keygen", *key], check=True)
    options = {
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "user.pub",
        "StrictModes": "no",
        "UsePAM": "no",
        "PidFile": "none",
        "PermitRootLogin": "yes",
    }
    words = [f"-o{name}={value}" for name, value in options.items()]
    for _ in range(number):
        hosts.start("/usr/sbin/sshd", "-D", "-f", "/dev/null", *words)
    known = "-oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oLogLevel=ERROR"
    program = folder / "ssh"
    program.write_text(
        f'#!/bin/sh\nexec {shutil.which("ssh")} -i {folder}/user {known} "$@"\n'
    )
    program.chmod(0o755)
