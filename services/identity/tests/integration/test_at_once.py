"""A log-in that meets a change of password, on two connections: whichever comes first, no session begins with
a password that has ended, and locks taken in the other order are no failure."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from services.identity.credentials import Credential, Session
from services.identity.domain import Account
from services.identity.storage import Storage
from services.identity.tests.integration.house import House, new_person, transaction_on
from services.identity.tests.integration.steps import OWN_PASSWORD, with_own_password
from services.identity.tests.integration.storage.either import RealStorage, account
from services.identity.tests.integration.test_email_reset import NEW_PASSWORD, code_for, finish, start
from services.identity.tests.register_server import with_result
from services.identity.tests.unit import samples
from services.identity.tests.unit.samples import NOW
from shared.testing.processes import until

WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


def until_one_waits(dsn: str) -> None:
    def waits() -> bool:
        with psycopg.connect(dsn) as connection:
            row = connection.execute(WAITING).fetchone()
            return bool(row and row[0])

    until(waits, 20.0, lambda: "nobody waits for a lock")


def somebody(dsn: str) -> tuple[Account, Credential]:
    """With a password of the own."""
    person = new_person()
    with transaction_on(dsn) as tx:
        storage = RealStorage(tx)
        holder = account(storage, code=person.code, document_number=person.document_number)
        own = samples.active(holder.id)
        storage.add_credential(own, str(uuid.uuid4()), NOW)
    return holder, own


def begin(dsn: str, holder: Account, own: Credential) -> bool:
    """Whether a session began with the password."""
    with transaction_on(dsn) as tx:
        return Storage(tx).start_session(Session(uuid.uuid4(), holder, "citizen", NOW), own.id)


def change(storage: Storage, holder: Account, own: Credential) -> list[Any]:
    """What a change of password locks, in its order; the sessions that it ended."""
    storage.lock_account(holder.id)
    storage.end_credentials([own.id], NOW)
    return storage.end_sessions(holder.id, NOW)


def begins_no_session_with_what_is_ending(dsn: str) -> None:
    """The proof: the change came first, and is not committed yet."""
    holder, own = somebody(dsn)
    with ThreadPoolExecutor(1) as thread:
        with transaction_on(dsn) as tx:
            change(Storage(tx), holder, own)
            beginning = thread.submit(begin, dsn, holder, own)
            until_one_waits(dsn)
        assert not beginning.result(), "a session began with a password that had ended"


def test_a_log_in_that_meets_a_change_of_password_waits_for_it_and_begins_nothing(identity_dsn: str) -> None:
    begins_no_session_with_what_is_ending(identity_dsn)


def test_a_log_in_that_does_not_wait_would_be_seen(
    identity_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted twin: the password is not held while the session begins."""
    monkeypatch.setattr(Storage, "START_SESSION", Storage.START_SESSION.replace("FOR SHARE", ""))
    with pytest.raises(AssertionError, match="had ended"):
        begins_no_session_with_what_is_ending(identity_dsn)


def test_a_change_of_password_that_meets_a_log_in_waits_and_ends_its_session(
    identity_dsn: str,
) -> None:
    holder, own = somebody(identity_dsn)

    def change_it() -> list[Any]:
        with transaction_on(identity_dsn) as tx:
            return change(Storage(tx), holder, own)

    with ThreadPoolExecutor(1) as thread:
        with transaction_on(identity_dsn) as tx:
            assert Storage(tx).start_session(Session(uuid.uuid4(), holder, "citizen", NOW), own.id)
            changing = thread.submit(change_it)
            until_one_waits(identity_dsn)
        assert len(changing.result()) == 1


@pytest.fixture
def data(house: House, officer: str) -> dict[str, Any]:
    """Somebody with a password of the own, logged in."""
    house.register.answer = with_result("matched")
    return with_own_password(house, officer)


def log_in(house: House, data: dict[str, Any], **more: str) -> dict[str, Any]:
    reply: dict[str, Any] = house.call(
        "log_in",
        user=data["user"],
        sealed_password=house.seal(OWN_PASSWORD),
        client={"address": uuid.uuid4().hex},
        **more,
    )
    return reply


@contextmanager
def long_patience(dsn: str) -> Iterator[Storage]:
    """A transaction that the server does not undo when it meets another: that one is."""
    with transaction_on(dsn) as tx:
        tx.run("SET LOCAL deadlock_timeout = '30s'")
        yield Storage(tx)


def test_a_log_in_on_a_known_device_that_took_its_locks_in_the_other_order_gets_through(
    house: House, data: dict[str, Any]
) -> None:
    account_id = uuid.UUID(data["issued"]["account_id"])
    device = house.seal(house.gateway.open(log_in(house, data)["sealed_device_token"]))
    with ThreadPoolExecutor(1) as thread:
        with long_patience(house.dsn) as storage:
            storage.lock_account(account_id)
            again = thread.submit(log_in, house, data, sealed_device_token=device)
            until_one_waits(house.dsn)
            storage.end_sessions(account_id, NOW)
        assert again.result()["sealed_access_token"]


def change_password(house: House, data: dict[str, Any]) -> Callable[[], Any]:
    return lambda: house.change_password(data["token"], OWN_PASSWORD, NEW_PASSWORD)


def withdraw(house: House, data: dict[str, Any]) -> Callable[[], Any]:
    token, password = house.seal(data["token"]), house.seal(OWN_PASSWORD)
    return lambda: house.call("withdraw_consent", sealed_token=token, sealed_password=password)


def log_out_everywhere(house: House, data: dict[str, Any]) -> Callable[[], Any]:
    return lambda: house.call("log_out_everywhere", sealed_token=house.seal(data["token"]))


def reset(house: House, data: dict[str, Any]) -> Callable[[], Any]:
    reset_id, code = start(house, data["user"])["id"], code_for(house, data)
    return lambda: finish(house, reset_id, code)


@pytest.mark.parametrize("about", [change_password, withdraw, log_out_everywhere, reset])
def test_what_ends_sessions_gets_through_beside_a_log_in_on_another_device(
    house: House, data: dict[str, Any], about: Callable[[House, dict[str, Any]], Callable[[], Any]]
) -> None:
    log_in(house, data)
    account_id = uuid.UUID(data["issued"]["account_id"])
    act = about(house, data)
    with ThreadPoolExecutor(1) as thread:
        with long_patience(house.dsn) as storage:
            (holder,) = [account for account in [storage.account(account_id)] if account]
            device, *_ = storage.devices_of(account_id, 1)
            own, *_ = storage.live_credentials(account_id)
            storage.end_sessions_on(device.id, NOW, issued_after=NOW)
            acting = thread.submit(act)
            until_one_waits(house.dsn)
            session = Session(uuid.uuid4(), holder, "citizen", datetime.now(UTC), device_id=device.id)
            assert storage.start_session(session, own.id)
        assert acting.result() is not None
    (row,) = house.rows("SELECT ended_at FROM sessions WHERE id = %(id)s", id=session.id)
    assert row["ended_at"] is not None
