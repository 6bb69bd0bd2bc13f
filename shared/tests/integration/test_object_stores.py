"""What holds of every store of objects, of the folder and of a bucket alike: one suite for both."""

from __future__ import annotations

import hashlib
import io
import os
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from shared.objects import (
    CHUNK_SIZE_BYTES,
    FolderObjects,
    Objects,
    ObjectTooLarge,
    ObjectUnknown,
)
from shared.s3_objects import S3Objects
from shared.sealed import generate_keypair
from shared.sealed_objects import ObjectBroken, SealedObjects

MIB = 1 << 20
NAME = "0" * 31 + "1"


@pytest.fixture(params=["folder", "bucket"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Objects]:
    """The same store each time, as each process makes it for itself."""
    if request.param == "folder":
        return lambda: FolderObjects(tmp_path / "objects")
    bucket = request.getfixturevalue("s3").bucket(f"b-{uuid4()}")
    return lambda: S3Objects(bucket, tmp_path / "aside")


@pytest.fixture
def store(make_store: Callable[[], Objects]) -> Objects:
    return make_store()


def refs(store: Objects, prefix: str) -> list[str]:
    return [found.ref for found in store.listed(prefix, after="", limit=100)]


class Zeros:
    """So many zeros, made as they are read; then they end, or the connection is cut. ``given`` were read."""

    def __init__(self, size_bytes: int, *, is_cut: bool = False) -> None:
        self.size_bytes, self.is_cut, self.given = size_bytes, is_cut, 0

    def read(self, size: int) -> bytes:
        size = min(size, self.size_bytes - self.given)
        if self.is_cut and size == 0:
            raise ConnectionResetError
        self.given += size
        return bytes(size)


class TestEveryStore:
    @pytest.mark.parametrize("size_bytes", [0, 1, CHUNK_SIZE_BYTES, CHUNK_SIZE_BYTES + 1, 5 * MIB])
    def test_what_is_put_is_read_back_with_its_size_and_hash(self, store: Objects, size_bytes: int) -> None:
        content = os.urandom(size_bytes)
        for given_as in (content, io.BytesIO(content)):
            stored = store.put(given_as, prefix="quarantine", max_bytes=size_bytes)
            assert (stored.size_bytes, stored.sha256) == (size_bytes, hashlib.sha256(content).hexdigest())
            assert stored.ref.startswith("quarantine/")
            assert store.read(stored.ref) == content

    def test_another_process_reads_it(self, store: Objects, make_store: Callable[[], Objects]) -> None:
        ref = store.put(b"x", prefix="photos", max_bytes=9).ref
        assert make_store().read(ref) == b"x"

    def test_a_stream_gives_as_many_bytes_as_are_asked_for(self, store: Objects) -> None:
        content = os.urandom(200_000)
        stream = store.open(store.put(content, prefix="photos", max_bytes=MIB).ref)
        pieces = [stream.read(size) for size in (1, 99_999, 0, 70_000)]
        assert [len(piece) for piece in pieces] == [1, 99_999, 0, 70_000]
        assert b"".join([*pieces, stream.read()]) == content
        assert stream.read(1) == b""
        stream.close()

    def test_one_that_is_not_read_to_its_end_is_let_go_of(self, store: Objects) -> None:
        ref = store.put(Zeros(5 * MIB), prefix="photos", max_bytes=5 * MIB).ref  # type: ignore[arg-type]
        for _ in range(3):
            stream = store.open(ref)
            assert stream.read(10) == bytes(10)
            stream.close()
        assert len(store.read(ref)) == 5 * MIB

    def test_too_many_bytes_leave_nothing_and_are_not_read_to_the_end(self, store: Objects) -> None:
        endless = Zeros(1 << 40)
        with pytest.raises(ObjectTooLarge):
            store.put(endless, prefix="quarantine", max_bytes=3 * MIB)  # type: ignore[arg-type]
        assert refs(store, "quarantine") == []
        assert endless.given <= 3 * MIB + CHUNK_SIZE_BYTES

    def test_an_upload_that_is_cut_leaves_nothing(self, store: Objects) -> None:
        with pytest.raises(ConnectionResetError):
            store.put(Zeros(3 * MIB, is_cut=True), prefix="quarantine", max_bytes=9 * MIB)  # type: ignore[arg-type]
        assert refs(store, "quarantine") == []

    def test_under_the_same_name_the_last_one_stays(self, store: Objects) -> None:
        first = store.put(b"first" * 9, prefix="photos", max_bytes=99, name=NAME)
        again = store.put(b"again", prefix="photos", max_bytes=99, name=NAME)
        assert first.ref == again.ref == f"photos/{NAME}"
        assert (store.read(again.ref), refs(store, "photos")) == (b"again", [again.ref])

    def test_one_that_is_put_again_and_cut_stays_as_it_was(self, store: Objects) -> None:
        ref = store.put(b"first", prefix="photos", max_bytes=99, name=NAME).ref
        for stream, error in ((Zeros(9, is_cut=True), ConnectionResetError), (Zeros(999), ObjectTooLarge)):
            with pytest.raises(error):
                store.put(stream, prefix="photos", max_bytes=99, name=NAME)  # type: ignore[arg-type]
        assert store.read(ref) == b"first"

    @pytest.mark.parametrize(
        "ref", [f"photos/{NAME}", "photos/..", "../outside", "", f"photos/{NAME}\n", f"photos/{NAME}?acl"]
    )
    def test_what_is_not_there_is_unknown(self, store: Objects, ref: str) -> None:
        for act in (store.open, store.read):
            with pytest.raises(ObjectUnknown):
                act(ref)

    @pytest.mark.parametrize(
        ("prefix", "name"), [("..", ""), ("Photos", ""), ("", ""), ("photos", "a name"), ("photos", "../x")]
    )
    def test_a_name_that_is_none_is_refused(self, store: Objects, prefix: str, name: str) -> None:
        with pytest.raises(ValueError, match=r"prefix|name"):
            store.put(b"x", prefix=prefix, max_bytes=9, name=name)

    def test_a_deleted_object_is_unknown_and_may_be_deleted_again(self, store: Objects) -> None:
        ref, other = (store.put(b"x", prefix="photos", max_bytes=9).ref for _ in range(2))
        for _ in range(2):
            store.delete(ref)
            with pytest.raises(ObjectUnknown):
                store.read(ref)
        assert refs(store, "photos") == [other]
        with pytest.raises(ObjectUnknown):
            store.delete("../outside")

    def test_objects_are_listed_in_their_order_from_one_on(self, store: Objects) -> None:
        names = [f"{number:032x}" for number in (10, 9, 255, 1, 16)]
        for name in names:
            store.put(b"x", prefix="photos", max_bytes=9, name=name)
        store.put(b"x", prefix="photos-of-others", max_bytes=9)
        ordered = [f"photos/{name}" for name in sorted(names)]
        assert refs(store, "photos") == ordered
        assert [found.ref for found in store.listed("photos", after="", limit=2)] == ordered[:2]
        assert [found.ref for found in store.listed("photos", after=ordered[1], limit=2)] == ordered[2:4]
        assert [found.ref for found in store.listed("photos", after=ordered[4], limit=2)] == []
        between = f"photos/{17:032x}"
        assert [found.ref for found in store.listed("photos", after=between, limit=9)] == ordered[4:]
        assert store.listed("nowhere", after="", limit=2) == []

    def test_the_list_says_when_an_object_was_put(self, store: Objects) -> None:
        store.put(b"x", prefix="photos", max_bytes=9)
        (found,) = store.listed("photos", after="", limit=2)
        assert abs(found.changed_at - datetime.now(UTC)) < timedelta(minutes=1)

    def test_memory_does_not_grow_with_the_object(self, store: Objects) -> None:
        peaks = [peak_bytes(store, size) for size in (MIB, 64 * MIB)]
        assert max(peaks) < 2 * MIB, peaks
        assert peaks[1] < peaks[0] + 4 * CHUNK_SIZE_BYTES, peaks

    def test_sealed_objects_lie_in_it_unreadable_and_bound_to_their_names(self, store: Objects) -> None:
        keys, face = generate_keypair(), b"\xff\xd8\xff a face " * 20_000
        puts = SealedObjects(store, public={"photos": keys.public})
        opens = SealedObjects(store, private={"photos": keys.private})
        ref = puts.put(io.BytesIO(face), prefix="photos", max_bytes=MIB).ref
        lies = store.read(ref)
        assert b"a face" not in lies
        assert opens.read(ref) == face
        other = store.put(lies, prefix="photos", max_bytes=MIB).ref
        with pytest.raises(ObjectBroken):
            opens.read(other)


def peak_bytes(store: Objects, size_bytes: int) -> int:
    """The most memory that putting and reading took at once."""
    store.read(store.put(b"x", prefix="photos", max_bytes=1).ref)  # what is made once is there
    tracemalloc.start()
    try:
        ref = store.put(Zeros(size_bytes), prefix="photos", max_bytes=size_bytes).ref  # type: ignore[arg-type]
        stream, read = store.open(ref), 0
        while chunk := stream.read(CHUNK_SIZE_BYTES):
            read += len(chunk)
        stream.close()
        assert read == size_bytes
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
