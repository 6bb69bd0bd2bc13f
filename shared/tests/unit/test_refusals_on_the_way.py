"""A service asked on the way refuses, or is away: what the caller of the first one hears."""

from __future__ import annotations

from typing import Any

import pytest

from shared.messaging.calls import DATABASE_AWAY, CallFailed, CallRefused, CallTimeout, ServiceUnknown
from shared.messaging.rpc import Rpc
from shared.objects import ObjectsAway


def outcome(error: Exception) -> tuple[str, dict[str, Any]]:
    def execute() -> dict[str, Any]:
        raise error

    entrypoint = Rpc()
    entrypoint.name = "first.accept"
    return entrypoint._outcome(execute)


def test_its_refusal_is_told_as_it_is() -> None:
    told, payload = outcome(CallRefused("TokenInvalid", "Hết hạn.", "Expired.", details={"minutes": 3}))
    assert (told, payload["error"]["exc_type"]) == ("refused", "TokenInvalid")
    assert payload["error"]["refusal"] == {
        "vi": "Hết hạn.", "en": "Expired.", "problems": [], "details": {"minutes": 3},
    }  # fmt: skip


@pytest.mark.parametrize(
    "error", [CallTimeout("second.accept"), CallFailed("the broker is gone"), ServiceUnknown("second")]
)
def test_that_it_is_away_is_no_fault_of_the_first(error: Exception) -> None:
    told, payload = outcome(error)
    assert (told, payload["error"]["exc_type"]) == ("failed", DATABASE_AWAY)


def test_that_the_object_store_is_away_is_no_fault_either() -> None:
    told, payload = outcome(ObjectsAway("503 SlowDown"))
    assert (told, payload["error"]["exc_type"]) == ("failed", DATABASE_AWAY)


def test_its_fault_is_a_fault() -> None:
    told, payload = outcome(CallFailed("InternalError", error_id="0" * 32))
    assert (told, payload["error"]["exc_type"]) == ("failed", "InternalError")
