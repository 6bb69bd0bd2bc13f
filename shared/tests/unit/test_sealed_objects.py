"""Encrypted objects: what lies in the store, who opens it, and what is refused."""

from __future__ import annotations

import hashlib
import io
import shutil
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.objects import CHUNK_SIZE_BYTES, FolderObjects, ObjectTooLarge, ObjectUnknown
from shared.sealed import SealKeyInvalid, generate_keypair
from shared.sealed_objects import (
    HEAD_SIZE_BYTES,
    KEY_SIZE_BYTES,
    MORE_BYTES_A_CHUNK,
    ObjectBroken,
    SealedObjects,
)

KEYS, OTHER = generate_keypair(), generate_keypair()
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"a face " * 40_000 + b"\xff\xd9"
MOST = 1 << 30


@pytest.fixture
def puts(tmp_path: Path) -> SealedObjects:
    return SealedObjects(FolderObjects(tmp_path), public={"photos": KEYS.public, "quarantine": OTHER.public})


@pytest.fixture
def opens(tmp_path: Path) -> SealedObjects:
    return SealedObjects(FolderObjects(tmp_path), private={"photos": KEYS.private})


@pytest.mark.parametrize(
    "size_bytes", [0, 1, CHUNK_SIZE_BYTES - 1, CHUNK_SIZE_BYTES, CHUNK_SIZE_BYTES + 1, 3 * CHUNK_SIZE_BYTES]
)
def test_what_is_put_is_read_back_with_its_own_size_and_hash(
    puts: SealedObjects, opens: SealedObjects, size_bytes: int
) -> None:
    content = bytes(size_bytes)
    stored = puts.put(io.BytesIO(content), prefix="photos", max_bytes=size_bytes)
    assert (stored.size_bytes, stored.sha256) == (size_bytes, hashlib.sha256(content).hexdigest())
    assert opens.read(stored.ref) == content
    assert b"".join(puts.chunks(stored.ref, opens.key_of(stored.ref))) == content


def test_nothing_of_a_photo_shows_on_the_disk(puts: SealedObjects, tmp_path: Path) -> None:
    ref = puts.put(JPEG, prefix="photos", max_bytes=MOST).ref
    lies = (tmp_path / ref).read_bytes()
    assert not any(mark in lies for mark in (b"\xff\xd8\xff", b"JFIF", b"a face", b"\xff\xd9\xff\xd9"))
    again = puts.put(JPEG, prefix="photos", max_bytes=MOST).ref
    other = (tmp_path / again).read_bytes()
    assert lies[HEAD_SIZE_BYTES:] != other[HEAD_SIZE_BYTES:], "each object has a key of its own"


def test_only_the_holder_of_the_private_key_opens(puts: SealedObjects, tmp_path: Path) -> None:
    ref = puts.put(JPEG, prefix="photos", max_bytes=MOST).ref
    with pytest.raises(SealKeyInvalid):  # who puts in cannot read back
        puts.read(ref)
    wrong = SealedObjects(FolderObjects(tmp_path), private={"photos": OTHER.private})
    with pytest.raises(ObjectBroken):
        wrong.read(ref)
    with pytest.raises(ObjectBroken):
        list(wrong.chunks(ref, bytes(KEY_SIZE_BYTES)))
    both = SealedObjects(FolderObjects(tmp_path), private={"photos": f"{OTHER.private},{KEYS.private}"})
    assert both.read(ref) == JPEG, "a former key goes on opening"


def test_a_key_of_one_place_opens_nothing_of_another(puts: SealedObjects, tmp_path: Path) -> None:
    ref = puts.put(JPEG, prefix="quarantine", max_bytes=MOST).ref
    with pytest.raises(SealKeyInvalid):
        SealedObjects(FolderObjects(tmp_path), private={"photos": OTHER.private}).read(ref)
    with pytest.raises(SealKeyInvalid):
        puts.put(JPEG, prefix="elsewhere", max_bytes=MOST)


def test_one_persons_photo_under_anothers_name_is_refused(
    puts: SealedObjects, opens: SealedObjects, tmp_path: Path
) -> None:
    one, other = (puts.put(JPEG, prefix="photos", max_bytes=MOST).ref for _ in range(2))
    shutil.copy(tmp_path / one, tmp_path / other)
    with pytest.raises(ObjectBroken):
        opens.read(other)
    assert opens.read(one) == JPEG


def test_a_cut_or_longer_object_is_refused(puts: SealedObjects, opens: SealedObjects, tmp_path: Path) -> None:
    ref = puts.put(JPEG, prefix="photos", max_bytes=MOST).ref
    lies = (tmp_path / ref).read_bytes()
    in_the_head = (0, 7, HEAD_SIZE_BYTES - 1, HEAD_SIZE_BYTES)
    after_a_chunk = HEAD_SIZE_BYTES + CHUNK_SIZE_BYTES + MORE_BYTES_A_CHUNK
    for length in (*in_the_head, HEAD_SIZE_BYTES + 5, after_a_chunk, len(lies) - 1):
        (tmp_path / ref).write_bytes(lies[:length])
        with pytest.raises(ObjectBroken):
            opens.read(ref)
    (tmp_path / ref).write_bytes(lies + b"\0")
    with pytest.raises(ObjectBroken):
        opens.read(ref)
    (tmp_path / ref).unlink()
    with pytest.raises(ObjectUnknown):
        opens.read(ref)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_bit_may_be_another(
    puts: SealedObjects, opens: SealedObjects, tmp_path: Path, position: float, bit: int
) -> None:
    ref = puts.put(b"x" * 300, prefix="photos", max_bytes=300).ref
    lies = bytearray((tmp_path / ref).read_bytes())
    lies[int(position * len(lies))] ^= 1 << bit
    (tmp_path / ref).write_bytes(lies)
    with pytest.raises(ObjectBroken):
        opens.read(ref)


def test_chunks_may_not_change_places(puts: SealedObjects, opens: SealedObjects, tmp_path: Path) -> None:
    ref = puts.put(bytes(4 * CHUNK_SIZE_BYTES), prefix="photos", max_bytes=MOST).ref
    lies, size = (tmp_path / ref).read_bytes(), CHUNK_SIZE_BYTES + MORE_BYTES_A_CHUNK
    first, second = (lies[HEAD_SIZE_BYTES + at * size :][:size] for at in (0, 1))
    swapped = lies[:HEAD_SIZE_BYTES] + second + first + lies[HEAD_SIZE_BYTES + 2 * size :]
    assert len(swapped) == len(lies)
    (tmp_path / ref).write_bytes(swapped)
    with pytest.raises(ObjectBroken):
        opens.read(ref)


def test_too_many_bytes_leave_nothing_and_are_not_all_read(puts: SealedObjects, tmp_path: Path) -> None:
    endless = Endless()
    with pytest.raises(ObjectTooLarge):
        puts.put(endless, prefix="photos", max_bytes=100_000)  # type: ignore[arg-type]
    assert endless.given <= 100_000 + CHUNK_SIZE_BYTES
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_memory_does_not_grow_with_the_object(puts: SealedObjects, opens: SealedObjects) -> None:
    peaks = [peak_bytes(puts, opens, size) for size in (1 << 20, 64 << 20)]
    assert max(peaks) < 1 << 20, peaks
    assert peaks[1] < peaks[0] + CHUNK_SIZE_BYTES, peaks


def peak_bytes(puts: SealedObjects, opens: SealedObjects, size_bytes: int) -> int:
    """The most memory that putting and reading took at once."""
    tracemalloc.start()
    try:
        stored = puts.put(Endless(size_bytes), prefix="photos", max_bytes=size_bytes)  # type: ignore[arg-type]
        read = sum(len(chunk) for chunk in opens.chunks(stored.ref, opens.key_of(stored.ref)))
        assert read == stored.size_bytes == size_bytes
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class Endless:
    """So many zeros, made as they are read; how many were is ``given``."""

    def __init__(self, size_bytes: int = 1 << 40) -> None:
        self.size_bytes, self.given = size_bytes, 0

    def read(self, size: int) -> bytes:
        size = min(size, self.size_bytes - self.given)
        self.given += size
        return bytes(size)
