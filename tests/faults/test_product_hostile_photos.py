"""F19: photos made to harm: a pixel bomb, a polyglot, an SVG, a place in the metadata."""

from __future__ import annotations

import io
import struct
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from deploy.native.instance import Instance
from shared.testing.citizen_client import CONSENT_VERSION, CitizenClient, photo_of
from shared.testing.citizens import Citizen
from shared.testing.client import ProblemSeen
from shared.testing.processes import ServiceProcess
from tests.faults.crowd import Crowd, new_seed
from tests.faults.replaced import instead

PLANTED = f"{__package__}.planted_registration:RegistrationService"
MIB = 1024 * 1024
MOST_OF_AN_INSPECTOR_BYTES = 640 * MIB
MOST_OF_REGISTRATION_BYTES = 400 * MIB
GPS, MAKER = 0x8825, 271
HIDDEN = b"<script>hidden()</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="400" height="600"><image href="file:///etc/passwd"/></svg>'


def bomb() -> bytes:
    """A PNG of 216 million pixels in some 3 MiB: decoded it takes 864 MB."""
    width, height = 12_000, 18_000
    row, packed = bytes(1 + 3 * width), zlib.compressobj(1)
    data = b"".join(packed.compress(row) for _ in range(height)) + packed.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part))
        for kind, part in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    )


def with_a_place(photo: bytes) -> bytes:
    """The photo as a phone makes it: where and with what it was taken."""
    exif = Image.Exif()
    exif[MAKER], exif[GPS] = "Máy ảnh thử", {1: "N", 2: (21.0, 1.0, 0.0), 3: "E", 4: (105.0, 51.0, 0.0)}
    made = io.BytesIO()
    Image.open(io.BytesIO(photo)).save(made, "JPEG", quality=95, exif=exif, comment=HIDDEN)
    return made.getvalue()


def polyglot(photo: bytes) -> bytes:
    """A photo that is a page and an archive, too."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("run.sh", "#!/bin/sh\n")
    return photo + HIDDEN + archive.getvalue()


class Peak:
    """The most memory, in bytes, that an inspector took since this was begun."""

    def __init__(self, parent: int) -> None:
        self.bytes = 0
        self._parent = parent

    def look(self) -> bool:
        """Whether one is at work."""
        found = False
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                lines = dict(
                    line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line
                )
                of_ours = int(lines["PPid"]) == self._parent
                is_inspector = of_ours and b"photo_inspector" in (status.parent / "cmdline").read_bytes()
            except (OSError, KeyError, ValueError):
                continue  # it has ended
            if is_inspector:
                found = True
                self.bytes = max(self.bytes, int(lines.get("VmHWM", "0 kB").split()[0]) * 1024)
        return found


@contextmanager
def peak_of_inspectors(process: ServiceProcess) -> Iterator[Peak]:
    """Until the end of the block, and until every inspector has ended."""
    peak, over = Peak(process.pid), threading.Event()

    def watch() -> None:
        while peak.look() or not over.is_set():
            time.sleep(0.02)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield peak
    finally:
        over.set()
        watching.join()


def refused_as(client: CitizenClient, content: bytes, content_type: str) -> str:
    try:
        client.upload("portrait", content, content_type)
    except ProblemSeen as problem:
        return str(problem.name)
    return "taken"


def is_refused(product: Instance, process: ServiceProcess) -> None:
    """What is no photo, or too much of one."""
    crowd = Crowd(product, 1, new_seed())
    client = CitizenClient(crowd.gateway)
    client.start()
    client.declare(crowd.world.citizens[0].declaration())
    with peak_of_inspectors(process) as peak:
        told = refused_as(client, bomb(), "image/png")
    assert peak.bytes < MOST_OF_AN_INSPECTOR_BYTES, "a bomb takes memory without bound"
    assert told == "photo-too-large", "a bomb was decoded"
    assert refused_as(client, SVG, "image/png") == "photo-not-an-image"
    assert refused_as(client, SVG, "image/svg+xml") == "unsupported-media-type"
    assert refused_as(client, b"GIF89a" + HIDDEN, "image/jpeg") == "photo-not-an-image"
    assert client.view()["steps"]["photos"] == "missing"
    assert process.peak_memory_bytes < MOST_OF_REGISTRATION_BYTES


def is_cleaned(product: Instance, _process: ServiceProcess) -> None:
    """What more than a photo comes with one is not there when an officer looks at it."""
    crowd = Crowd(product, 1, new_seed() + 1)
    citizen: Citizen = crowd.world.citizens[0]
    client = CitizenClient(crowd.gateway)
    client.start()
    for kind in client.declare(citizen.declaration())["photos_needed"]:
        client.upload(kind, polyglot(with_a_place(photo_of(citizen, kind))))
    agency = crowd.world.agency_of(citizen)
    client.choose_agency(agency, citizen.email)
    client.request_otp()
    client.confirm_otp(crowd.inbox.wait_for_otp(citizen.email))
    accepted = client.submit(CONSENT_VERSION)
    officer = crowd.world.officers[agency]
    case = officer.find(accepted["declaration_number"])
    seen = officer.photo(case["id"], "portrait")
    image = Image.open(io.BytesIO(seen))
    assert dict(image.getexif()) == {}, "the place was kept"
    assert HIDDEN not in seen, "hidden bytes were kept"
    assert not zipfile.is_zipfile(io.BytesIO(seen)), "an archive was kept"
    assert image.size == Image.open(io.BytesIO(photo_of(citizen, "portrait"))).size


@pytest.mark.proves("F19")
def test_photos_made_to_harm_are_refused_or_cleaned_in_little_memory(
    product: Instance, tmp_path: Path
) -> None:
    with instead(product, "registration", tmp_path) as process:
        is_refused(product, process)
        is_cleaned(product, process)


@pytest.mark.planted("F19")
@pytest.mark.parametrize(
    ("defect", "part", "seen"),
    [
        ("pixels without end", is_refused, "a bomb takes memory without bound"),
        ("kept as it came", is_cleaned, "the place was kept"),
    ],
)
def test_a_photo_that_harms_is_seen(
    product: Instance,
    tmp_path: Path,
    defect: str,
    part: Callable[[Instance, ServiceProcess], None],
    seen: str,
) -> None:
    with (
        instead(product, PLANTED, tmp_path, PLANTED=defect) as process,
        pytest.raises(AssertionError, match=seen),
    ):
        part(product, process)
