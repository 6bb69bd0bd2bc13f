"""A TCP proxy that behaves badly when told to: delay, cuts in the middle, half-open connections.

It runs in a process of its own, ``python -m tests.faults.proxy HOST PORT...``, so that a busy test does not
slow it. It prints its port, then takes one JSON command a line on its standard input and answers each with a
line; it ends with that input. ``Proxy`` is the test's side of it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

CHUNK_BYTES = 64 * 1024
Pieces = asyncio.Queue[tuple[float, bytes]]
AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER that ends a connection with a reset, not with a goodbye."""


class Proxy:
    """A proxy in front of ``host``, listening on ``port`` of loopback. Of several ports it takes, for each
    connection, one that listens, as a load balancer does. Usable from any thread."""

    def __init__(self, host: str, *ports: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.proxy", host, *map(str, ports)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lock = threading.Lock()
        self.port: int = self._answer()["port"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it and every connection through it."""
        self._process.communicate()

    def flow(self) -> None:
        """Be a good proxy again; what was held back is forwarded."""
        self._tell("flow")

    def delay(self, seconds: float) -> None:
        """Forward everything this much later, in order."""
        self._tell("delay", seconds=seconds)

    def silence(self) -> None:
        """Half-open: accept connections and take data, forward none, until ``flow``."""
        self._tell("silence")

    def freeze(self) -> None:
        """Half-open for ever: the connections that stand stay open and dead. New ones flow."""
        self._tell("freeze")

    def cut(self) -> None:
        """Reset every connection that stands."""
        self._tell("cut")

    def refuse(self) -> None:
        """Reset every connection and accept no new one, until ``flow``."""
        self._tell("refuse")

    def cut_at(
        self, text: bytes = b"", *, sender: str = "server", keep_bytes: int = 0, times: int = 1
    ) -> None:
        """Cut a connection where ``sender`` ("server" or "client") sends ``text``, ``times`` times in all: of
        that piece only the first ``keep_bytes`` are still forwarded. Any piece holds the empty text."""
        self._tell("cut_at", text=text.decode("latin-1"), sender=sender, keep_bytes=keep_bytes, times=times)

    def counts(self) -> dict[str, int]:
        """``connections`` that stand, ``cuts`` made by ``cut_at`` so far."""
        return self._tell("counts")

    def _tell(self, command: str, **how: Any) -> dict[str, Any]:
        with self._lock:
            assert self._process.stdin is not None
            print(json.dumps({"do": command, **how}), file=self._process.stdin, flush=True)
            return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


# -- the process -------------------------------------------------------------------------------------------


@dataclass
class Cut:
    """What ``cut_at`` asked for."""

    text: bytes = b""
    sender: str = ""
    keep_bytes: int = 0
    times: int = 0


class Server:
    """Listens, and carries out the commands; a method for each."""

    def __init__(self, host: str, ports: Sequence[int]) -> None:
        self._host, self._ports = host, ports
        self.delay_seconds = 0.0
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.planned = Cut()
        self.cuts = 0
        self.connections: set[Connection] = set()
        self._listening: asyncio.Server | None = None
        self._port = 0

    async def listen(self) -> int:
        self._listening = await asyncio.start_server(
            self._accepted, "127.0.0.1", self._port, limit=CHUNK_BYTES, reuse_address=True
        )
        self._port = self._listening.sockets[0].getsockname()[1]
        return self._port

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self, writer)
        self.connections.add(connection)
        try:
            await connection.serve(reader)
        finally:
            connection.reset()
            self.connections.discard(connection)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to a port that listens. Raises ``OSError`` when none does."""
        refused = OSError()
        for port in random.sample(self._ports, len(self._ports)):
            try:
                return await asyncio.open_connection(self._host, port, limit=CHUNK_BYTES)
            except OSError as error:
                refused = error
        raise refused

    async def do_flow(self) -> None:
        self.delay_seconds, self.planned = 0.0, Cut()
        self.flowing.set()
        if self._listening is None:
            await self.listen()

    async def do_delay(self, seconds: float) -> None:
        self.delay_seconds = seconds

    async def do_silence(self) -> None:
        self.flowing.clear()

    async def do_freeze(self) -> None:
        for connection in self.connections:
            connection.dead = True

    async def do_cut(self) -> None:
        for connection in list(self.connections):
            connection.reset()

    async def do_refuse(self) -> None:
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        await self.do_cut()

    async def do_cut_at(self, text: str, sender: str, keep_bytes: int, times: int) -> None:
        self.planned = Cut(text.encode("latin-1"), sender, keep_bytes, times)

    async def do_counts(self) -> dict[str, int]:
        return {"connections": len(self.connections), "cuts": self.cuts}

    def cut_here(self, sender: str, piece: bytes) -> bool:
        """Whether the planned cut is to be made at this piece."""
        planned = self.planned
        if not planned.times or sender != planned.sender or planned.text not in piece:
            return False
        planned.times -= 1
        self.cuts += 1
        return True


class Connection:
    """A client's connection and the one to the target. ``dead``: nothing goes through any more."""

    def __init__(self, server: Server, client: asyncio.StreamWriter) -> None:
        self._server = server
        self._writers = [client]
        self._tasks: set[asyncio.Task[None]] = set()
        self.dead = False

    async def serve(self, from_client: asyncio.StreamReader) -> None:
        await self._server.flowing.wait()
        try:
            from_target, to_target = await self._server.connect()
        except OSError:
            return
        self._writers.append(to_target)
        ends = [
            asyncio.create_task(self._forward(sender, self._pieces(reader), writer))
            for sender, reader, writer in (
                ("client", from_client, to_target),
                ("server", from_target, self._writers[0]),
            )
        ]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in self._tasks | set(ends):
            task.cancel()

    def _pieces(self, reader: asyncio.StreamReader) -> Pieces:
        """What the reader gets, with the time at which to forward it; an empty piece ends it."""
        pieces: Pieces = asyncio.Queue(1000)

        async def read() -> None:
            piece = b"?"
            while piece:
                try:
                    piece = await reader.read(CHUNK_BYTES)
                except OSError:
                    piece = b""
                await pieces.put((asyncio.get_running_loop().time() + self._server.delay_seconds, piece))

        self._tasks.add(asyncio.create_task(read()))
        return pieces

    async def _forward(self, sender: str, pieces: Pieces, writer: asyncio.StreamWriter) -> None:
        """Forward until the sender ends, or is cut. A dead connection ends when its client goes."""
        while True:
            due, piece = await pieces.get()
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            await self._server.flowing.wait()
            if self.dead and (piece or sender == "server"):
                continue
            if not piece:
                return
            if self._server.cut_here(sender, piece):
                writer.write(piece[: self._server.planned.keep_bytes])
                return
            writer.write(piece)
            await writer.drain()

    def reset(self) -> None:
        """End both sides at once."""
        for writer in self._writers:
            connected: socket.socket | None = writer.get_extra_info("socket")
            if connected is not None and connected.fileno() >= 0 and not writer.transport.is_closing():
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            writer.transport.abort()


async def main(host: str, ports: Sequence[int]) -> None:
    """Serve, and carry out what the standard input says, until it ends."""
    server = Server(host, ports)
    print(json.dumps({"port": await server.listen()}), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        command: Callable[..., Any] = getattr(server, f"do_{order.pop('do')}")
        print(json.dumps(await command(**order) or {}), flush=True)
    os._exit(0)  # and every connection with it, at once


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], [int(port) for port in sys.argv[2:]]))
