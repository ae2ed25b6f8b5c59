"""Who can reach the ports of a program: no other machine, or only a private network.

Courier and Reverb listen on every interface without a password, and Courier unpickles:
whoever reaches such a port can do what the user of the program can do.
"""

import ctypes
import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from launch.surroundings import Unfit

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # linux/sched.h
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1  # linux/sockios.h, linux/if.h
_REQUEST = struct.Struct("16sH14x")  # struct ifreq, with its flags


def isolate() -> None:
    """Moves this process and its future children into a new network.

    That network has nothing but a loopback device, so no other machine and no other
    process of this one reaches a port there. Process, terminal, files and signals stay
    as they are. The process must have one thread: others would stay outside.

    Raises:
        Unfit: this machine allows no such namespaces.
    """
    threads = len(os.listdir("/proc/self/task"))
    assert threads == 1, f"a process with {threads} threads cannot be isolated"
    user, group = os.geteuid(), os.getegid()
    try:
        try:
            _unshare(_NEW_NETWORK)  # root needs no other user namespace
        except PermissionError:
            _unshare(_NEW_USER | _NEW_NETWORK)
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        _start_loopback()
    except OSError as error:
        raise Unfit(
            "--isolate needs a network namespace, and this machine allows none: "
            f"{str(error.strerror).lower()}",
            "allow user namespaces (user.max_user_namespaces, or the container's "
            "profile), or remove --isolate on a private network",
        ) from error


def _unshare(namespaces: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)  # Python has os.unshare from 3.12 on
    if library.unshare(namespaces):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _start_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        answer = fcntl.ioctl(device, _GET_FLAGS, _REQUEST.pack(b"lo", 0))
        _, flags = _REQUEST.unpack(answer)
        fcntl.ioctl(device, _SET_FLAGS, _REQUEST.pack(b"lo", flags | _UP))


def refuse_public(addresses: Iterable[str], allowed: bool) -> None:
    """Refuses a program of several machines on a host with a public address.

    Args:
        addresses: all addresses of the host, such as `10.0.0.3` or `fe80::1%eth0`.
        allowed: whether the user has said that a firewall guards its ports.

    Raises:
        Unfit: an address is public, and the user has not said so.
    """
    public = [each for each in addresses if ipaddress.ip_address(each).is_global]
    if public and not allowed:
        raise Unfit(
            "a program of several machines must be on a private network, since whoever "
            "reaches a port of its roles can run code as you; this host has the public "
            f"address {public[0]}",
            "guard the ports with the rules of `munchausen cluster firewall` and add "
            "--i-have-a-firewall",
        )


def own_address(toward: str) -> str:
    """The address of the interface through which this host reaches another one.

    Args:
        toward: address of the other host; no packet is sent to it.

    Raises:
        OSError: this host has no route to the other one.
    """
    family = socket.AF_INET6 if ":" in toward else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((toward, 9))
        return str(probe.getsockname()[0])


def own_addresses() -> list[str]:
    """All addresses of this host's interfaces."""
    import psutil  # late: only programs of several machines need it

    families = (socket.AF_INET, socket.AF_INET6)
    return [
        each.address
        for interface in psutil.net_if_addrs().values()
        for each in interface
        if each.family in families
    ]
