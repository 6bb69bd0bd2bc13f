"""Where photos lie, under names that say nothing about anybody: what every store offers, and the folder.

A folder serves one host, a bucket (``s3_objects.py``) several; ``object_settings.py`` chooses. What is
written is complete or absent: in the folder it is written aside, flushed to the disk and moved into place.
"""

from __future__ import annotations

import hashlib
import heapq
import io
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, BinaryIO, Protocol
from uuid import UUID

import uuid_utils

from shared.off_hub import off_hub

REF = re.compile(r"([a-z][a-z0-9-]{0,31})/([0-9a-f]{32})", re.ASCII)
PREFIX = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
CHUNK_SIZE_BYTES = 64 * 1024
ABANDONED_AFTER_SECONDS = 3600


class ObjectTooLarge(Exception):
    """More bytes were sent than allowed; nothing was kept."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"more than {max_bytes} bytes")
        self.max_bytes = max_bytes


class ObjectUnknown(Exception):
    """There is no such object: a wrong reference, or deleted."""


class ObjectsAway(Exception):
    """The store does not answer, or does not let us in: nothing is known about the object, try again later.
    ``reason`` may be logged."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class StoredObject:
    """``ref`` finds it again; ``sha256`` in hexadecimal."""

    ref: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Listed:
    """An object as the store lists it."""

    ref: str
    changed_at: datetime


class Reading(Protocol):
    """What is read of a stored object."""

    def read(self, size: int = -1, /) -> bytes: ...
    def close(self) -> None: ...


class Objects(Protocol):
    """A store: the folder, or a bucket. Where it does not answer, each method raises ``ObjectsAway``."""

    def put(
        self, content: BinaryIO | bytes, *, prefix: str, max_bytes: int, name: str = ""
    ) -> StoredObject: ...
    def open(self, ref: str) -> Reading: ...
    def read(self, ref: str) -> bytes: ...
    def delete(self, ref: str) -> None: ...
    def listed(self, prefix: str, *, after: str, limit: int) -> list[Listed]: ...


class FolderObjects:
    """Objects as files of mode 0600 under ``root`` (folders 0700)."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._incoming = self.root / ".incoming"
        for folder in (self.root, self._incoming):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._forget_abandoned()

    def put(self, content: BinaryIO | bytes, *, prefix: str, max_bytes: int, name: str = "") -> StoredObject:
        """Store all that ``content`` yields, streaming. ``prefix`` is a plain word: ``quarantine``; ``name``,
        32 hexadecimal digits, names what may be put again, otherwise it is a new one.

        Raises ``ObjectTooLarge`` after reading at most one chunk more than ``max_bytes``.
        """
        ref = ref_of(prefix, name)
        stream = io.BytesIO(content) if isinstance(content, bytes) else content
        return off_hub(lambda: self._put(stream, ref, max_bytes))

    def open(self, ref: str) -> BinaryIO:
        """The object's bytes as a stream, to be closed. Raises ``ObjectUnknown``."""
        try:
            return os.fdopen(os.open(self._path(ref), os.O_RDONLY | os.O_NOFOLLOW), "rb")
        except OSError:
            raise ObjectUnknown from None

    def read(self, ref: str) -> bytes:
        """The object's bytes at once. Raises ``ObjectUnknown``."""

        def read() -> bytes:
            with self.open(ref) as stream:
                return stream.read()

        return off_hub(read)

    def delete(self, ref: str) -> None:
        """Remove it for good; one that is gone already is no error. Raises ``ObjectUnknown`` for what is no
        reference."""
        path = self._path(ref)

        def delete() -> None:
            path.unlink(missing_ok=True)
            if path.parent.exists():
                _flush_folder(path.parent)

        off_hub(delete)

    def listed(self, prefix: str, *, after: str, limit: int) -> list[Listed]:
        """The next objects of a prefix behind the reference ``after``, in their order."""
        folder = self.root / prefix
        names = (entry.name for entry in os.scandir(folder)) if folder.is_dir() else ()
        refs = (f"{prefix}/{name}" for name in names)
        following = heapq.nsmallest(limit, (ref for ref in refs if ref > after and REF.fullmatch(ref)))
        found = []
        for ref in following:
            with suppress(FileNotFoundError):  # deleted meanwhile
                found.append(Listed(ref, datetime.fromtimestamp(self._path(ref).stat().st_mtime, UTC)))
        return found

    def _put(self, stream: BinaryIO, ref: str, max_bytes: int) -> StoredObject:
        aside, path = self._incoming / _new_name(), self._path(ref)
        if not path.parent.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            _flush_folder(self.root)
        try:
            size_bytes, sha256 = _write(stream, aside, max_bytes)
            aside.rename(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        _flush_folder(path.parent)
        return StoredObject(ref, size_bytes, sha256)

    def _path(self, ref: str) -> Path:
        return self.root / checked(ref)

    def _forget_abandoned(self) -> None:
        """Uploads that a kill cut short."""
        for aside in self._incoming.iterdir():
            try:
                if aside.stat().st_mtime < time.time() - ABANDONED_AFTER_SECONDS:
                    aside.unlink()
            except OSError:  # another process finished it, or was quicker; an operator may only look
                continue


def ref_of(prefix: str, name: str = "") -> str:
    """The reference of what is to be put, under a new name where none is given. Raises ``ValueError``."""
    if not PREFIX.fullmatch(prefix):
        raise ValueError("a prefix is lower-case letters, digits and dashes")
    ref = f"{prefix}/{name or _new_name()}"
    if not REF.fullmatch(ref):
        raise ValueError("a name is 32 hexadecimal digits")
    return ref


def checked(ref: str) -> str:
    """A reference from outside. Raises ``ObjectUnknown`` for what is none."""
    if not isinstance(ref, str) or not REF.fullmatch(ref):
        raise ObjectUnknown
    return ref


def copied(stream: BinaryIO, file: IO[bytes], max_bytes: int) -> tuple[int, str]:
    """Copy all of ``stream`` into ``file``, chunk by chunk: its size in bytes, its SHA-256 in hexadecimal.

    Raises ``ObjectTooLarge`` after reading at most one chunk more than ``max_bytes``.
    """
    size_bytes, digest = 0, hashlib.sha256()
    while chunk := stream.read(CHUNK_SIZE_BYTES):
        size_bytes += len(chunk)
        if size_bytes > max_bytes:
            raise ObjectTooLarge(max_bytes)
        digest.update(chunk)
        file.write(chunk)
    file.flush()
    return size_bytes, digest.hexdigest()


def _new_name() -> str:
    return UUID(bytes=uuid_utils.uuid7().bytes).hex


def _write(stream: BinaryIO, path: Path, max_bytes: int) -> tuple[int, str]:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        written = copied(stream, file, max_bytes)
        os.fsync(file.fileno())
    return written


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
