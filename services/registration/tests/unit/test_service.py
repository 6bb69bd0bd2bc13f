"""What the service does when a party outside is away, without any server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from services.registration.refusals import OtpUnavailable
from services.registration.service import RegistrationService
from services.registration.settings import Settings
from services.registration.tests.examples import declared
from shared.cache import Limiter
from shared.messaging.calls import CallFailed, CallRefused, CallTimeout, ServiceUnknown
from shared.settings import SettingsInvalid, load
from shared.testing.processes import free_port


def service() -> Any:
    settings = Settings(
        amqp_url="amqp://127.0.0.1",
        ops_port=0,
        database_url="postgresql://127.0.0.1",
        redis_url=f"redis://127.0.0.1:{free_port()}/0",
        objects_dir="/nowhere",
        seal_private="k",
        seal_public_gateway="k",
        seal_public_notification="k",
    )
    made: Any = RegistrationService()
    made.parts = SimpleNamespace(settings=settings, limiter=Limiter(settings.redis_url))
    return made


def test_codes_are_refused_politely_while_redis_is_away() -> None:
    with pytest.raises(OtpUnavailable):
        service().count_otp(uuid4(), "lan@example.org")


@pytest.mark.proves("G7")
@pytest.mark.parametrize(
    "failure",
    [
        CallTimeout("identity.check_citizen"),
        CallFailed("the broker is not connected"),
        ServiceUnknown("identity"),
        CallRefused("RequestInvalid", "", ""),
    ],
)
def test_a_register_check_that_fails_is_unavailable_never_a_mismatch(failure: Exception) -> None:
    asked: dict[str, Any] = {}

    def check_citizen(**arguments: Any) -> Any:
        asked.update(arguments)
        raise failure

    made = service()
    made.identity = SimpleNamespace(check_citizen=check_citizen)
    assert made.ask_register(uuid4(), declared()).outcome == "unavailable"
    assert asked["deadline_seconds"] == 2.0
    assert asked["personal_number"] == "001190123456"


def test_a_missing_key_is_named_at_start() -> None:
    with pytest.raises(SettingsInvalid) as refusal:
        load(Settings, {})
    missing = {problem.variable for problem in refusal.value.problems}
    assert {"SEAL_PRIVATE", "SEAL_PUBLIC_GATEWAY", "SEAL_PUBLIC_NOTIFICATION", "OBJECTS_DIR"} <= missing
