"""Asks a page of this container whether its process is ready: ``python -ISs probe.py 9100 /readyz``.

Runs every few seconds in every container, so it imports next to nothing: an HTTP client costs ten times
the CPU.
"""

import _socket
import sys

SECONDS = 4


def status(port: int, path: str) -> int:
    """The status that the page answers with."""
    connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    connection.settimeout(SECONDS)
    connection.connect(("127.0.0.1", port))
    connection.send(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    return int(connection.recv(64).split()[1])


if __name__ == "__main__":
    sys.exit(status(int(sys.argv[1]), sys.argv[2]) != 200)
