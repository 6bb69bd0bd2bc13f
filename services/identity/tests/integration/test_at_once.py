"""A log-in that meets a change of password, on two connections: whichever comes first, no session begins with
a password that has ended, and locks taken in the other order are no failure."""

from __future__ import annotations

import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from services.identity.credentials import Credential, Session
from services.identity.domain import Account
from services.identity.storage import Storage
from services.identity.tests.integration.house import House, new_person, transaction_on
from services.identity.tests.integration.steps import OWN_PASSWORD, with_own_password
from services.identity.tests.integration.storage.either import RealStorage, account
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


@pytest.mark.usefixtures("matching_register")
def test_a_log_in_on_a_known_device_that_took_its_locks_in_the_other_order_gets_through(
    house: House, officer: str
) -> None:
    data = with_own_password(house, officer)
    account_id = uuid.UUID(data["issued"]["account_id"])

    def log_in(**more: str) -> dict[str, Any]:
        client = {"address": uuid.uuid4().hex}
        password = house.seal(OWN_PASSWORD)
        reply: dict[str, Any] = house.call(
            "log_in", user=data["user"], sealed_password=password, client=client, **more
        )
        return reply

    device = house.gateway.open(log_in()["sealed_device_token"])
    with ThreadPoolExecutor(1) as thread:
        with transaction_on(house.dsn) as tx:
            tx.run("SET LOCAL deadlock_timeout = '30s'")  # so the log-in is the one that is undone
            storage = Storage(tx)
            storage.lock_account(account_id)
            again: Future[dict[str, Any]] = thread.submit(log_in, sealed_device_token=house.seal(device))
            until_one_waits(house.dsn)
            storage.end_sessions(account_id, NOW)
        assert again.result()["sealed_access_token"]
