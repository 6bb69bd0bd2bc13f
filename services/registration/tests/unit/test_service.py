"""What the service does when a party outside is away, without any server."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from services.registration import register_check
from services.registration import service as entrypoints
from services.registration.photos import Inspection
from services.registration.refusals import (
    CodeTaken,
    OtpUnavailable,
    PhoneTaken,
    StepOutOfOrder,
    SubmissionsTooMany,
)
from services.registration.service import RegistrationService, hash_of
from services.registration.settings import Settings
from services.registration.submission import Submission
from services.registration.taken import told_rarely
from services.registration.tests.examples import NOW, complete, declared, photo
from services.registration.tests.unit.fakes import FakeStorage
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
        quarantine_private="k",
        photos_public="k",
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

    assert ask(check_citizen).outcome == "unavailable"
    assert asked["deadline_seconds"] == CHECK_SECONDS
    assert asked["personal_number"] == "001190123456"


@pytest.mark.parametrize("outcome", ["photos_needed", "unavailable"])
def test_any_answer_but_a_match_is_told_when_the_time_is_up(outcome: str) -> None:
    started = time.monotonic()
    assert ask(lambda **_: {"outcome": outcome}).outcome == outcome
    assert time.monotonic() - started >= CHECK_SECONDS


def test_a_match_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register_check, "wait_until", None)
    assert ask(lambda **_: {"outcome": "matched"}).outcome == "matched"


@pytest.mark.parametrize("over", ["check_draft", "check_address", "check_number"])
def test_over_a_limit_the_register_is_not_asked_and_nobody_is_turned_away(over: str) -> None:
    hits: list[tuple[str, str]] = []

    def hit(name: str, key: str, _limit: str) -> bool:
        hits.append((name, key))
        return name != over

    assert ask(refuse_to_answer, hit=hit).outcome == "unavailable"
    assert hits[-1][0] == over
    assert dict(hits).get("check_number", "001190123456") == "001190123456"
    assert dict(hits).get("check_address", "a") == "a"


def test_while_nobody_counts_the_register_is_not_asked() -> None:
    limiter = Limiter(f"redis://127.0.0.1:{free_port()}/0")
    assert ask(refuse_to_answer, hit=limiter.hit).outcome == "unavailable"


CHECK_SECONDS = 0.05


def ask(check_citizen: Any, hit: Any = lambda *_: True) -> Any:
    settings = replace(service().parts.settings, check_seconds=CHECK_SECONDS)
    identity, limiter = SimpleNamespace(check_citizen=check_citizen), SimpleNamespace(hit=hit)
    return register_check.ask(identity, limiter, settings, uuid4(), declared(), "a")  # type: ignore[arg-type]


@pytest.mark.parametrize("refusal", [PhoneTaken, CodeTaken])
def test_who_hears_too_often_that_something_is_taken_is_refused_whatever_is_submitted(refusal: Any) -> None:
    limiter = Limiter(f"redis://127.0.0.1:{free_port()}/0")
    limiter._storage = MemoryStorage()  # type: ignore[assignment]
    limiter._windows = windows = MovingWindowRateLimiter(limiter._storage)
    limiter._together = lambda items: [windows.get_window_stats(*item) for item in items]  # type: ignore
    settings = replace(service().parts.settings, taken_draft_limit="2/day", taken_address_limit="3/hour")
    one, other, third = uuid4(), uuid4(), uuid4()

    def submit(draft: Any, taken: bool) -> None:
        with told_rarely(limiter, settings, draft, "a"):
            if taken:
                raise refusal()

    submit(one, taken=False)
    for draft in (one, one):
        with pytest.raises(refusal):
            submit(draft, taken=True)
    for taken in (True, False):
        with pytest.raises(SubmissionsTooMany) as refused:
            submit(one, taken)
        assert refused.value.details["retry_after_seconds"] > 3600
    with pytest.raises(refusal):
        submit(other, taken=True)
    with pytest.raises(SubmissionsTooMany):
        submit(third, taken=False)


def test_submissions_go_on_while_nobody_counts() -> None:
    limiter = Limiter(f"redis://127.0.0.1:{free_port()}/0")
    with told_rarely(limiter, service().parts.settings, uuid4(), "a"):
        pass
    with pytest.raises(PhoneTaken), told_rarely(limiter, service().parts.settings, uuid4(), "a"):
        raise PhoneTaken()


@pytest.mark.parametrize("is_submitted", [False, True], ids=["attached", "attached and submitted"])
def test_a_photo_that_another_delivery_attached_meanwhile_is_not_deleted(
    monkeypatch: pytest.MonkeyPatch, is_submitted: bool
) -> None:
    storage, taken = FakeStorage(), photo("portrait")
    held = complete(photos=(), token_hash=hash_of("token"))
    storage.add(held)
    submission = Submission("TK-2026-000000001", NOW, NOW, "2026-01")

    def take_in(*_: Any) -> Any:
        attached = storage.kept[held.id].with_photo(taken)
        storage.save(attached.submitted(submission) if is_submitted else attached)
        return taken

    deleted = attach(monkeypatch, storage, held, take_in, StepOutOfOrder if is_submitted else None)
    assert deleted == ["quarantine/new"]
    assert storage.kept[held.id].photos == (taken,)


def test_a_photo_that_came_too_late_to_be_attached_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    storage, taken, other = FakeStorage(), photo("portrait"), photo("portrait")
    held = complete(photos=(), token_hash=hash_of("token"))
    storage.add(held)
    submission = Submission("TK-2026-000000001", NOW, NOW, "2026-01")

    def take_in(*_: Any) -> Any:
        storage.save(storage.kept[held.id].with_photo(other).submitted(submission))
        return taken

    deleted = attach(monkeypatch, storage, held, take_in, StepOutOfOrder)
    assert deleted == [taken.ref, "quarantine/new"]


def attach(
    monkeypatch: pytest.MonkeyPatch, storage: FakeStorage, held: Any, take_in: Any, refusal: Any
) -> list[str]:
    """One delivery of a photo, while ``take_in`` inspects it; what it deletes."""
    deleted: list[str] = []
    inspection = SimpleNamespace(take_in=take_in, ref_of_photo=Inspection.ref_of_photo, forget=deleted.append)
    monkeypatch.setattr(entrypoints, "Storage", lambda _: storage)
    made: Any = RegistrationService()
    made.parts = SimpleNamespace(inspection=inspection, opened=lambda token: token)
    made.db = SimpleNamespace(transaction=lambda: nullcontext())
    asked = {"registration_id": str(held.id), "sealed_resume_token": "token", "kind": "portrait"}
    with pytest.raises(refusal) if refusal else nullcontext():
        made.attach_photo.handler(made, **asked, ref="quarantine/new", sha256="0" * 64, size_bytes=1)
    return deleted


def refuse_to_answer(**_: Any) -> Any:
    raise AssertionError("the register was asked")


def test_a_missing_key_is_named_at_start() -> None:
    with pytest.raises(SettingsInvalid) as refusal:
        load(Settings, {})
    missing = {problem.variable for problem in refusal.value.problems}
    assert {"SEAL_PRIVATE", "SEAL_PUBLIC_GATEWAY", "SEAL_PUBLIC_NOTIFICATION", "OBJECTS_DIR"} <= missing
