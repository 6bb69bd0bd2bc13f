"""Photos move from a folder into a bucket as they lie, and nothing is lost on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from deploy.vssid import checks_of_outside, where
from deploy.vssid.__main__ import vssid
from shared.objects import FolderObjects
from shared.s3_objects import Bucket, S3Objects
from shared.sealed import generate_keypair
from shared.sealed_objects import SealedObjects
from shared.testing.s3_server import S3Server

KEYS = generate_keypair()


@pytest.fixture
def bucket(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty one, told to the operator's command beside the folder."""
    made = s3.bucket(f"b-{uuid4()}")
    told = {
        "OBJECTS_DIR": str(tmp_path / "objects"),
        "OBJECTS_S3_ENDPOINT": made.endpoint,
        "OBJECTS_S3_BUCKET": made.name,
        "OBJECTS_S3_ACCESS_KEY_ID": made.access_key_id,
        "OBJECTS_S3_SECRET_ACCESS_KEY": made.secret_access_key,
        "AUDIT_FILE": str(tmp_path / "audit.jsonl"),
    }
    monkeypatch.setattr(where, "environment", lambda: told)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path / "objects")


@pytest.fixture
def copy() -> Callable[[], Result]:
    return lambda: CliRunner().invoke(vssid, ["photos", "to-bucket"])


def test_photos_are_readable_in_the_bucket_and_stay_in_the_folder(
    bucket: Bucket, folder: FolderObjects, copy: Callable[[], Result], tmp_path: Path
) -> None:
    puts = SealedObjects(folder, public={"photos": KEYS.public, "quarantine": KEYS.public})
    faces = [b"a face" * 9, b"another" * 50_000, b""]
    refs = [puts.put(face, prefix="photos", max_bytes=1 << 20).ref for face in faces]
    refs.append(puts.put(b"an upload", prefix="quarantine", max_bytes=99).ref)
    (folder.root / ".incoming" / "half").write_bytes(b"half")
    (folder.root / "photos" / "note.txt").write_text("not ours")

    assert copy().output == f"4 copied into the bucket {bucket.name}; what was there already stayed\n"
    opens = SealedObjects(S3Objects(bucket), private={"photos": KEYS.private})
    assert [opens.read(ref) for ref in refs[:3]] == faces
    assert [folder.read(ref) for ref in refs] == [S3Objects(bucket).read(ref) for ref in refs]
    (listed,) = S3Objects(bucket).listed("quarantine", after="", limit=9)
    assert listed.ref == refs[3]

    refs.append(puts.put(b"a late one", prefix="photos", max_bytes=99).ref)
    assert copy().output.startswith("1 copied")
    assert copy().output.startswith("0 copied")
    acts = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [act.get("copied") for act in acts if act["state"] == "done"] == [4, 1, 0]


def test_a_bucket_that_refuses_is_said_and_written_down(
    s3: S3Server, bucket: Bucket, folder: FolderObjects, copy: Callable[[], Result], tmp_path: Path
) -> None:
    folder.put(b"sealed", prefix="photos", max_bytes=9)
    where.environment()["OBJECTS_S3_SECRET_ACCESS_KEY"] = "another"  # type: ignore[index]
    done = copy()
    assert (done.exit_code, "403 SignatureDoesNotMatch" in done.output) == (1, True)
    assert json.loads((tmp_path / "audit.jsonl").read_text().splitlines()[-1])["state"] == "failed"


def test_without_a_bucket_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, copy: Callable[[], Result]
) -> None:
    monkeypatch.setattr(where, "environment", lambda: {"OBJECTS_DIR": "/nowhere"})
    done = copy()
    assert (done.exit_code, "OBJECTS_S3_" in done.output) == (2, True)


def states() -> dict[str, str]:
    found = {finding.what: finding.state for finding in checks_of_outside.outside_checks()}
    return {what: state for what, state in found.items() if what in ("object store", "deleted photos")}


def test_the_doctor_looks_at_the_bucket(s3: S3Server, bucket: Bucket) -> None:
    assert states() == {"object store": "well", "deleted photos": "well"}
    s3.keep_former_versions(bucket.name)
    assert states() == {"object store": "well", "deleted photos": "note"}
    where.environment()["OBJECTS_S3_BUCKET"] = "no-such-bucket"  # type: ignore[index]
    assert states() == {"object store": "wrong"}
