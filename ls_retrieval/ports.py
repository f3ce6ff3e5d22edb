"""Ports to listen on."""

import socket

from label_configs.errors import Mendable

LOOPBACK = "127.0.0.1"


def free(port: int, purpose: str, host: str = LOOPBACK) -> int:
    """The port, seen to be free on that address; 0 lets the system choose. Raises Mendable where it is taken."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections are no listeners
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise Mendable(
                f"Port {port} cannot be used for {purpose}.",
                why=str(error),
                mend="Stop the program that listens there, or choose another port; 0 takes a free one.",
            ) from error
        return int(probe.getsockname()[1])


def usual(port: int, purpose: str) -> int:
    """The usual port for something where it is free, else any that is."""
    try:
        return free(port, purpose)
    except Mendable:
        return free(0, purpose)
