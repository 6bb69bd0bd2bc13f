"""Uploads go through the real inspector, in its own process, and the real object folder."""

from __future__ import annotations

import hashlib
import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageFilter

from services.registration import photos
from services.registration.photos import Inspection
from services.registration.refusals import (
    PhotoBlurred,
    PhotoNotAnImage,
    PhotosBusy,
    PhotoTooLarge,
    PhotoUnknown,
    PhotoWrongShape,
)
from shared.objects import FolderObjects, ObjectsAway
from shared.refusals import Refused
from shared.testing import photos as drawn

MAX_BYTES = 8 * 1024 * 1024
GPS = 0x8825


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path)


@pytest.fixture
def inspection(objects: FolderObjects) -> Inspection:
    return Inspection(objects, max_bytes=MAX_BYTES, at_once=2)


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def portrait_of(size: tuple[int, int]) -> Image.Image:
    return Image.open(io.BytesIO(drawn.portrait("lan"))).resize(size, Image.Resampling.NEAREST)


def upload(objects: FolderObjects, content: bytes) -> tuple[str, str]:
    stored = objects.put(content, prefix="quarantine", max_bytes=64 * 1024 * 1024)
    return stored.ref, stored.sha256


def refused(inspection: Inspection, content: bytes, kind: str = "portrait") -> Refused:
    with pytest.raises(Refused) as refusal:
        inspection.inspect(content, kind, hashlib.sha256(content).hexdigest())
    assert all(problem.vi and problem.en for problem in refusal.value.problems)
    return refusal.value


@pytest.mark.proves("G7")
def test_a_photo_is_kept_made_anew_and_its_upload_until_it_is_forgotten(
    inspection: Inspection, objects: FolderObjects, tmp_path: Path
) -> None:
    content = drawn.portrait("lan")
    ref, sha256 = upload(objects, content)
    photo = inspection.take_in("portrait", ref, sha256)
    kept = objects.read(photo.ref)
    assert photo.ref.startswith("photos/")
    assert kept != content
    assert (hashlib.sha256(kept).hexdigest(), len(kept)) == (photo.sha256, photo.size_bytes)
    assert Image.open(io.BytesIO(kept)).size == drawn.PORTRAIT_SIZE
    assert inspection.take_in("portrait", ref, sha256) == photo, "taken in again after a kill, it is the same"
    assert photo.ref == inspection.ref_of_photo(ref)
    inspection.forget(ref)
    assert list((tmp_path / "quarantine").iterdir()) == []


@pytest.mark.proves("G7")
def test_both_sides_of_a_card_are_accepted_lying_only(inspection: Inspection) -> None:
    card = drawn.id_card_front("lan", ["001190123456"])
    assert inspection.inspect(card, "id_front", hashlib.sha256(card).hexdigest())
    assert isinstance(refused(inspection, drawn.portrait("lan"), "id_back"), PhotoWrongShape)
    assert isinstance(refused(inspection, card, "portrait"), PhotoWrongShape)


@pytest.mark.parametrize("turned", [False, True])
def test_a_birth_certificate_is_a_page_either_way_up(inspection: Inspection, turned: bool) -> None:
    page = Image.open(io.BytesIO(drawn.birth_certificate("an", ["NGUYEN THI AN"])))
    content = encoded(page.transpose(Image.Transpose.ROTATE_90) if turned else page)
    assert inspection.inspect(content, "birth_certificate", hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("size", [(900, 900), (700, 1400), (500, 707)], ids=["square", "strip", "too small"])
def test_what_is_no_readable_page_is_refused_as_a_birth_certificate(
    inspection: Inspection, size: tuple[int, int]
) -> None:
    refusal = refused(inspection, encoded(Image.new("RGB", size)), "birth_certificate")
    assert isinstance(refusal, PhotoWrongShape)
    assert "A4" in refusal.problems[0].vi


@pytest.mark.parametrize("size", [(600, 600), (600, 400), (300, 600), (100, 150)])
def test_a_portrait_that_is_not_4x6_is_refused_with_advice(
    inspection: Inspection, size: tuple[int, int]
) -> None:
    refusal = refused(inspection, encoded(Image.new("RGB", size)))
    assert isinstance(refusal, PhotoWrongShape)
    assert "4x6" in refusal.problems[0].vi


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Xin ch\xc3\xa0o",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='400' height='600'/>",
        b"\xff\xd8\xff\xe0" + b"\0" * 1000,
        encoded(Image.new("RGB", (400, 600)), "GIF"),
        encoded(Image.new("RGB", (400, 600)))[:200],
    ],
    ids=["empty", "text", "svg", "only the first bytes of a JPEG", "GIF", "cut off"],
)
def test_what_is_not_a_readable_jpeg_or_png_is_refused(inspection: Inspection, content: bytes) -> None:
    assert isinstance(refused(inspection, content), PhotoNotAnImage)


DRAWN = {
    "portrait": drawn.portrait("lan"),
    "id_front": drawn.id_card_front("lan", ["001190123456", "NGUYEN THI LAN"]),
    "id_back": drawn.id_card_back("lan", ["IDVNM1234567890<<<"]),
    "birth_certificate": drawn.birth_certificate("lan", ["NGUYEN THI LAN"]),
}


def drawn_at(kind: str, longer_side: int) -> Image.Image:
    image = Image.open(io.BytesIO(DRAWN[kind]))
    scale = longer_side / max(image.size)
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)


def noisy(image: Image.Image) -> Image.Image:
    noise = Image.effect_noise(image.size, 8)
    return ImageChops.add(image, Image.merge("RGB", (noise, noise, noise)), 1, -128)


def moved(image: Image.Image, share: float) -> Image.Image:
    """As if the hand had moved across by this share of the longer side."""
    result = image
    for step in range(1, round(max(image.size) * share)):
        result = Image.blend(result, ImageChops.offset(image, step, 0), 1 / (step + 1))
    return result


ALL_THE_SAME = {
    "as it is": lambda image: image,
    "noise": noisy,
    "dark": lambda image: image.point(lambda level: level * 0.3),
    "pale": lambda image: image.point(lambda level: 100 + level * 0.25),
}
BLURS = {
    "out of focus a little": lambda image: image.filter(ImageFilter.GaussianBlur(max(image.size) * 0.004)),
    "out of focus": lambda image: image.filter(ImageFilter.GaussianBlur(max(image.size) * 0.012)),
    "moved across": lambda image: moved(image, 0.03),
    "moved down": lambda image: moved(image.transpose(Image.Transpose.ROTATE_90), 0.03).transpose(
        Image.Transpose.ROTATE_270
    ),
}


@pytest.mark.parametrize("light", ALL_THE_SAME)
@pytest.mark.parametrize("longer_side", [900, 1900])
@pytest.mark.parametrize("kind", DRAWN)
def test_a_blurred_photo_is_refused_with_advice_and_a_sharp_one_is_not(
    inspection: Inspection, kind: str, longer_side: int, light: str
) -> None:
    """Whatever its size, its light and its noise."""
    image = drawn_at(kind, longer_side)
    sharp = encoded(ALL_THE_SAME[light](image), quality=60)
    assert inspection.inspect(sharp, kind, hashlib.sha256(sharp).hexdigest())
    for blur in BLURS.values():
        refusal = refused(inspection, encoded(ALL_THE_SAME[light](blur(image)), quality=88), kind)
        assert isinstance(refusal, PhotoBlurred)
        assert "chụp lại" in refusal.problems[0].vi


def test_a_picture_of_nothing_is_refused(inspection: Inspection) -> None:
    assert isinstance(refused(inspection, encoded(Image.new("RGB", (400, 600), "gray"))), PhotoBlurred)


def test_whoever_would_wait_too_long_for_a_turn_is_told_to_come_again(
    objects: FolderObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspection = Inspection(objects, max_bytes=MAX_BYTES, at_once=1)
    content = drawn.portrait("lan")

    def inspector_at_work(*_arguments: object) -> tuple[dict[str, str], bytes]:
        assert isinstance(refused(inspection, content), PhotosBusy)
        return {"sha256": hashlib.sha256(content).hexdigest()}, b"clean"

    monkeypatch.setattr(photos, "LONGEST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(photos, "run_inspector", inspector_at_work)
    for _ in range(2):  # and the turn is given back
        assert inspection.inspect(content, "portrait", hashlib.sha256(content).hexdigest()) == b"clean"


def test_too_many_bytes_are_refused_without_being_looked_at(inspection: Inspection) -> None:
    assert isinstance(refused(inspection, b"\0" * (MAX_BYTES + 1)), PhotoTooLarge)


def test_too_many_pixels_are_refused_before_they_are_decoded(inspection: Inspection) -> None:
    """A PNG of 30,000 x 45,000 pixels in 200 bytes: decoding it would take 4 GB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 45_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 99))
        + chunk(b"IEND", b"")
    )
    assert isinstance(refused(inspection, bomb), PhotoTooLarge)


def test_the_largest_photo_allowed_fits_into_the_inspectors_memory(inspection: Inspection) -> None:
    for kind, mode in (("JPEG", "RGB"), ("PNG", "RGBA")):
        content = encoded(portrait_of((4080, 6120)).convert(mode), kind)
        clean = inspection.inspect(content, "portrait", hashlib.sha256(content).hexdigest())
        assert max(Image.open(io.BytesIO(clean)).size) == 2000


def test_place_camera_and_hidden_bytes_do_not_survive(inspection: Inspection) -> None:
    exif = Image.Exif()
    exif[271], exif[GPS] = "Máy ảnh thử", {1: "N", 2: (21.0, 1.0, 0.0)}
    content = encoded(portrait_of((400, 600)), exif=exif, comment=b"secret") + b"<?php secret ?>"
    clean = inspection.inspect(content, "portrait", hashlib.sha256(content).hexdigest())
    image = Image.open(io.BytesIO(clean))
    assert dict(image.getexif()) == {}
    assert b"secret" not in clean
    assert "comment" not in image.info


def test_a_photo_taken_with_the_phone_turned_is_set_upright(inspection: Inspection) -> None:
    exif = Image.Exif()
    exif[274] = 6
    content = encoded(portrait_of((400, 600)).transpose(Image.Transpose.ROTATE_90), exif=exif)
    clean = inspection.inspect(content, "portrait", hashlib.sha256(content).hexdigest())
    assert Image.open(io.BytesIO(clean)).size == (400, 600)


def test_a_reference_outside_quarantine_is_refused_and_stays(
    inspection: Inspection, objects: FolderObjects
) -> None:
    """Else one could attach, and thereby delete, somebody else's photo."""
    somebodys = objects.put(drawn.portrait("mai"), prefix="photos", max_bytes=MAX_BYTES)
    for ref in (somebodys.ref, "quarantine/../photos/x", "quarantine/" + "0" * 32, ""):
        with pytest.raises(PhotoUnknown):
            inspection.take_in("portrait", ref, somebodys.sha256)
    assert objects.read(somebodys.ref)


def test_other_bytes_than_were_announced_are_refused(inspection: Inspection, objects: FolderObjects) -> None:
    ref, _ = upload(objects, drawn.portrait("lan"))
    with pytest.raises(PhotoUnknown):
        inspection.take_in("portrait", ref, "0" * 64)


def test_that_the_store_is_away_is_told_and_what_could_not_be_deleted_is_left_to_the_jobs(
    inspection: Inspection, objects: FolderObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref, sha256 = upload(objects, drawn.portrait("lan"))

    def away(*_args: object, **_kwargs: object) -> bytes:
        raise ObjectsAway("ConnectError")

    for method in ("put", "read"):
        with monkeypatch.context() as patched:
            patched.setattr(objects, method, away)
            with pytest.raises(ObjectsAway):
                inspection.take_in("portrait", ref, sha256)
    with monkeypatch.context() as patched:
        patched.setattr(objects, "delete", away)
        inspection.forget(ref)
    assert inspection.take_in("portrait", ref, sha256)


def test_the_hub_goes_on_while_photos_are_looked_at() -> None:
    """In a process patched as ``shared.run`` does it a green thread goes on beating."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HUB],
        input=encoded(Image.effect_noise((1200, 1800), 100).convert("RGB"), quality=95),
        capture_output=True,
        timeout=120,
        check=True,
        cwd=Path(__file__).parents[4],
    )
    beats, decided = result.stdout.split()
    assert (int(decided), int(beats) > 20) == (4, True)


HUB = """
import eventlet
eventlet.monkey_patch()
import sys
from services.registration.photos import run_inspector
upload, beats = sys.stdin.buffer.read(), 0
def beat():
    global beats
    while True:
        eventlet.sleep(0.005)
        beats += 1
beating = eventlet.spawn(beat)
looks = [eventlet.spawn(run_inspector, upload, "portrait", 1 << 24) for _ in range(4)]
decided = sum("sha256" in look.wait()[0] for look in looks)
print(beats, decided)
"""
