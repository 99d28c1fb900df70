"""Which process listens on a TCP port of this machine."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Collection

import psutil

_ADDRESSES = (
    (socket.AF_INET, "127.0.0.1"),
    (socket.AF_INET, "0.0.0.0"),  # noqa: S104 - only to ask whether it is free; nothing listens
    (socket.AF_INET6, "::1"),
)


def spare_port(other_than: int) -> int:
    """A port that nobody uses at this moment."""
    while True:
        with socket.socket() as asked:
            asked.bind(("127.0.0.1", 0))
            port: int = asked.getsockname()[1]
        if port != other_than:
            return port


def is_free(port: int) -> bool:
    """Whether a service of ours could listen there now."""
    return not any(_is_taken(kind, address, port) for kind, address in _ADDRESSES)


def listens(port: int, members: Collection[int]) -> bool:
    """Whether one of these processes listens on the port.

    Where the system hides who does (another user's process), somebody listening is taken for it.
    """
    hidden = False
    for pid in members:
        try:
            if _listens(psutil.Process(pid), port):
                return True
        except psutil.AccessDenied:
            hidden = True
        except psutil.Error:
            continue
    return hidden and not is_free(port)


def holder(port: int, but_not: Collection[int]) -> str:
    """Who else holds the port, in words; empty when it is free or held by one of ``but_not`` alone."""
    if is_free(port):
        return ""
    holders = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if _listens(process, port):
                holders.append(process)
    others = [process for process in holders if process.pid not in but_not]
    if others:
        return " and ".join(_name(process) for process in others)
    return "" if holders else "a process that the system does not show to this user"


def ports_of(members: Collection[int]) -> list[int]:
    """TCP ports that these processes listen on, as far as the system shows them."""
    ports: set[int] = set()
    for pid in members:
        with contextlib.suppress(psutil.Error):
            links = psutil.Process(pid).net_connections(kind="tcp")
            ports.update(link.laddr.port for link in links if link.status == psutil.CONN_LISTEN)
    return sorted(ports)


def _listens(process: psutil.Process, port: int) -> bool:
    return any(
        link.status == psutil.CONN_LISTEN and link.laddr and link.laddr.port == port
        for link in process.net_connections(kind="tcp")
    )


def _name(process: psutil.Process) -> str:
    try:
        return f"process {process.pid} ({process.name()})"
    except psutil.Error:
        return f"process {process.pid}"


def _is_taken(kind: socket.AddressFamily, address: str, port: int) -> bool:
    try:
        with socket.socket(kind) as asked:
            # As services do it: a connection of the last one that still winds down is no obstacle.
            asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            asked.bind((address, port))
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False
