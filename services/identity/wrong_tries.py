"""Counts wrong tries in identity's own database, for the time that Redis is away."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from services.identity.storage import Storage
from shared.cache import parsed
from shared.database import Database, Transaction

T = TypeVar("T")


class WrongTries:
    """The ``throttle.OwnCounter``. Users and addresses are kept as hashes."""

    def __init__(self, database: Database | _Begun) -> None:
        self._database = database

    def within(self, tx: Transaction) -> WrongTries:
        """The same, in a transaction that has begun: what is counted is kept with it."""
        return WrongTries(_Begun(tx))

    def hit(self, name: str, key: str, limit: str) -> bool:
        """Count one; False when the limit was reached before."""
        now, window = datetime.now(UTC), _window(limit)
        with self._database.transaction() as tx:
            storage = Storage(tx)
            full = storage.reached_by(name, _hidden(key), parsed(limit).amount, since=now - window)
            storage.add_wrong_try(name, _hidden(key), at=now, forget_before=now - window)
        return full is None

    def waits(self, *counted: tuple[str, str, str]) -> list[int]:
        """How long until another try of each (name, key, limit) is let through, 0 for at once."""
        return self._database.autocommit(lambda tx: [_wait_seconds(Storage(tx), *one) for one in counted])


class _Begun:
    """A transaction that somebody else began and ends, where otherwise a ``Database`` is."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        yield self._tx

    def autocommit(self, ask: Callable[[Transaction], T]) -> T:
        return ask(self._tx)


def _wait_seconds(storage: Storage, name: str, key: str, limit: str) -> int:
    now, window = datetime.now(UTC), _window(limit)
    full = storage.reached_by(name, _hidden(key), parsed(limit).amount, since=now - window)
    return 0 if full is None else max(1, math.ceil((full + window - now).total_seconds()))


def _window(limit: str) -> timedelta:
    return timedelta(seconds=parsed(limit).get_expiry())


def _hidden(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=20, person=b"vssid.tries").digest()
