"""Wrong codes while Redis is away: counted in the transaction that tries them, with no connection besides."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from services.identity import second_step
from services.identity.log_in_otp import OtpWrong
from services.identity.refusals import TooManyTries
from services.identity.tests.unit.test_throttle import FakeCounter
from services.identity.throttle import Throttle
from services.identity.wrong_tries import WrongTries
from shared.database import Database, Transaction

FULL = 3
ENTERED = {"must_change_password": True}


@pytest.fixture
def database(identity_dsn: str) -> Iterator[Database]:
    """With one connection: whoever holds it and asks for another waits for seconds, and is refused."""
    database = Database(identity_dsn, name="identity-one", max_size=1)
    database.open()
    yield database
    database.close()


@pytest.fixture
def parts(database: Database) -> Any:
    redis = FakeCounter()
    redis.is_away = True
    limits = SimpleNamespace(otp_tries_per_address=f"{FULL}/hour", otp_tries_per_network="100/hour")
    return SimpleNamespace(settings=limits, throttle=Throttle(redis, WrongTries(database, b"a key")))


def confirm(database: Database, parts: Any, outcome: Any, address: str) -> Any:
    """As the service does it, in the transaction of the try."""

    def write(tx: Transaction) -> Any:
        return second_step.counted(tx, parts, address, "", lambda: outcome)

    return database.change(write)


def test_wrong_codes_need_no_second_connection_and_count_for_those_that_follow(
    database: Database, parts: Any
) -> None:
    address = uuid4().hex
    assert confirm(database, parts, ENTERED, address) == ENTERED
    for _ in range(FULL):
        assert isinstance(confirm(database, parts, OtpWrong(tries_left=4), address), OtpWrong)
    for outcome in (OtpWrong(tries_left=4), ENTERED):
        with pytest.raises(TooManyTries):
            confirm(database, parts, outcome, address)
    assert confirm(database, parts, ENTERED, uuid4().hex) == ENTERED


def test_of_many_at_once_no_more_are_answered_than_of_tries_in_turn(identity_dsn: str) -> None:
    database = Database(identity_dsn, name="identity-many", max_size=10)
    database.open()
    wrong, tried = WrongTries(database, b"a key"), ("log_in", uuid4().hex, f"{FULL}/hour")
    with closing(database), ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(lambda _: wrong.hit(*tried), range(40))) == FULL
        assert wrong.waits(tried)[0] > 0


def test_a_wrong_code_whose_try_is_undone_is_not_counted(database: Database, parts: Any) -> None:
    address = uuid4().hex

    def undone(tx: Transaction) -> None:
        second_step.counted(tx, parts, address, "", lambda: OtpWrong(tries_left=4))
        raise ConnectionError

    for _ in range(FULL + 1):
        with pytest.raises(ConnectionError):
            database.change(undone)
    assert confirm(database, parts, ENTERED, address) == ENTERED
