"""Two who meet on one device, on two connections: one session lasts on it, or it is forgotten with all."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from services.identity import use_cases
from services.identity.credentials import Claims, Credential, Session
from services.identity.devices import Device
from services.identity.domain import Account
from services.identity.storage import Storage
from services.identity.tests.integration import test_hotline as hotline
from services.identity.tests.integration.house import House, transaction_on
from services.identity.tests.integration.steps import with_own_password
from services.identity.tests.integration.test_at_once import somebody, until_one_waits
from services.identity.tests.register_server import with_result
from services.identity.tests.unit.samples import NOW
from services.identity.use_cases import devices
from shared.testing.voice_platform import VoicePlatform

LATER = NOW + timedelta(hours=2)


@pytest.fixture
def platform(house: House) -> VoicePlatform:
    return hotline.registered(house, VoicePlatform(key_id="voice-devices-1"))


def known_device(dsn: str, holder: Account) -> Device:
    device = Device(uuid.uuid4(), holder.id, "máy", b"a hash", NOW, NOW)
    with transaction_on(dsn) as tx:
        Storage(tx).save_device(device)
    return device


def enter(storage: Storage, device: Device, holder: Account, own: Credential) -> Session | None:
    """A log-in on the known device, as far as that is still known."""
    begins = use_cases.enter_again(storage, holder, device, LATER)
    if begins is None:
        return None
    return use_cases.log_in(
        storage, holder, own, session_id=uuid.uuid4(), refresh_hash=b"one", device_id=device.id, now=begins
    )


def meets(dsn: str, first: Callable[[Storage], Any], second: Callable[[Storage], Any]) -> tuple[Any, Any]:
    """What both return, the second of which waits for the first, which is not committed yet."""

    def act() -> Any:
        with transaction_on(dsn) as tx:
            return second(Storage(tx))

    with ThreadPoolExecutor(1) as thread:
        with transaction_on(dsn) as tx:
            came_first = first(Storage(tx))
            waiting = thread.submit(act)
            until_one_waits(dsn)
        return came_first, waiting.result()


def live_sessions(dsn: str, holder: Account) -> list[uuid.UUID]:
    with transaction_on(dsn) as tx:
        live = "SELECT id FROM sessions WHERE account_id = %(account_id)s AND ended_at IS NULL"
        return [row["id"] for row in tx.all(live, {"account_id": holder.id})]


def leave_one_session(dsn: str) -> None:
    """The proof: two log-ins at once on one device."""
    holder, own = somebody(dsn)
    device = known_device(dsn, holder)

    def log_in(storage: Storage) -> Session | None:
        return enter(storage, device, holder, own)

    _, last = meets(dsn, log_in, log_in)
    assert live_sessions(dsn, holder) == [last.id], "sessions on one device"


def test_two_log_ins_at_once_on_one_device_leave_one_session(identity_dsn: str) -> None:
    leave_one_session(identity_dsn)


def ends_before_it_is_seen(
    storage: Storage, account: Account, device: Device, now: Any
) -> Any:  # the defect: nobody waits before the sessions that are there are read
    ended = devices._end_on(storage, device, now)
    return (ended or [now])[0] if storage.see_device(device) else None


def test_two_sessions_on_one_device_would_be_seen(identity_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted twin."""
    monkeypatch.setattr(use_cases, "enter_again", ends_before_it_is_seen)
    with pytest.raises(AssertionError, match="sessions on one device"):
        leave_one_session(identity_dsn)


def removes_its_session_too(dsn: str) -> None:
    """The proof: a device is removed while somebody logs in on it."""
    holder, own = somebody(dsn)
    device = known_device(dsn, holder)
    with transaction_on(dsn) as tx:
        acting = Session(uuid.uuid4(), holder, "citizen", NOW)
        assert Storage(tx).start_session(acting, own.id)

    def remove(storage: Storage) -> None:
        claims = Claims(holder.id, holder.code, "citizen", acting.id)
        use_cases.end_device(storage, claims, device.id, LATER)

    meets(dsn, lambda storage: enter(storage, device, holder, own), remove)
    assert live_sessions(dsn, holder) == [acting.id], "a session that no device lists"
    with transaction_on(dsn) as tx:
        assert enter(Storage(tx), device, holder, own) is None, "it stays forgotten"


def test_a_device_that_is_removed_while_somebody_logs_in_on_it_is_logged_out(identity_dsn: str) -> None:
    removes_its_session_too(identity_dsn)


def test_a_session_that_no_device_lists_would_be_seen(
    identity_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted twin: who removes does not wait."""
    monkeypatch.setattr(Storage, "DEVICE_TO_CHANGE", Storage.DEVICE)
    with pytest.raises(AssertionError, match="no device lists"):
        removes_its_session_too(identity_dsn)


def test_a_spoken_password_needs_its_code_where_the_device_is_removed_meanwhile(
    house: House, officer: str, platform: VoicePlatform
) -> None:
    house.register.answer = with_result("matched")
    citizen = with_own_password(house, officer)
    user, account_id = citizen["user"], citizen["issued"]["account_id"]
    spoken = hotline.call(house, platform.signed(citizen["phone"], user))
    step = hotline.log_in(house, user, spoken)
    session = hotline.confirm(house, step, hotline.code_sent(house, account_id))
    token = house.gateway.open(session["sealed_device_token"])
    (device,) = house.rows(
        "SELECT device_id AS id FROM sessions WHERE ended_at IS NULL AND device_id IS NOT NULL"
        " AND account_id = %(id)s ORDER BY started_at DESC LIMIT 1",
        id=account_id,
    )
    with ThreadPoolExecutor(1) as thread:
        with transaction_on(house.dsn) as tx:
            Storage(tx).device(device["id"], to_change=True)
            waiting = thread.submit(hotline.log_in, house, user, spoken, token)
            until_one_waits(house.dsn)
            Storage(tx).forget_device(device["id"])
        assert waiting.result()["next_step"] == "otp"
