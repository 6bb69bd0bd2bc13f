"""Photos of citizens: each upload is looked at and made anew in a process with limits, then kept.

The other side of this is ``photo_inspector.py``. Under eventlet only the waiting thread waits: standard
``subprocess`` is green in a process that ``shared.run`` has patched.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

from services.registration.domain import Photo
from services.registration.refusals import (
    PhotoBlurred,
    PhotoNotAnImage,
    PhotosBusy,
    PhotoTooLarge,
    PhotoUnknown,
    PhotoWrongShape,
)
from shared.objects import ObjectsAway, ObjectUnknown, StoredObject
from shared.refusals import FieldProblem, Refused
from shared.sealed_objects import ObjectBroken

INSPECTOR = Path(__file__).with_name("photo_inspector.py")
WALL_SECONDS = 15
LONGEST_WAIT_SECONDS = 3.0
"""Whoever waited longer for a turn would hear the answer too late and come again: the line would grow."""
QUARANTINE, KEPT = "quarantine/", "photos"

SHAPE_OF = {"portrait": "portrait", "id_front": "card", "id_back": "card", "birth_certificate": "page"}
WRONG_SHAPE = {
    "portrait": FieldProblem(
        "portrait",
        "Ảnh chân dung 4x6 chụp đứng, tỉ lệ 2:3 đến 3:4, cạnh ngắn từ 200 điểm ảnh.",
        "An upright 4x6 portrait, between 2:3 and 3:4, its shorter side 200 pixels or more.",
    ),
    "card": FieldProblem(
        "id_card",
        "Ảnh giấy tờ chụp ngang, vừa khung giấy tờ, cạnh ngắn từ 200 điểm ảnh.",
        "The ID document lying across, filling the picture, the shorter side 200 pixels or more.",
    ),
    "page": FieldProblem(
        "birth_certificate",
        "Giấy khai sinh khổ A4 hoặc A5 chụp vừa khung giấy, đứng hoặc ngang, cạnh ngắn từ 600 điểm ảnh.",
        "The whole A4 or A5 page filling the picture, upright or lying, the shorter side 600 pixels or more.",
    ),
}
BLURRED = FieldProblem(
    "photo",
    "Lau ống kính, giữ chắc máy, chờ máy lấy nét ở nơi đủ sáng rồi chụp lại.",
    "Wipe the lens, hold the phone still, let it focus where there is enough light, and take it again.",
)
NOT_AN_IMAGE = FieldProblem("photo", "Gửi ảnh chụp dạng JPEG hoặc PNG.", "Send a photo as JPEG or PNG.")


class Objects(Protocol):
    """What is needed of the object store (``shared/sealed_objects.py``)."""

    def put(self, content: bytes, *, prefix: str, max_bytes: int, name: str) -> StoredObject: ...
    def read(self, ref: str) -> bytes: ...
    def delete(self, ref: str) -> None: ...


class Inspection:
    """Inspects uploads, at most ``at_once`` of them at the same time in this process."""

    def __init__(self, objects: Objects, *, max_bytes: int, at_once: int) -> None:
        self.objects = objects
        self.max_bytes = max_bytes
        self._turns = threading.BoundedSemaphore(at_once)

    def take_in(self, kind: str, ref: str, sha256: str) -> Photo:
        """The upload ``ref`` in quarantine as a clean photo of the store, under the same name. The upload
        stays until its photo is attached: then, or when it is refused, ``forget`` it.

        Raises ``PhotoTooLarge``, ``PhotoNotAnImage``, ``PhotoWrongShape``, ``PhotoBlurred``;
        ``PhotoUnknown`` for a reference that is not one of quarantine, for what the gateway did not seal
        there, or whose bytes are not those of ``sha256``; ``ObjectsAway``.
        """
        if not ref.startswith(QUARANTINE):
            raise PhotoUnknown()
        try:
            upload = self.objects.read(ref)
            clean = self.inspect(upload, kind, sha256)
            name = ref.removeprefix(QUARANTINE)
            kept = self.objects.put(clean, prefix=KEPT, max_bytes=2 * self.max_bytes, name=name)
            return Photo(kind, kept.ref, kept.sha256, kept.size_bytes)
        except (ObjectUnknown, ObjectBroken):
            raise PhotoUnknown() from None

    @staticmethod
    def ref_of_photo(ref: str) -> str:
        """Where the photo of an upload lies."""
        return f"{KEPT}/{ref.removeprefix(QUARANTINE)}"

    def inspect(self, upload: bytes, kind: str, sha256: str) -> bytes:
        """The clean photo out of the bytes of an upload, whose hash has to be ``sha256``. Raises also
        ``PhotosBusy``."""
        shape = SHAPE_OF[kind]
        if len(upload) > self.max_bytes:
            raise self.too_large()
        if not self._turns.acquire(timeout=LONGEST_WAIT_SECONDS):
            raise PhotosBusy()
        try:
            found, clean = run_inspector(upload, shape, self.max_bytes)
        finally:
            self._turns.release()
        refused = found.get("refused")
        if refused is not None:
            raise self.refusal(refused, shape)
        if found.get("sha256") != sha256:
            raise PhotoUnknown()
        return clean

    def forget(self, ref: str) -> None:
        """Delete an object, if it is there. While the store is away it stays, for the jobs to find."""
        with suppress(ObjectUnknown, ObjectsAway):
            self.objects.delete(ref)

    def refusal(self, name: str, shape: str) -> Refused:
        if name == "PhotoTooLarge":
            return self.too_large()
        if name == "PhotoBlurred":
            return PhotoBlurred(BLURRED)
        if name == "PhotoWrongShape":
            return PhotoWrongShape(WRONG_SHAPE[shape])
        return PhotoNotAnImage(NOT_AN_IMAGE)

    def too_large(self) -> PhotoTooLarge:
        most = f"{self.max_bytes // (1024 * 1024)} MiB, 25 MP"
        return PhotoTooLarge(FieldProblem("photo", f"Tối đa {most}.", f"At most {most}."))


def run_inspector(upload: bytes, shape: str, max_bytes: int) -> tuple[dict[str, str], bytes]:
    """What the inspector said and the clean photo. One that was killed by its limits saw no image."""
    command = [sys.executable, "-I", str(INSPECTOR), shape, str(max_bytes)]
    with in_memory(upload) as sent, in_memory() as answered:
        process = subprocess.Popen(  # noqa: S603 -- our own program, whose arguments no caller chooses
            command, stdin=sent, stdout=answered, stderr=subprocess.DEVNULL, env={}, cwd="/"
        )
        try:
            status = process.wait(timeout=WALL_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait(timeout=WALL_SECONDS)
        answered.seek(0)
        first_line, _, clean = answered.read().partition(b"\n")
    if status != 0 or not first_line:
        return {"refused": "PhotoNotAnImage"}, b""
    found: dict[str, str] = json.loads(first_line)
    return found, clean


def in_memory(content: bytes = b"") -> BinaryIO:
    """A file that is on no disk. Unlike a pipe it needs nobody to pump it, which would keep the hub busy."""
    file = os.fdopen(os.memfd_create("photo"), "r+b")
    file.write(content)
    file.seek(0)
    return file
