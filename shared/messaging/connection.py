"""One AMQP connection that is kept up, read by one thread and written by another.

py-amqp is safe for one reader and one writer at a time, so every write is handed to the writer, which
sends all that has gathered with one system call; ``tls.Stream`` keeps that true over TLS. Threads are those
of the standard library: real ones in the gateway, green ones in a service (``shared/run.py`` patches them
before anything is imported).
"""

from __future__ import annotations

import contextlib
import functools
import queue
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import amqp
from amqp import serialization, spec
from amqp.transport import TCPTransport
from kombu.utils.url import parse_url

from shared import logs, tls

log = logs.get(__name__)

HEARTBEAT_SECONDS = 10
CONNECT_SECONDS = 5.0
RECONNECT_SECONDS = (0.05, 2.0)
READ_AHEAD_BYTES = 16 * 1024
UNREADABLE = "unreadable"
"""Property of a message whose own properties could not be read: the sender wrote them so."""

Setup = Callable[[amqp.Connection], None]
Write = Callable[[], None]


class LinkDown(Exception):
    """The connection is not up, or went down before the work was done."""


class Link:
    """A connection with its reader and writer; after a loss it reconnects and repeats the set-ups.

    ``setup`` functions open channels, declare consumers and so on; they run before reading starts.
    ``when_down`` functions are told of each loss, so that nobody waits for an answer that cannot come.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._setups: list[Setup] = []
        self._when_down: list[Callable[[], None]] = []
        self._writes: queue.SimpleQueue[tuple[int, Write] | None] = queue.SimpleQueue()
        self._connection: Any = None
        self._stopping = threading.Event()
        self._up = threading.Event()
        self.generation = 0
        """Counts the connections made; what belongs to an earlier one is void."""

    def on_connect(self, setup: Setup, when_down: Callable[[], None] | None = None) -> None:
        """Have ``setup(connection)`` run at each (re)connection; call before ``start``."""
        self._setups.append(setup)
        if when_down is not None:
            self._when_down.append(when_down)

    def start(self) -> None:
        """Start connecting in the background; returns at once."""
        threading.Thread(target=self._keep_up, name=f"amqp-{self._name}", daemon=True).start()

    def stop(self) -> None:
        """Send what is queued and close, within two seconds."""
        self._stopping.set()
        if self._up.is_set():
            flushed = threading.Event()
            self._writes.put((self.generation, flushed.set))
            flushed.wait(1.0)
        self._discard()

    @property
    def is_up(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return self._up.is_set()

    def wait_up(self, timeout_seconds: float) -> bool:
        """Wait until the connection stands; False when it did not in time."""
        return self._up.wait(timeout_seconds)

    def write(self, work: Write, generation: int | None = None) -> None:
        """Queue ``work``, which sends frames, for the writer. It is dropped when the connection it was meant
        for (``generation``) is gone. Without ``generation`` it raises ``LinkDown`` when there is none."""
        if generation is None and not self._up.is_set():
            raise LinkDown(self._name)
        self._writes.put((self.generation if generation is None else generation, work))

    def reset(self) -> None:
        """Throw the connection away, e.g. after an answer that did not come; a new one follows."""
        self._discard()

    # -- the life of a connection ------------------------------------------------------------------------

    def _keep_up(self) -> None:
        pause = RECONNECT_SECONDS[0]
        while not self._stopping.is_set():
            try:
                connection = self._connect()
            except Exception as error:
                log.warning("broker unreachable", link=self._name, error=type(error).__name__)
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
                pause = min(pause * 2, RECONNECT_SECONDS[1])
                continue
            pause = RECONNECT_SECONDS[0]
            self._read_until_lost(connection)

    def _connect(self) -> Any:
        connection = _connection(self._url, self._name, heartbeat=HEARTBEAT_SECONDS)
        self.generation += 1
        try:
            connection.connect()
            read_ahead(connection)
            with connection.transport.having_timeout(CONNECT_SECONDS):
                for setup in self._setups:
                    setup(connection)
        except Exception:
            _close_socket(connection)
            raise
        self._connection = connection
        self._up.set()
        threading.Thread(
            target=self._write_until_lost, args=(connection, self.generation), daemon=True
        ).start()
        log.info("broker connected", link=self._name, generation=self.generation)
        return connection

    def _read_until_lost(self, connection: Any) -> None:
        try:
            while self._connection is connection:
                connection.drain_events()
        except Exception as error:
            if self._connection is connection and not self._stopping.is_set():
                log.warning("broker lost", link=self._name, error=type(error).__name__)
        finally:
            self._discard(connection)
            _close_socket(connection)

    def _write_until_lost(self, connection: Any, generation: int) -> None:
        try:
            looked_at = time.monotonic()
            while self._connection is connection:
                works = self._gathered(HEARTBEAT_SECONDS / 4)
                with send_together(connection):
                    if time.monotonic() - looked_at > HEARTBEAT_SECONDS / 4:  # also while there is much to do
                        looked_at = time.monotonic()
                        connection.heartbeat_tick()
                    for work in works:
                        if work is not None and work[0] == generation:
                            work[1]()
        except Exception as error:
            if not self._stopping.is_set():
                log.warning("broker lost while writing", link=self._name, error=type(error).__name__)
        finally:
            self._discard(connection)

    def _gathered(self, patience_seconds: float) -> list[tuple[int, Write] | None]:
        """What has gathered to be written; waits for something, ``patience_seconds`` at the most."""
        works = []
        with contextlib.suppress(queue.Empty):
            works.append(self._writes.get(timeout=patience_seconds))
            while len(works) < 1000:
                works.append(self._writes.get_nowait())
        return works

    def _discard(self, connection: amqp.Connection | None = None) -> None:
        current = self._connection
        if current is None or (connection is not None and connection is not current):
            return
        self._connection = None
        self._up.clear()
        self._writes.put(None)  # wakes the writer, which sees that its connection is gone
        _hang_up(current)  # wakes the reader, which closes
        for told in self._when_down:
            told()


def read_ahead(connection: amqp.Connection) -> None:
    """Take what has arrived with one system call, up to ``READ_AHEAD_BYTES``; py-amqp asks for each frame's
    head and body on their own, six times a message."""
    receive = connection.transport._quick_recv
    connection.transport._quick_recv = lambda size_bytes: receive(max(size_bytes, READ_AHEAD_BYTES))


@contextlib.contextmanager
def send_together(connection: amqp.Connection) -> Iterator[None]:
    """Gather the frames written inside the block and send them with one call.

    py-amqp sends each publish on its own, which is the dearest part of a batch.
    """
    transport = connection._transport
    if transport is None:
        raise LinkDown("closed meanwhile")
    send, frames = transport._write, []
    transport._write = lambda frame: frames.append(bytes(frame))
    try:
        yield
    finally:
        transport._write = send
    if frames:
        send(b"".join(frames))


@contextlib.contextmanager
def channel(url: str) -> Iterator[amqp.Channel]:
    """A channel of a connection of its own, for deployment and operators: publishing waits for its confirm.

    Closing it puts back what was taken and not acknowledged.
    """
    connection = _connection(url, "tool", heartbeat=0, confirm_publish=True)
    connection.connect()
    try:
        yield connection.channel()
    finally:
        connection.close()


def _connection(url: str, name: str, **options: Any) -> amqp.Connection:
    parts, verifying = parse_url(url), tls.context_of(url)
    connection = amqp.Connection(
        host=f"{parts['hostname']}:{parts['port'] or (5671 if verifying else 5672)}",
        userid=parts["userid"] or "guest",
        password=parts["password"] or "guest",
        virtual_host=parts["virtual_host"] or "/",
        connect_timeout=CONNECT_SECONDS,
        client_properties={"connection_name": name},
        **options,
    )
    if verifying:
        connection.Transport = functools.partial(_TlsTransport, verifying)
    # Bodies stay bytes: py-amqp would decode them in whatever encoding the sender names.
    connection.Channel = functools.partial(amqp.Channel, auto_decode=False)
    serialization.PROPERTY_CLASSES[spec.Basic.CLASS_ID] = _properties
    return connection


class _TlsTransport(TCPTransport):  # type: ignore[misc]
    """As over TCP, encrypted. py-amqp's own has a reader and a writer meet inside OpenSSL."""

    def __init__(
        self, verifying: ssl.SSLContext, host: str, connect_timeout: float, *_unset: Any, **_none: Any
    ) -> None:
        super().__init__(host, connect_timeout)
        self._verifying = verifying

    def _setup_transport(self) -> None:
        super()._setup_transport()
        self.sock.settimeout(self.connect_timeout)
        stream = tls.Stream(self.sock, self._verifying, self.host)
        self.sock.settimeout(None)
        self._write, self._quick_recv = stream.sendall, stream.recv


def _properties(buffer: Any, offset: int) -> tuple[dict[str, Any], int]:
    """Those of a message. One that py-amqp cannot read (a time after the year 9999, tables in tables without
    end) says so, and costs only itself; py-amqp would give up the connection, and with it every message."""
    try:
        return serialization.decode_properties_basic(buffer, offset)  # type: ignore[no-any-return]
    except Exception as error:
        log.warning("a message has unreadable properties", error=type(error).__name__)
        return {UNREADABLE: True}, offset


def publish_frames(
    channel: amqp.Channel, exchange: str, routing_key: str, message: amqp.Message, mandatory: bool
) -> None:
    """Write one publish. Unlike ``Channel.basic_publish`` this never reads, so the reader stays alone."""
    channel.send_method(spec.Basic.Publish, "Bssbb", (0, exchange, routing_key, mandatory, False), message)


def message(body: bytes, properties: dict[str, Any]) -> amqp.Message:
    """A message as py-amqp writes it; ``properties`` as AMQP 0-9-1 names them, headers in
    ``application_headers``."""
    return amqp.Message(body, **properties)


def _hang_up(connection: amqp.Connection) -> None:
    """End without the goodbye that a broken or blocked peer would never answer. Closing at once would, under
    eventlet, leave whoever reads or writes waiting for ever."""
    with contextlib.suppress(Exception):
        connection._transport.sock.shutdown(socket.SHUT_RDWR)  # the property would connect again


def _close_socket(connection: amqp.Connection) -> None:
    """Let go of the socket, once nobody waits for it."""
    with contextlib.suppress(Exception):
        connection._transport.sock.close()
