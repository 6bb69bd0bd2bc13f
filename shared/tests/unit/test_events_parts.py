"""Parts that are put together and taken apart again."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from shared.events import registration
from shared.events.parts import photos_heard, photos_told


@dataclass(frozen=True)
class Photo:
    kind: str
    ref: str
    sha256: str = "0" * 64


@pytest.mark.parametrize("kinds", [(), ("portrait",), ("portrait", "birth_certificate")])
def test_photos_are_heard_as_they_were_told(kinds: tuple[str, ...]) -> None:
    photos = [Photo(kind, f"photos/{kind}") for kind in kinds]
    schema = registration.SUPPLEMENTED.schema
    told = {"registration_id": "01920000-0000-7000-8000-000000000001", "note": None, **photos_told(photos)}
    assert photos_heard(schema.load(schema.dump(told))) == [vars(photo) for photo in photos]


def test_an_event_from_before_birth_certificates_has_its_photos() -> None:
    assert photos_heard({"photos": [vars(Photo("portrait", "photos/1"))]})
