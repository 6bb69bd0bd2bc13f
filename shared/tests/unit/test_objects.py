"""The object folder: complete or absent, and nothing outside of it."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import objects as module
from shared.objects import CHUNK_SIZE_BYTES, FolderObjects, ObjectTooLarge, ObjectUnknown


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path / "objects")


def files(objects: FolderObjects) -> list[Path]:
    return [path for path in objects.root.rglob("*") if path.is_file()]


class Endless(io.RawIOBase):
    """A body without an end; counts what is taken of it."""

    taken_bytes = 0

    def read(self, size: int = -1) -> bytes:
        self.taken_bytes += size
        return b"x" * size


class Broken(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise ConnectionResetError


@pytest.mark.parametrize("size_bytes", [0, 1, CHUNK_SIZE_BYTES, CHUNK_SIZE_BYTES + 1])
def test_what_is_put_is_read_back_with_its_size_and_hash(objects: FolderObjects, size_bytes: int) -> None:
    content = os.urandom(size_bytes)
    for given_as in (content, io.BytesIO(content)):
        stored = objects.put(given_as, prefix="quarantine", max_bytes=size_bytes)
        assert (stored.size_bytes, stored.sha256) == (size_bytes, hashlib.sha256(content).hexdigest())
        assert objects.read(stored.ref) == content
        with objects.open(stored.ref) as stream:
            assert stream.read() == content


def test_a_reference_is_the_prefix_and_an_opaque_name(objects: FolderObjects) -> None:
    refs = [objects.put(b"same", prefix="quarantine", max_bytes=9).ref for _ in range(2)]
    assert len(set(refs)) == 2
    assert all(ref.startswith("quarantine/") for ref in refs)


def test_too_many_bytes_leave_nothing_and_are_not_read_to_the_end(objects: FolderObjects) -> None:
    endless = Endless()
    with pytest.raises(ObjectTooLarge):
        objects.put(endless, prefix="quarantine", max_bytes=100_000)  # type: ignore[arg-type]
    assert files(objects) == []
    assert endless.taken_bytes <= 100_000 + CHUNK_SIZE_BYTES


def test_a_broken_upload_leaves_nothing(objects: FolderObjects) -> None:
    with pytest.raises(ConnectionResetError):
        objects.put(Broken(), prefix="quarantine", max_bytes=9)  # type: ignore[arg-type]
    assert files(objects) == []


def test_only_the_owner_may_read_files_and_folders(objects: FolderObjects) -> None:
    objects.put(b"x", prefix="quarantine", max_bytes=9)
    assert {path.stat().st_mode & 0o777 for path in files(objects)} == {0o600}
    folders = [objects.root, *(path for path in objects.root.rglob("*") if path.is_dir())]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}


def test_a_deletion_is_on_the_disk_before_it_is_told(
    objects: FolderObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref, flushed = objects.put(b"x", prefix="kept", max_bytes=9).ref, []
    monkeypatch.setattr(module, "_flush_folder", lambda folder: flushed.append((folder.name, files(objects))))
    objects.delete(ref)
    objects.delete(ref)  # a kill may have come between the two
    assert flushed == [("kept", [])] * 2


def test_objects_are_listed_in_their_order_from_one_on(objects: FolderObjects) -> None:
    refs = [objects.put(b"x", prefix="kept", max_bytes=9).ref for _ in range(3)]
    objects.put(b"x", prefix="elsewhere", max_bytes=9)
    assert [found.ref for found in objects.listed("kept", after="", limit=2)] == refs[:2]
    assert [found.ref for found in objects.listed("kept", after=refs[1], limit=2)] == refs[2:]
    assert objects.listed("nowhere", after="", limit=2) == []


def test_a_deleted_object_is_unknown_and_may_be_deleted_again(objects: FolderObjects) -> None:
    ref = objects.put(b"x", prefix="kept", max_bytes=9).ref
    objects.delete(ref)
    objects.delete(ref)
    with pytest.raises(ObjectUnknown):
        objects.read(ref)


TRAVERSALS = [
    "../outside",
    "/etc/passwd",
    "kept/../../outside",
    "kept/..",
    "",
    "kept/" + "0" * 32 + "\n",
    "kept\0/x",
]


@given(st.sampled_from(TRAVERSALS) | st.text(max_size=60))
def test_no_reference_leads_out_of_the_folder(tmp_path_factory: pytest.TempPathFactory, ref: str) -> None:
    base = tmp_path_factory.mktemp("objects")
    (base / "outside").write_text("secret")
    objects = FolderObjects(base / "root")
    for act in (objects.open, objects.read, objects.delete):
        with pytest.raises(ObjectUnknown):
            act(ref)
    assert (base / "outside").exists()


def test_a_link_is_not_followed(objects: FolderObjects, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("secret")
    ref = objects.put(b"x", prefix="kept", max_bytes=9).ref
    (objects.root / ref).unlink()
    (objects.root / ref).symlink_to(tmp_path / "outside")
    with pytest.raises(ObjectUnknown):
        objects.read(ref)


@pytest.mark.parametrize("prefix", ["", "..", "a/b", ".incoming", "Kept", "kept\n", "x" * 40])
def test_a_prefix_is_a_plain_word(objects: FolderObjects, prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        objects.put(b"x", prefix=prefix, max_bytes=9)


def test_nothing_shows_under_its_name_before_it_is_complete(objects: FolderObjects) -> None:
    seen: list[list[Path]] = []

    class Watching(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            seen.append([path for path in files(objects) if path.parent.name == "kept"])
            return super().read(size)

    objects.put(Watching(b"content"), prefix="kept", max_bytes=9)
    assert seen == [[], []]
    assert len(files(objects)) == 1


def test_what_a_kill_left_behind_is_removed_at_a_later_start(objects: FolderObjects) -> None:
    old, fresh = objects.root / ".incoming" / "old", objects.root / ".incoming" / "fresh"
    for path in (old, fresh):
        path.write_bytes(b"half")
    two_hours_ago = time.time() - 7200
    os.utime(old, (two_hours_ago, two_hours_ago))
    FolderObjects(objects.root)
    assert not old.exists()
    assert fresh.exists()


def test_a_slow_upload_does_not_stop_the_green_threads(tmp_path: Path) -> None:
    program = """
import eventlet; eventlet.monkey_patch()
import io, sys, time, eventlet.patcher
from shared.objects import FolderObjects
sleep = eventlet.patcher.original("time").sleep
class Slow(io.BytesIO):
    def read(self, size=-1):
        sleep(0.3)
        return super().read(size)
ticks = []
def tick():
    while True:
        ticks.append(1); eventlet.sleep(0.01)
eventlet.spawn(tick)
FolderObjects(sys.argv[1]).put(Slow(b"x"), prefix="kept", max_bytes=9)
print(len(ticks))
"""
    command = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) > 5
