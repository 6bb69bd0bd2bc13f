"""Objects in a bucket of an S3 server, for several hosts. What it sees is encrypted (``sealed_objects.py``).

An upload is gathered first, in a file without a name, and sent when it is whole: with its size and its hash,
so that the server keeps all of it or nothing, and so that it may be sent again.
"""

from __future__ import annotations

import hashlib
import io
import re
import tempfile
import threading
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, BinaryIO
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

import httpx
import stamina
from aws_request_signer import AwsRequestSigner

from shared import logs, tls
from shared.objects import (
    CHUNK_SIZE_BYTES,
    REF,
    Listed,
    ObjectsAway,
    ObjectUnknown,
    Reading,
    StoredObject,
    checked,
    copied,
    ref_of,
)
from shared.off_hub import off_hub

log = logs.get(__name__)

CONNECT_SECONDS, SILENCE_SECONDS = 1.5, 5.0
"""How long a connection may take to be there, and then nothing come or go on it."""
TRIES, PAUSE_SECONDS = 2, 0.1
NOTHING = hashlib.sha256(b"").hexdigest()
MOST_LISTED_AT_ONCE = 1000
LARGEST_ERROR_BYTES = 4096
ERROR_CODE = re.compile(rb"<Code>(\w{1,64})</Code>")
NO_OBJECT = "NoSuchKey"
IN_XML = {"s3": "http://s3.amazonaws.com/doc/2006-03-01/"}


@dataclass(frozen=True)
class Bucket:
    """A bucket and the key for it. ``endpoint`` is ``https://host[:port]``, verified by ``ca_file``, by
    default by what the system trusts."""

    endpoint: str
    name: str
    region: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    ca_file: str = ""


class S3Objects:
    """Objects as ``<prefix>/<name>`` in a bucket, addressed by path. Usable from any thread; each has
    connections of its own, because native threads cannot share locks with eventlet's hub."""

    def __init__(self, bucket: Bucket, aside: str | Path | None = None) -> None:
        """``aside`` is the folder in which uploads are gathered, by default the system's for temporary files.
        Nothing is asked of the server yet."""
        # As it is sent, so it is signed: without a port that goes without saying.
        self._address = str(httpx.URL(bucket.endpoint).join(f"/{bucket.name}"))
        self._signer = AwsRequestSigner(bucket.region, bucket.access_key_id, bucket.secret_access_key, "s3")
        self._verifying = tls.context(bucket.ca_file)
        self._of_thread = threading.local()
        self._aside = aside
        if aside is not None:
            Path(aside).mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, content: BinaryIO | bytes, *, prefix: str, max_bytes: int, name: str = "") -> StoredObject:
        """Store all that ``content`` yields, streaming. ``prefix`` is a plain word: ``quarantine``; ``name``,
        32 hexadecimal digits, names what may be put again, otherwise it is a new one.

        Raises ``ObjectTooLarge`` after reading at most one chunk more than ``max_bytes``, ``ObjectsAway``.
        """
        ref = ref_of(prefix, name)
        stream = io.BytesIO(content) if isinstance(content, bytes) else content
        return off_hub(lambda: self._put(stream, ref, max_bytes))

    def open(self, ref: str) -> Reading:
        """The object's bytes as a stream, to be closed. Raises ``ObjectUnknown``, ``ObjectsAway``; the latter
        also while it is read."""
        return self._asked("GET", f"/{checked(ref)}")

    def read(self, ref: str) -> bytes:
        """The object's bytes at once. Raises ``ObjectUnknown``, ``ObjectsAway``."""
        return off_hub(lambda: _whole(self.open(ref)))

    def delete(self, ref: str) -> None:
        """Remove it; one that is gone already is no error. Raises ``ObjectUnknown`` for what is no reference,
        ``ObjectsAway``."""
        path = f"/{checked(ref)}"
        with suppress(ObjectUnknown):
            off_hub(lambda: _whole(self._asked("DELETE", path)))

    def listed(self, prefix: str, *, after: str, limit: int) -> list[Listed]:
        """The next objects of a prefix behind the reference ``after``, in their order.

        Raises ``ObjectsAway``.
        """
        return off_hub(self._listed, prefix, after, limit)

    def keeps_former_versions(self) -> bool:
        """Whether what is deleted stays in the bucket as a former version, or did until that was suspended.
        Raises ``ObjectsAway``."""
        status = off_hub(lambda: self._xml(versioning="").findtext("s3:Status", "", IN_XML))
        return status in ("Enabled", "Suspended")

    def _put(self, stream: BinaryIO, ref: str, max_bytes: int) -> StoredObject:
        with tempfile.TemporaryFile(dir=self._aside) as file:
            size_bytes, sha256 = copied(stream, file, max_bytes)
            _whole(self._asked("PUT", f"/{ref}", file, size_bytes, sha256))
        return StoredObject(ref, size_bytes, sha256)

    def _listed(self, prefix: str, after: str, limit: int) -> list[Listed]:
        found: list[Listed] = []
        after, is_end = after or f"{prefix}/", False
        while len(found) < limit and not is_end:
            before, wanted = after, str(min(limit - len(found), MOST_LISTED_AT_ONCE))
            page = self._xml(
                **{"list-type": "2", "prefix": f"{prefix}/", "start-after": after, "max-keys": wanted}
            )
            for row in page.iterfind("s3:Contents", IN_XML):
                after = row.findtext("s3:Key", "", IN_XML)
                if REF.fullmatch(after):
                    changed_at = datetime.fromisoformat(row.findtext("s3:LastModified", "", IN_XML))
                    found.append(Listed(after, changed_at))
            is_end = page.findtext("s3:IsTruncated", "", IN_XML) != "true" or after == before
        return found

    def _xml(self, **query: str) -> ElementTree.Element:
        """What the bucket answers to a query about itself. Raises ``ObjectsAway``."""
        answer = _whole(self._asked("GET", "?" + urlencode(sorted(query.items()), quote_via=quote)))
        try:
            return ElementTree.fromstring(answer)  # noqa: S314 -- of the server that holds the photos
        except ElementTree.ParseError:
            raise ObjectsAway("an answer that is no XML") from None

    def _asked(
        self, method: str, what: str, body: IO[bytes] | None = None, size: int = 0, sha256: str = NOTHING
    ) -> _Coming:
        """The answer to a request for ``/key`` or about the bucket, ``?query``, to be closed.

        Raises ``ObjectUnknown``, ``ObjectsAway``.
        """
        url = f"{self._address}{what}"
        attempts = stamina.retry_context(ObjectsAway, TRIES, wait_initial=PAUSE_SECONDS, wait_jitter=0)
        try:
            for attempt in attempts:
                with attempt:
                    headers = self._signer.sign_with_headers(method, url, content_hash=sha256)
                    if body is not None:
                        body.seek(0)
                        headers["Content-Length"] = str(size)
                    return self._answer(self._http.build_request(method, url, headers=headers, content=body))
        except ObjectsAway as away:
            log.warning("the object store is away", method=method, reason=away.reason)
            raise
        raise AssertionError  # the last attempt has raised

    def _answer(self, request: httpx.Request) -> _Coming:
        try:
            answer = self._http.send(request, stream=True)
            if answer.is_success:
                return _Coming(answer)
            with closing(answer):
                code = ERROR_CODE.search(next(answer.iter_raw(LARGEST_ERROR_BYTES), b""))
        except httpx.HTTPError as error:
            raise ObjectsAway(type(error).__name__) from None
        named = code[1].decode() if code else ""
        if named == NO_OBJECT:
            raise ObjectUnknown
        raise ObjectsAway(f"{answer.status_code} {named}".rstrip())

    @property
    def _http(self) -> httpx.Client:
        if not hasattr(self._of_thread, "http"):
            self._of_thread.http = httpx.Client(
                verify=self._verifying,
                headers={"Accept-Encoding": "identity"},
                timeout=httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS),
                trust_env=False,
            )
        http: httpx.Client = self._of_thread.http
        return http


class _Coming:
    """An object on its way from the server."""

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer
        self._pieces = answer.iter_raw(CHUNK_SIZE_BYTES)
        self._ready = bytearray()

    def read(self, size: int = -1, /) -> bytes:
        """So many bytes, fewer at the end only; all that is left without a size. Raises ``ObjectsAway``."""
        try:
            while (size < 0 or len(self._ready) < size) and (piece := next(self._pieces, b"")):
                self._ready += piece
        except httpx.HTTPError as error:
            raise ObjectsAway(type(error).__name__) from None
        taken = bytes(self._ready if size < 0 else self._ready[:size])
        del self._ready[: len(taken)]
        return taken

    def close(self) -> None:
        """Let go of the connection, whether or not all was read."""
        self._answer.close()


def _whole(coming: Reading) -> bytes:
    """All of it; its connection is free for the next request."""
    with closing(coming):
        return coming.read()
