"""A request of any shape ends in a refusal with a name."""

from __future__ import annotations

import pytest

from services.registration import schemas


@pytest.mark.parametrize("value", [None, 7, "x", [], {}, "00000000-0000-0000-0000-00000000000g"])
def test_an_id_that_is_none_is_an_unknown_registration(value: object) -> None:
    asked = schemas.load(schemas.Submit, {"registration_id": value, "consent_version": value, "more": 1})
    assert asked["registration_id"] is None
    assert isinstance(asked["consent_version"], str)
    assert schemas.load(schemas.Held, {}) == {"registration_id": None, "sealed_resume_token": ""}
