"""Isolated programs, and hosts with public addresses."""

import os
import subprocess
import sys

import pytest

from launch import reach
from launch.surroundings import Unfit

PRIVATE = ("10.7.0.3", "172.16.5.1", "192.168.9.4", "127.0.0.1", "169.254.1.1", "::1")
PRIVATE_6 = ("fe80::3%eth0", "fd00::7", "100.64.0.9")
PROBE = """
import os, socket
from launch import reach
before = os.readlink("/proc/self/ns/net"), os.getpid(), os.getuid(), os.getgid()
reach.isolate()
after = os.readlink("/proc/self/ns/net"), os.getpid(), os.getuid(), os.getgid()
print(before[0] != after[0], before[1:] == after[1:])
with socket.create_server(("127.0.0.1", 0)) as server:
    print(socket.create_connection(server.getsockname(), 5).getpeername()[0])
try:
    socket.create_connection(("192.0.2.1", 9), 5)
except OSError as error:
    print(error.strerror)
"""


def run(code, *before):
    """Runs Python code in a new process, below the words of another command."""
    return subprocess.run(
        [*before, sys.executable, "-c", code],
        cwd=os.path.dirname(os.path.dirname(reach.__file__)),
        capture_output=True,
        text=True,
        timeout=60,
    )


def allowed(*words):
    """Whether this machine lets a command start in such namespaces."""
    return not subprocess.run([*words, "true"], capture_output=True).returncode


needs_namespaces = pytest.mark.skipif(
    not allowed("unshare", "-Urn"), reason="namespaces are forbidden here"
)


@needs_namespaces
@pytest.mark.parametrize("user", [(), ("setpriv", "--reuid=65534", "--clear-groups")])
def test_an_isolated_process_reaches_itself_and_nothing_else(user):
    if user and not allowed(*user):
        pytest.skip("only root can be another user")
    if user and not allowed(*user, sys.executable, "-c", ""):
        pytest.skip("another user cannot read this Python")
    done = run(PROBE, *user)
    assert done.stdout.splitlines() == [
        "True True",
        "127.0.0.1",
        "Network is unreachable",
    ], done.stderr


@needs_namespaces
def test_a_machine_without_namespaces_is_refused_in_one_line():
    forbid = (
        "echo 0 >/proc/sys/user/max_user_namespaces; "
        'echo 0 >/proc/sys/user/max_net_namespaces; exec "$@"'
    )
    code = (
        "from launch import reach, surroundings\n"
        "try: reach.isolate()\n"
        "except surroundings.Unfit as error: print(error)"
    )
    done = run(code, "unshare", "-Ur", "sh", "-c", forbid, "-")
    assert done.stdout == (
        "--isolate needs a network namespace, and this machine allows none: no space "
        "left on device; allow user namespaces (user.max_user_namespaces, or the "
        "container's profile), or remove --isolate on a private network\n"
    ), done.stderr


def test_private_addresses_are_accepted():
    reach.refuse_public([*PRIVATE, *PRIVATE_6], allowed=False)


@pytest.mark.parametrize("public", ["8.8.4.4", "2a00:1450:4001:80b::200e"])
def test_a_public_address_is_refused_unless_a_firewall_guards_it(public):
    with pytest.raises(Unfit) as refused:
        reach.refuse_public(["10.7.0.3", public], allowed=False)
    assert str(refused.value) == (
        "a program of several machines must be on a private network, since whoever "
        "reaches a port of its roles can run code as you; this host has the public "
        f"address {public}; guard the ports with the rules of `munchausen cluster "
        "firewall` and add --i-have-a-firewall"
    )
    reach.refuse_public(["10.7.0.3", public], allowed=True)


def test_own_addresses_are_addresses():
    found = reach.own_addresses()
    assert "127.0.0.1" in found
    reach.refuse_public(found, allowed=True)


def test_the_address_toward_this_host_is_its_own():
    assert reach.own_address("127.0.0.1") == "127.0.0.1"
