"""Gives each installation on this machine a block of loopback ports of its own, and keeps it."""

import fcntl
import hashlib
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAMES = (
    "amqp", "amqp_management", "erlang_distribution", "epmd", "postgres", "redis", "supervisor",
    "gateway", "ops_gateway", "ops_registration", "ops_identity", "ops_notification", "ops_history",
    "register", "smsc", "smsc_http", "mail", "mail_http", "amqp_metrics",
)  # fmt: skip
FIRST, LAST = 20_000, 32_000  # below the ports that Linux hands out to outgoing connections
BLOCK_SIZE = 20
REGISTRY = Path(tempfile.gettempdir()) / "vssid-native-ports.json"


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # left-overs of closed connections do no harm
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def kept(run: Path) -> dict[str, int] | None:
    """The ports chosen earlier for this folder, if any. A name that is new since then takes its place in the
    block, so that what runs stays where it is."""
    try:
        ports = json.loads((run / "ports.json").read_text())
    except FileNotFoundError:
        return None
    block = _block(ports["amqp"])
    return block if ports.items() <= block.items() else None


def choose(run: Path, registry: Path = REGISTRY) -> dict[str, int]:
    """Choose a free block for `run`, write it to ports.json and return name → port.

    The search starts at a place that depends on the folder's path, and passes over blocks that other
    folders keep, running or not, so that two clones chosen in the same second do not meet.
    """
    with _reservations(registry) as reserved:
        others = {first for folder, first in reserved.items() if folder != str(run) and kept(Path(folder))}
        ports = next(block for block in _blocks(run) if block["amqp"] not in others and _all_free(block))
        reserved[str(run)] = ports["amqp"]
        (run / "ports.json").write_text(json.dumps(ports, indent=1) + "\n")
    return ports


def _blocks(run: Path) -> Iterator[dict[str, int]]:
    count = (LAST - FIRST) // BLOCK_SIZE
    start = int.from_bytes(hashlib.sha256(str(run).encode()).digest()[:4], "big")
    for step in range(count):
        yield _block(FIRST + (start + step) % count * BLOCK_SIZE)
    raise RuntimeError(f"no {BLOCK_SIZE} free ports in a row between {FIRST} and {LAST}")


def _block(first: int) -> dict[str, int]:
    return {name: first + offset for offset, name in enumerate(NAMES)}


def _all_free(block: dict[str, int]) -> bool:
    return all(is_free(port) for port in block.values())


@contextmanager
def _reservations(registry: Path) -> Iterator[dict[str, int]]:
    """The machine-wide note of who keeps which block, locked while in use."""
    descriptor = os.open(registry, os.O_RDWR | os.O_CREAT, 0o666)
    with os.fdopen(descriptor, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            reserved = json.load(file)
        except json.JSONDecodeError:
            reserved = {}
        yield reserved
        file.seek(0)
        file.truncate()
        json.dump(reserved, file)
