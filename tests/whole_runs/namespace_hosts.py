"""Hosts of a Ray cluster: network namespaces of this machine, joined by a bridge.

Each has its address, its host name and its Ray. Their `/tmp/ray` are apart, because
Rays that share it overwrite each other's files. Only root can make them.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

_PORT = 6379
_OWN_RAY = 'mkdir -p /tmp/ray; mount -t tmpfs ray /tmp/ray; hostname "$0"; exec "$@"'


def missing():
    """Why this machine cannot have such hosts; empty if it can."""
    if os.geteuid():
        return "only root can make network namespaces"
    if not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
        return "ip, unshare or nsenter is not installed"
    made = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True)
    return "network namespaces are forbidden here" if made.returncode else ""


class NamespaceHosts:
    """Hosts `host0`, `host1` ... with these numbers of CPUs; the first is the head."""

    def __init__(self, *cpus):
        self._name = f"m{os.getpid() % 100_000}"
        self._network = f"10.231.{os.getpid() % 250}"
        self.address = f"{self._host(0)}:{_PORT}"
        self._rays = []
        self._ip("link", "add", self._name, "type", "bridge")
        self._ip("link", "set", self._name, "up")
        for index in range(len(cpus)):
            self._make(index)
        for index, number in enumerate(cpus):
            self._rays.append(self._start_ray(index, number))
            self._await_members(index + 1)

    def _host(self, index):
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
        self._ip(*inside, "addr", "add", f"{self._host(index)}/24", "dev", "eth0")
        self._ip(*inside, "link", "set", "eth0", "up")
        self._ip(*inside, "link", "set", "lo", "up")

    def _start_ray(self, index, cpus):
        words = [str(Path(sys.executable).with_name("ray")), "start", "--block"]
        words += [f"--node-ip-address={self._host(index)}", f"--num-cpus={cpus}"]
        words += ["--disable-usage-stats"]
        if index:
            words += [f"--address={self.address}"]
        else:
            words += ["--head", f"--port={_PORT}", "--include-dashboard=false"]
        shell = ["unshare", "--mount", "--uts", "sh", "-ec", _OWN_RAY, f"host{index}"]
        return subprocess.Popen(
            ["ip", "netns", "exec", self._space(index), *shell, *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _await_members(self, number):
        """Waits until the cluster has so many hosts."""
        code = (
            "import ray; ray.init(address='auto', logging_level='ERROR');"
            "print(sum(node['Alive'] for node in ray.nodes()))"
        )
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            command = [*self.inside(), sys.executable, "-c", code]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.stdout.strip() == str(number):
                return
            time.sleep(1)
        raise AssertionError(f"host {number} did not join: {done.stderr}")

    def inside(self):
        """The words that run a command on the head, in the present directory."""
        pid = str(self._rays[0].pid)
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
        for index, ray in enumerate(self._rays):
            listed = ["ip", "netns", "pids", self._space(index)]
            pids = subprocess.run(listed, capture_output=True, text=True).stdout.split()
            subprocess.run(["kill", "-9", *pids], stderr=subprocess.DEVNULL)
            ray.wait(60)
            self._ip("netns", "delete", self._space(index))
        self._ip("link", "delete", self._name)
