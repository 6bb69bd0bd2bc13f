"""Objects that nobody reads in the store: each is encrypted on its way in, with a key of its own.

The object's key is sealed to a public key (libsodium's anonymous box), which whoever puts objects in may know
without being able to read any of them back. The content follows as libsodium's secret stream: chunks in their
order, each bound to the object's name, the last one marked. So an object that was cut, changed or put under
another's name is refused, and none is ever whole in memory.

What lies in the store: ``MAGIC``, the sealed key (80 bytes), the stream's header (24 bytes), then each chunk
of at most 64 KiB with 17 bytes more.
"""

from __future__ import annotations

import base64
import hashlib
import io
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO
from uuid import UUID

import uuid_utils
from nacl import bindings
from nacl.exceptions import CryptoError
from nacl.public import SealedBox

from shared.objects import CHUNK_SIZE_BYTES, Objects, ObjectTooLarge, Reading, StoredObject
from shared.off_hub import off_hub
from shared.sealed import SealKeyInvalid, private_key, public_key

MAGIC = b"VSSIDOB1"
KEY_SIZE_BYTES = bindings.crypto_secretstream_xchacha20poly1305_KEYBYTES
SEALED_KEY_SIZE_BYTES = KEY_SIZE_BYTES + bindings.crypto_box_SEALBYTES
HEADER_SIZE_BYTES = bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES
MORE_BYTES_A_CHUNK = bindings.crypto_secretstream_xchacha20poly1305_ABYTES
MESSAGE = bindings.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
FINAL = bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL
HEAD_SIZE_BYTES = len(MAGIC) + SEALED_KEY_SIZE_BYTES + HEADER_SIZE_BYTES


class ObjectBroken(Exception):
    """An object that cannot be opened: cut, changed, another's bytes, not encrypted, or for another key."""


class SealedObjects:
    """A store in which each prefix has a pair of keys: its public key puts in, its private keys open. While
    the store does not answer, each method raises ``ObjectsAway``.

    >>> gateway = SealedObjects(FolderObjects("/objects"), public={"quarantine": "…"})
    """

    def __init__(
        self,
        store: Objects,
        *,
        public: Mapping[str, str] | None = None,
        private: Mapping[str, str] | None = None,
    ) -> None:
        """By prefix, keys in base64; of private ones several may be given, parted by commas: one that is
        new, and former ones for what was sealed to them. Raises ``SealKeyInvalid`` for a malformed one."""
        self.store = store
        self._seals = {
            prefix: SealedBox(public_key(key, f"the public key of {prefix}"))
            for prefix, key in (public or {}).items()
        }
        self._opens = {
            prefix: [SealedBox(private_key(key, f"a private key of {prefix}")) for key in keys.split(",")]
            for prefix, keys in (private or {}).items()
        }

    def put(self, content: BinaryIO | bytes, *, prefix: str, max_bytes: int, name: str = "") -> StoredObject:
        """Encrypt and store all that ``content`` yields, streaming; size and hash are those of the content.
        ``name``, 32 hexadecimal digits, names what may be put again, otherwise it is a new one.

        Raises ``ObjectTooLarge`` after reading at most one chunk more than ``max_bytes``, ``SealKeyInvalid``
        without the public key of ``prefix``.
        """
        if prefix not in self._seals:
            raise SealKeyInvalid(f"the public key of {prefix} is missing: needed to put objects there")
        name = name or UUID(bytes=uuid_utils.uuid7().bytes).hex
        stream = io.BytesIO(content) if isinstance(content, bytes) else content
        encrypting = _Encrypting(stream, self._seals[prefix], f"{prefix}/{name}", max_bytes)
        most = HEAD_SIZE_BYTES + max_bytes + MORE_BYTES_A_CHUNK * (max_bytes // CHUNK_SIZE_BYTES + 1)
        stored = self.store.put(encrypting, prefix=prefix, max_bytes=most, name=name)  # type: ignore[arg-type]
        return StoredObject(stored.ref, encrypting.size_bytes, encrypting.digest.hexdigest())

    def read(self, ref: str) -> bytes:
        """The object's content at once. Raises ``ObjectUnknown``, ``ObjectBroken``, ``SealKeyInvalid``."""
        return off_hub(lambda: b"".join(self.chunks(ref, self._key(ref))))

    def key_of(self, ref: str) -> bytes:
        """The key of this one object: whoever has it needs no private key to read ``chunks``.

        Raises ``ObjectUnknown``, ``ObjectBroken``, ``SealKeyInvalid`` without a private key of its prefix.
        """
        return off_hub(self._key, ref)

    def chunks(self, ref: str, key: bytes) -> Iterator[bytes]:
        """The content, chunk by chunk, each as it was put in. Raises ``ObjectUnknown``, and ``ObjectBroken``
        as soon as a chunk is not the right one: what came before it was."""
        stream = self.store.open(ref)
        try:
            head = _exactly(stream, HEAD_SIZE_BYTES)
            state = bindings.crypto_secretstream_xchacha20poly1305_state()
            if not head.startswith(MAGIC) or len(key) != KEY_SIZE_BYTES:
                raise ObjectBroken
            bindings.crypto_secretstream_xchacha20poly1305_init_pull(state, head[-HEADER_SIZE_BYTES:], key)
            tag = MESSAGE
            while tag == MESSAGE:
                chunk = _exactly(stream, CHUNK_SIZE_BYTES + MORE_BYTES_A_CHUNK, or_less=True)
                content, tag = _pulled(state, chunk, ref)
                yield content
            if tag != FINAL or stream.read(1):
                raise ObjectBroken
        finally:
            stream.close()

    def delete(self, ref: str) -> None:
        """Remove it; one that is gone already is no error. A malformed ``ref`` is ``ObjectUnknown``."""
        self.store.delete(ref)

    def _key(self, ref: str) -> bytes:
        prefix = ref.partition("/")[0]
        boxes: Sequence[SealedBox] = self._opens.get(prefix, ())
        if not boxes:
            raise SealKeyInvalid(f"a private key of {prefix} is missing: needed to open objects there")
        stream = self.store.open(ref)
        try:
            sealed = _exactly(stream, HEAD_SIZE_BYTES)[len(MAGIC) :][:SEALED_KEY_SIZE_BYTES]
        finally:
            stream.close()
        for box in boxes:
            try:
                return bytes(box.decrypt(sealed))
            except CryptoError:
                continue
        raise ObjectBroken


class _Encrypting:
    """What is to be stored, made of the content as it is read."""

    def __init__(self, content: BinaryIO, seals: SealedBox, ref: str, max_bytes: int) -> None:
        self.size_bytes = 0
        self.digest = hashlib.sha256()
        self._content = content
        self._max_bytes = max_bytes
        self._pieces = self._encrypted(seals, ref.encode())
        self._ready = b""

    def read(self, size: int) -> bytes:
        while len(self._ready) < size and (piece := next(self._pieces, b"")):
            self._ready += piece
        answer, self._ready = self._ready[:size], self._ready[size:]
        return answer

    def _encrypted(self, seals: SealedBox, bound_to: bytes) -> Iterator[bytes]:
        key = secrets.token_bytes(KEY_SIZE_BYTES)
        state = bindings.crypto_secretstream_xchacha20poly1305_state()
        header = bindings.crypto_secretstream_xchacha20poly1305_init_push(state, key)
        yield MAGIC + seals.encrypt(key) + header
        chunk = self._next_chunk()
        while True:
            following = self._next_chunk() if len(chunk) == CHUNK_SIZE_BYTES else b""
            tag = MESSAGE if following else FINAL
            yield bindings.crypto_secretstream_xchacha20poly1305_push(state, chunk, bound_to, tag)
            if tag == FINAL:
                return
            chunk = following

    def _next_chunk(self) -> bytes:
        """A whole chunk, or what is left of the content."""
        chunk = _up_to(self._content, CHUNK_SIZE_BYTES)
        self.size_bytes += len(chunk)
        if self.size_bytes > self._max_bytes:
            raise ObjectTooLarge(self._max_bytes)
        self.digest.update(chunk)
        return chunk


def _pulled(
    state: bindings.crypto_secretstream_xchacha20poly1305_state, chunk: bytes, ref: str
) -> tuple[bytes, int]:
    try:
        content, tag = bindings.crypto_secretstream_xchacha20poly1305_pull(state, chunk, ref.encode())
    except (CryptoError, ValueError):  # the latter for a chunk that is too short to be one
        raise ObjectBroken from None
    return bytes(content), int(tag)


def _exactly(stream: Reading, size: int, *, or_less: bool = False) -> bytes:
    found = _up_to(stream, size)
    if not found or (len(found) < size and not or_less):
        raise ObjectBroken
    return found


def _up_to(stream: Reading, size: int) -> bytes:
    """So many bytes, fewer only at the end: a socket hands out what it has."""
    found = stream.read(size)
    while found and len(found) < size and (more := stream.read(size - len(found))):
        found += more
    return found


def to_text(key: bytes) -> str:
    """The key of an object as it travels, sealed, to who may read this one object."""
    return base64.b64encode(key).decode("ascii")


def from_text(text: str) -> bytes:
    """A key of an object out of its text."""
    return base64.b64decode(text, validate=True)
