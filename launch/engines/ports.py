"""Free ports of a host, for the roles that other roles call.

A Ray actor on another host runs these functions, which therefore import no library.
"""

import errno
import socket


def reserve(low: int, high: int) -> socket.socket:
    """A socket that holds a free port of this host until it is closed.

    Args:
        low: the lowest port; 0: any free port.
        high: the highest port.

    Raises:
        OSError: all these ports are in use.
    """
    for port in range(low, high + 1) if low else (0,):
        try:
            return _bound(port)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    raise OSError(
        errno.EADDRINUSE,
        f"a port of {low}-{high} must be free on {socket.gethostname()}, found none",
    )


def _bound(port: int) -> socket.socket:
    """A socket bound to all interfaces, as the servers of Courier and Reverb are."""
    both = socket.has_dualstack_ipv6()
    held = socket.socket(socket.AF_INET6 if both else socket.AF_INET)
    try:
        if both:
            held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        held.bind(("", port))
    except OSError:
        held.close()
        raise
    return held
