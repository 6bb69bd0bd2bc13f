"""Counts wrong tries in identity's own database, for the time that Redis is away."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from services.identity.storage import Storage
from shared.cache import parsed
from shared.database import Database, Transaction

T = TypeVar("T")


class WrongTries:
    """The ``throttle.OwnCounter``. Users and addresses are kept as hashes, keyed with
    ``hash_key``: an unkeyed hash of a code is found by trying all codes."""

    def __init__(self, database: Database | _Begun, hash_key: bytes) -> None:
        self._database = database
        self._secret = hashlib.blake2b(hash_key, person=b"vssid.tries").digest()

    def within(self, tx: Transaction) -> WrongTries:
        """The same, in a transaction that has begun: what is counted is kept with it."""
        same = copy(self)
        same._database = _Begun(tx)
        return same

    def hit(self, name: str, key: str, limit: str) -> bool:
        """Count one; False when the limit was reached before."""
        now, window, hidden = datetime.now(UTC), _window(limit), self._hidden(key)
        with self._database.transaction() as tx:
            storage = Storage(tx)
            storage.hold_wrong_tries(name, hidden)
            full = storage.reached_by(name, hidden, parsed(limit).amount, since=now - window)
            storage.add_wrong_try(name, hidden, at=now)
        return full is None

    def waits(self, *counted: tuple[str, str, str]) -> list[int]:
        """How long until another try of each (name, key, limit) is let through, 0 for at once."""
        return self._database.autocommit(
            lambda tx: [self._wait_seconds(Storage(tx), *one) for one in counted]
        )

    def _wait_seconds(self, storage: Storage, name: str, key: str, limit: str) -> int:
        now, window = datetime.now(UTC), _window(limit)
        full = storage.reached_by(name, self._hidden(key), parsed(limit).amount, since=now - window)
        return 0 if full is None else max(1, math.ceil((full + window - now).total_seconds()))

    def _hidden(self, key: str) -> bytes:
        return hashlib.blake2b(key.encode(), key=self._secret, digest_size=20).digest()


class _Begun:
    """A transaction that somebody else began and ends, where otherwise a ``Database`` is."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        yield self._tx

    def autocommit(self, ask: Callable[[Transaction], T]) -> T:
        return ask(self._tx)


def _window(limit: str) -> timedelta:
    return timedelta(seconds=parsed(limit).get_expiry())
