"""An officer's authenticator app (RFC 6238), as a phone has it: it reads a QR code and shows codes."""

from __future__ import annotations

import base64
import hmac
import time
from urllib.parse import parse_qs, urlsplit


class Authenticator:
    """Shows each code once: a log-in right after another one waits for the next 30 s, or takes the one that
    comes, which is good already."""

    def __init__(self, uri: str) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(uri).query).items()}
        self._secret = base64.b32decode(asked["secret"])
        self._digits, self._seconds = int(asked["digits"]), int(asked["period"])
        self._shown = 0

    def code(self) -> str:
        """The next one that was not shown before."""
        step = max(self._now(), self._shown + 1)
        while step > self._now() + 1:
            time.sleep(0.2)
        self._shown = step
        mac = hmac.digest(self._secret, step.to_bytes(8, "big"), "sha1")
        at = mac[-1] & 15
        number = int.from_bytes(mac[at : at + 4], "big") & (2**31 - 1)
        return str(number)[-self._digits :].zfill(self._digits)

    def _now(self) -> int:
        return int(time.time()) // self._seconds
