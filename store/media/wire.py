"""Connections that go to the very address that was checked, and end when their time is over."""

import math
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpcore

from label_configs.errors import Unreadable

_EMBEDDING = (ip_network("64:ff9b::/96"), ip_network("::/96"))
"""IPv6 addresses that stand for the IPv4 address in their last 32 bits: by a gateway, or by an older standard."""
_LOCAL = ip_network("64:ff9b:1::/48")
"""The same for gateways of one network; `ipaddress` of older Pythons takes them for public."""


class Deadline(threading.local):
    """The moment (of the monotonic clock) at which the fetch of this thread has to be over."""

    at = math.inf

    def within(self, limit: float | None) -> float:
        """Seconds that one step may take: its own limit, or what is left. Raises ReadTimeout where nothing is."""
        left = min(self.at - time.monotonic(), math.inf if limit is None else limit)
        if left <= 0:
            raise httpcore.ReadTimeout("its time is over")
        return left


class Guarded(httpcore.NetworkBackend):
    """Opens connections to public addresses only.

    A name is resolved once, all its addresses are checked, and one of them is connected to: a name that resolves to
    another address a moment later gains nothing. Who names an address itself, in `allow`, means that address.
    trusted: hosts and ports that settings or environment name themselves, whatever they resolve to.
    """

    def __init__(self, deadline: Deadline, trusted: frozenset[tuple[str, int]], *, allow_private: bool) -> None:
        self._deadline, self._trusted, self._allow_private = deadline, trusted, allow_private
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first address of `host` that answers. Raises Unreadable for private ones."""
        refusal: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._addresses(host, port):
            try:
                left = self._deadline.within(timeout)
                opened = self._sockets.connect_tcp(address, port, left, local_address, socket_options)
            except httpcore.ConnectError as error:
                refusal = error
            else:
                return _Timed(opened, self._deadline)
        raise refusal

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except OSError as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved") from error
        exempt = self._allow_private or (host, port) in self._trusted or host in found
        private = [] if exempt else [address for address in found if not is_public(address)]
        if private:
            raise Unreadable(
                f"{host} is refused: it resolves to {private[0]}, an address that is not public.",
                mend="Where that is meant, name the address itself in allow, or set allow_private = true under [media]",
            )
        return found


class _Timed(httpcore.NetworkStream):
    """A connection none of whose steps outlasts the fetch."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.within(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.within(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._deadline.within(timeout)
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def is_public(address: str) -> bool:
    """Whether an address belongs to the open internet, the IPv4 address that it may wrap included."""
    parsed = ip_address(address.partition("%")[0])
    inner = _wrapped(parsed) if isinstance(parsed, IPv6Address) else None
    local = parsed.is_multicast or parsed in _LOCAL
    return parsed.is_global and not local and (inner is None or inner.is_global)


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    if any(address in network for network in _EMBEDDING):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
