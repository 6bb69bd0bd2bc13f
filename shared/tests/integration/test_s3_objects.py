"""A bucket: the server away, cut, or somebody else's; other keys than ours; green threads."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4
from xml.etree import ElementTree

import pytest

from deploy.docker.certificates import Authority
from shared import s3_objects
from shared.objects import ObjectsAway
from shared.s3_objects import Bucket, S3Objects
from shared.testing.s3_server import S3Server
from tests.faults.proxy import Proxy

MIB = 1 << 20
NAME = "0" * 31 + "1"
REF = f"photos/{NAME}"


@pytest.fixture
def bucket(s3: S3Server) -> Bucket:
    return s3.bucket(f"b-{uuid4()}")


@pytest.fixture
def store(bucket: Bucket) -> S3Objects:
    return S3Objects(bucket)


@pytest.fixture
def line(s3: S3Server) -> Iterator[Proxy]:
    """The line to the server."""
    with Proxy("127.0.0.1", s3.port) as proxy:
        yield proxy


@pytest.fixture
def behind(line: Proxy, bucket: Bucket) -> S3Objects:
    """The store at the other end of the line."""
    return S3Objects(replace(bucket, endpoint=f"http://127.0.0.1:{line.port}"))


def refs(store: S3Objects, prefix: str = "photos") -> list[str]:
    return [found.ref for found in store.listed(prefix, after="", limit=100)]


def put(store: S3Objects, content: bytes = b"x") -> str:
    return store.put(content, prefix="photos", max_bytes=len(content), name=NAME).ref


ACTS = {
    "put": put,
    "open": lambda store: store.open(REF),
    "read": lambda store: store.read(REF),
    "delete": lambda store: store.delete(REF),
    "listed": refs,
    "keeps_former_versions": lambda store: store.keeps_former_versions(),
}


@pytest.mark.parametrize("act", ACTS)
def test_while_the_server_is_away_nothing_is_said_about_the_object(
    behind: S3Objects, line: Proxy, act: str
) -> None:
    put(behind, b"as it was")
    line.refuse()
    began = time.monotonic()
    with pytest.raises(ObjectsAway):
        ACTS[act](behind)
    assert time.monotonic() - began < 10
    line.flow()
    assert behind.read(REF) == b"as it was"


@pytest.mark.parametrize("act", ACTS)
def test_a_server_that_says_nothing_is_not_waited_for_long(
    behind: S3Objects, line: Proxy, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_objects, "SILENCE_SECONDS", 0.5)
    line.silence()
    began = time.monotonic()
    with pytest.raises(ObjectsAway, match="Timeout"):
        ACTS[act](behind)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("keep_bytes", [0, 20_000])
def test_one_that_is_cut_on_its_way_to_the_server_leaves_nothing_there(
    behind: S3Objects, line: Proxy, store: S3Objects, keep_bytes: int
) -> None:
    line.cut_at(sender="client", keep_bytes=keep_bytes, times=s3_objects.TRIES)
    with pytest.raises(ObjectsAway):
        put(behind, os.urandom(3 * MIB))
    assert line.counts()["cuts"] == s3_objects.TRIES
    time.sleep(0.5)
    assert refs(store) == []


def test_one_that_is_put_again_and_cut_stays_as_it_was(
    behind: S3Objects, line: Proxy, store: S3Objects
) -> None:
    put(store, b"first")
    line.cut_at(sender="client", keep_bytes=20_000, times=s3_objects.TRIES)
    with pytest.raises(ObjectsAway):
        put(behind, os.urandom(3 * MIB))
    time.sleep(0.5)
    assert store.read(REF) == b"first"


def test_what_is_cut_once_is_sent_again(behind: S3Objects, line: Proxy, store: S3Objects) -> None:
    content = os.urandom(3 * MIB)
    line.cut_at(sender="client", keep_bytes=20_000)
    put(behind, content)
    assert line.counts()["cuts"] == 1
    assert store.read(REF) == content
    line.cut()  # the connection that was kept
    assert behind.read(REF) == content


def test_an_answer_that_is_cut_is_not_taken_for_the_object(behind: S3Objects, line: Proxy) -> None:
    put(behind, os.urandom(64 * MIB))  # more than the buffers on the way hold
    stream = behind.open(REF)
    assert len(stream.read(10)) == 10
    line.cut()
    with pytest.raises(ObjectsAway):
        stream.read()
    stream.close()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"access_key_id": "somebody"}, "403 InvalidAccessKeyId"),
        ({"secret_access_key": "another"}, "403 SignatureDoesNotMatch"),
    ],
)
@pytest.mark.parametrize("act", ACTS)
def test_another_key_is_refused_and_says_nothing_about_the_object(
    bucket: Bucket, store: S3Objects, changed: dict[str, str], reason: str, act: str
) -> None:
    put(store, b"as it was")
    with pytest.raises(ObjectsAway, match=reason):
        ACTS[act](S3Objects(replace(bucket, **changed)))
    assert store.read(REF) == b"as it was"


@pytest.mark.parametrize("act", ["put", "open", "read", "listed", "keeps_former_versions"])
def test_that_there_is_no_bucket_is_not_taken_for_an_object_that_is_gone(bucket: Bucket, act: str) -> None:
    with pytest.raises(ObjectsAway, match=r"404 NoSuchBucket|403 AccessDenied"):
        ACTS[act](S3Objects(replace(bucket, name="no-such-bucket")))


def test_keys_do_not_show(bucket: Bucket) -> None:
    assert bucket.secret_access_key not in repr(bucket)
    assert bucket.access_key_id not in repr(bucket)


def test_a_long_list_is_asked_for_in_pieces_and_holds_nothing_of_others(
    s3: S3Server, bucket: Bucket, store: S3Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = sorted(store.put(b"x", prefix="photos", max_bytes=1).ref for _ in range(7))
    for other in ("photos/0-note.txt", f"{ours[2]}.bak", f"{ours[2]}/x", "photos/zz"):
        assert s3.ask("PUT", f"{bucket.name}/{other}", b"theirs").is_success
    monkeypatch.setattr(s3_objects, "MOST_LISTED_AT_ONCE", 2)
    assert refs(store) == ours
    assert [found.ref for found in store.listed("photos", after=ours[1], limit=4)] == ours[2:6]


def test_a_list_that_does_not_go_on_ends(store: S3Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """As some servers answer while many keys are being deleted: there is more, and nothing in it."""
    answer = "<ListBucketResult xmlns='{s3}'><IsTruncated>true</IsTruncated></ListBucketResult>"
    pages = [ElementTree.fromstring(answer.format(**s3_objects.IN_XML))]  # noqa: S314 -- our own text
    monkeypatch.setattr(store, "_xml", lambda **_: pages.pop())
    assert refs(store) == []


@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
def test_whether_former_versions_are_kept_is_known(
    s3: S3Server, bucket: Bucket, store: S3Objects, status: str
) -> None:
    """Those from before it was suspended stay."""
    assert not store.keeps_former_versions()
    s3.keep_former_versions(bucket.name, status)
    assert store.keeps_former_versions()


def test_many_threads_put_and_read_at_once(store: S3Objects) -> None:
    contents = [os.urandom(200_000) for _ in range(24)]
    with ThreadPoolExecutor(12) as threads:
        put_in = list(
            threads.map(lambda c: store.put(io.BytesIO(c), prefix="photos", max_bytes=MIB), contents)
        )
        assert list(threads.map(lambda stored: store.read(stored.ref), put_in)) == contents
    assert refs(store) == sorted(stored.ref for stored in put_in)


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    folder = tmp_path_factory.mktemp("s3-tls")
    authority = Authority.made(datetime.now(UTC))
    certificate, key = authority.issued(["127.0.0.1"], datetime.now(UTC))
    for name, text in (("ca.pem", authority.pem), ("certificate.pem", certificate), ("key.pem", key)):
        (folder / name).write_text(text)
    server = S3Server(folder, str(folder / "ca.pem"))
    server.start()
    yield server
    server.kill()


def test_with_tls_the_server_is_verified(encrypted: S3Server, tmp_path: Path) -> None:
    bucket = encrypted.bucket("photos-of-all")
    put(S3Objects(bucket), b"face")
    assert S3Objects(bucket).read(REF) == b"face"

    (tmp_path / "other.pem").write_text(Authority.made(datetime.now(UTC)).pem)
    for other in ("", str(tmp_path / "other.pem")):
        with pytest.raises(ObjectsAway, match="ConnectError"):
            S3Objects(replace(bucket, ca_file=other)).read(REF)


GREEN = """
import eventlet; eventlet.monkey_patch()
import json, os, sys, time
from shared.objects import ObjectUnknown
from shared.s3_objects import Bucket, S3Objects
store = S3Objects(Bucket(**json.loads(sys.argv[1])))
longest, running = 0.0, True
def tick():
    global longest
    while running:
        began = time.monotonic(); eventlet.sleep(0.01)
        longest = max(longest, time.monotonic() - began)
ticking = eventlet.spawn(tick)
def one(content):
    ref = store.put(content, prefix="photos", max_bytes=len(content)).ref
    assert store.read(ref) == content
    store.delete(ref)
    try: store.read(ref)
    except ObjectUnknown: return True
began = time.monotonic()
done = list(eventlet.GreenPool(30).imap(one, [os.urandom(300_000) for _ in range(60)]))
running = False; ticking.wait()
assert store.listed("photos", after="", limit=9) == []
print(len(done), all(done), longest, time.monotonic() - began)
"""


@pytest.mark.parametrize("is_encrypted", [False, True])
def test_green_threads_share_it_and_go_on_meanwhile(
    s3: S3Server, encrypted: S3Server, is_encrypted: bool
) -> None:
    server = encrypted if is_encrypted else s3
    with Proxy("127.0.0.1", server.port) as line:
        line.delay(0.1)
        bucket = server.bucket(f"b-{uuid4()}")
        slow = replace(bucket, endpoint=bucket.endpoint.replace(str(server.port), str(line.port)))
        command = [sys.executable, "-W", "ignore", "-c", GREEN, json.dumps(asdict(slow))]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    count, is_all, longest_seconds, seconds = done.stdout.split()[-4:]
    assert (count, is_all) == ("60", "True")
    assert float(longest_seconds) < 0.5, "the hub stood still"
    assert float(seconds) < 30, seconds
