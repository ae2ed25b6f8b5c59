"""Turns the nodes of a Launchpad program into bytes that a process anywhere can run."""

from collections.abc import Mapping

import cloudpickle
import launchpad as lp
from launchpad import address as lp_address
from launchpad.launch import serialization

_LAUNCH_TYPE = lp.context.LaunchType.LOCAL_MULTI_PROCESSING
# Runs a file of such bytes: `ENTRY --data_file=FILE --lp_task_id=0`.
ENTRY = "launchpad.nodes.python.process_entry"


class FixedAddress(lp_address.AbstractAddressBuilder):
    """An address that is known when the program is built."""

    def __init__(self, address: str):
        """Stores the address, `host:port`."""
        self._address = address

    def build(self) -> str:
        """The address."""
        return self._address


def make(
    program: lp.Program, addresses: Mapping[tuple[str, int], list[str]]
) -> dict[str, list[bytes]]:
    """Binds all addresses of a program; gives the bytes of each replica of each group.

    Args:
        program: the program; no address is bound yet.
        addresses: `host:port` of each server of a replica, by group and index; replicas
            without servers are left out.
    """
    for group, nodes in program.groups.items():
        for index, node in enumerate(nodes):
            node.launch_context.initialize(_LAUNCH_TYPE, None, _stop_nothing)
            bound = addresses.get((group, index), [])
            for address, text in zip(node.addresses, bound, strict=True):
                address.bind(FixedAddress(text))
    for group, nodes in program.groups.items():
        for node in nodes:
            for handle in node.input_handles:
                handle.connect(node, group)
    serialization.enable_lru_cache_pickling_once()
    return {
        group: [cloudpickle.dumps([node.function]) for node in nodes]
        for group, nodes in program.groups.items()
    }


def _stop_nothing() -> None:
    """Launchpad's stop signals the launcher's process, which may be elsewhere."""
    raise RuntimeError("a role that is a process must not stop the program")
