"""TLS towards broker, databases and Redis: each server is verified, by who signed it and by its name.

An address that comes out of the settings says by itself how its server is known (``secured``), so that it is
handed on like any other. Nothing here can be told to look away.
"""

from __future__ import annotations

import ssl
import threading
from socket import socket
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

ENCRYPTED = ("amqps", "https", "rediss")
POSTGRES = ("postgresql", "postgres")
CA = "ssl_ca_certs"
"""Parameter of an address that names the CA's file: redis-py's word, used for the broker's as well."""
OWN_CERTIFICATE = {"sslcert", "sslkey", "sslpassword"}
"""What libpq needs where the server asks for a certificate of ours, too: it loosens nothing."""
RECEIVED_BYTES = 32 * 1024


class NotSecure(ValueError):
    """An address that would let its server go unverified. Says why, and holds nothing of the address."""


def context(ca_file: str = "") -> ssl.SSLContext:
    """For clients: TLS 1.3, or 1.2 with a server that has no more; only what ``ca_file`` signed, by default
    what the system trusts. Raises ``OSError`` when the file cannot be read or holds no certificate."""
    made = ssl.create_default_context(cafile=ca_file or None)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def context_of(address: str) -> ssl.SSLContext | None:
    """How the server at ``address`` is verified; None when the address is a plain one."""
    parts = urlsplit(address)
    if parts.scheme not in ENCRYPTED:
        return None
    return context("".join(parse_qs(parts.query).get(CA, [])))


def secured(address: str, ca_file: str) -> str:
    """``address`` with what has its client verify the server by ``ca_file``; harmless twice.

    Without ``ca_file`` an address stays as it is: an encrypted one is verified by what the system trusts,
    PostgreSQL's says it in its own ``sslmode``. Raises ``NotSecure`` for a plain address beside a CA, and for
    parameters of its own that would loosen something.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        raise NotSecure("is not an address") from None
    wanted: dict[str, str] = {}
    if parts.scheme in POSTGRES:
        if not ca_file:
            return address
        wanted = {"sslmode": "verify-full", "sslrootcert": ca_file}
    elif ca_file:
        if parts.scheme not in ENCRYPTED:
            raise NotSecure("is not encrypted, though TLS_CA_FILE is given")
        wanted = {CA: ca_file}
    given = {name: value for name, value in parse_qsl(parts.query) if name.startswith("ssl")}
    if any(wanted.get(name) != given[name] for name in given.keys() - OWN_CERTIFICATE):
        raise NotSecure("says by itself how its server is verified")
    missing = urlencode({name: value for name, value in wanted.items() if name not in given}, safe="/")
    return "".join([address, "&" if parts.query else "?", missing]) if missing else address


class Stream:
    """TLS on a connected socket, for one thread that receives while another sends.

    OpenSSL takes one thread at a time, and Python's own socket either leaves that to its user or waits for
    the peer with the lock in its hands, by version. Here encryption works in memory, under a lock that nobody
    holds while waiting; who waits, waits in the plain socket. Time-outs and hanging up are the socket's own.
    """

    def __init__(self, connected: socket, verifying: ssl.SSLContext, server_name: str) -> None:
        """Shakes hands. Raises ``ssl.SSLCertVerificationError`` for another server, ``OSError``."""
        self._socket = connected
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = verifying.wrap_bio(self._arrived, self._leaving, server_hostname=server_name)
        self._state, self._sending = threading.Lock(), threading.Lock()
        self._shake_hands()

    def recv(self, size_bytes: int) -> bytes:
        """What has arrived, up to ``size_bytes``; waits for something. Empty when the peer has ended."""
        while True:
            with self._state:
                try:
                    return self._tls.read(size_bytes)
                except ssl.SSLWantReadError:
                    pass
            if not self._receive():
                return b""

    def sendall(self, data: bytes) -> None:
        """Send all of it. What the peer's own records ask for in answer goes along."""
        with self._sending:
            with self._state:
                rest = memoryview(data)
                while rest:
                    rest = rest[self._tls.write(rest) :]
                leaving = self._leaving.read()
            self._socket.sendall(leaving)

    def _receive(self) -> bool:
        arrived = self._socket.recv(RECEIVED_BYTES)
        with self._state:
            if arrived:
                self._arrived.write(arrived)
            else:
                self._arrived.write_eof()
        return bool(arrived)

    def _shake_hands(self) -> None:
        done = False
        while not done:
            try:
                self._tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                pass
            finally:
                self._socket.sendall(self._leaving.read())  # an alert as well, so that the server can log it
            if not done:
                self._receive()
