"""The anchors of the audit trail: heads of its chain, signed, in a file outside the database.

One line each, only ever added: ``{"at", "epoch", "hash", "last_id", "sequence", "signature"}``. The signature
is a JWS (alg ``Ed25519``) with its payload detached, which is the other fields in canonical form.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from services.identity.sealing import Anchor, Finding, canonical
from shared.off_hub import off_hub

FILE = "anchors.jsonl"
ALGORITHM = "Ed25519"
TAIL_BYTES = 4096
"""More than two lines."""


class AnchorForged(Exception):
    """A line that nobody of ours has signed. ``line`` counts from 1, or is 0 for the last one."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line}")
        self.line = line


class AnchorSpoiled(Exception):
    """A line that is none: cut off while it was written, or damaged."""


class Anchors:
    """The file in one folder, with the keys that verify its lines; ``signing_key`` for who adds to it."""

    def __init__(self, folder: str | Path, public_keys: str, signing_key: str = "") -> None:
        self.file = Path(folder) / FILE
        self._readable = KeySet.import_key_set(json.loads(public_keys))
        self._key = OKPKey.import_key(json.loads(signing_key)) if signing_key else None

    def head(self) -> Anchor | None:
        """The last anchor, None before the first. Raises ``AnchorForged``, ``OSError``."""
        return off_hub(self._head)

    def add(self, anchors: Sequence[Anchor]) -> None:
        """Add those that come after the last one; on the disk when this returns. Safe to call again, and by
        several at once. Raises ``AnchorForged``, ``OSError``."""
        off_hub(self._add, anchors)

    def all(self) -> Iterator[Anchor | Finding]:
        """Every anchor that stands in the file at the call, in its order, and findings for other lines."""
        return self._all(self.file.stat().st_size if self.file.exists() else 0)

    def _all(self, left_bytes: int) -> Iterator[Anchor | Finding]:
        if not left_bytes:
            return
        with self.file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                left_bytes -= len(line)
                if left_bytes < 0:
                    return
                yield self._read_or_told(line, number)

    def _read_or_told(self, line: bytes, number: int) -> Anchor | Finding:
        try:
            return self._read(line, number)
        except AnchorForged:
            return Finding("anchor_forged", 0, 0, 0, f"line {number} of {FILE} is not signed by us")
        except AnchorSpoiled:
            return Finding("spoiled_line", 0, 0, 0, f"line {number} of {FILE} is no anchor")

    def _head(self) -> Anchor | None:
        if not self.file.exists():
            return None
        with self.file.open("rb") as lines:
            return self._last(lines)

    def _last(self, file: Any) -> Anchor | None:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        lines = file.read().splitlines()
        for line in reversed(lines if size <= TAIL_BYTES else lines[1:]):
            try:
                return self._read(line, 0)
            except AnchorSpoiled:
                continue
        return None

    def _add(self, anchors: Sequence[Anchor]) -> None:
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            last = self._last(file)
            new = [a for a in anchors if last is None or a.position > last.position]
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            broken = file.read() not in (b"", b"\n")  # a write was cut off: its line stays, as none
            file.write((b"\n" if broken else b"") + b"".join(self._line(anchor) for anchor in new))
            file.flush()
            os.fsync(file.fileno())

    def _line(self, anchor: Anchor) -> bytes:
        assert self._key is not None, "a key that signs is needed"
        payload = canonical(asdict(anchor))
        header = {"alg": ALGORITHM, "kid": self._key.kid}
        signed = jws.serialize_compact(header, payload, self._key, algorithms=[ALGORITHM])
        return canonical({**asdict(anchor), "signature": jws.detach_content(signed)}) + b"\n"

    def _read(self, line: bytes, number: int) -> Anchor:
        try:
            values = json.loads(line)
            signature = str(values["signature"])
            anchor = Anchor(
                int(values["epoch"]),
                int(values["sequence"]),
                int(values["last_id"]),
                str(values["hash"]),
                datetime.fromisoformat(values["at"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise AnchorSpoiled from None
        try:
            jws.deserialize_compact(  # a payload that the signature brings along counts nothing
                jws.detach_content(signature),
                self._readable,
                algorithms=[ALGORITHM],
                payload=canonical(asdict(anchor)),
            )
        except (JoseError, ValueError, TypeError):
            raise AnchorForged(number) from None
        return anchor
