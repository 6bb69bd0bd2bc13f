"""The service's own PostgreSQL: a pool, and transactions that carry what follows from them.

psycopg's C wait would stop every other green thread while a query runs, so a process whose hub it would
block refuses to start (``refuse_blocking_wait``).
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from shared import logs
from shared.events.envelope import Event, to_amqp
from shared.messaging.outbox import Due

log = logs.get(__name__)
T = TypeVar("T")

ANSWER_SECONDS = 30.0
"""How long an answer may take. A connection that gives none is taken for dead: nobody else would ever say so.
A server that lives gives a statement up before, after eight tenths: that is the statement's own error."""
BEGIN_SECONDS = 3.0
"""How long it may take to begin, which costs a server that lives nothing."""
FRESH_SECONDS = 1.0
"""A connection that answered so lately needs no proof that it lives."""
DRAIN_SECONDS = 1.0
"""How often all connections are given up at the most, while a server goes on taking no writes."""
TURN_SECONDS = 0.1
"""How long a transaction that was undone waits before it is done once more: the one that it met has been
woken, and would be met again if it did not come to its locks first."""
PUBLISH_DEADLINE_SECONDS = 10.0
"""How long the direct publish may take; after it the sweeper may take the row."""

# Rows travel as one JSON text: psycopg takes 80 µs an event to make the same of arrays of texts.
INSERT_OUTBOX = """
INSERT INTO outbox (id, type, headers, body, due_at)
SELECT id, type, headers, convert_to(body, 'UTF8'), now() + make_interval(secs => %(deadline)s)
FROM json_to_recordset(%(rows)s) AS row (id uuid, type text, headers jsonb, body text)
"""
INSERT_JOBS = """
INSERT INTO jobs (kind, key, payload, due_at, traceparent)
SELECT kind, key, payload, due_at, traceparent
FROM json_to_recordset(%(rows)s)
     AS row (kind text, key text, payload jsonb, due_at timestamptz, traceparent text)
ON CONFLICT (kind, key) DO NOTHING
"""


@dataclass(frozen=True)
class Written:
    """An event as it stands in the outbox, ready to be published."""

    id: str
    type: str
    headers: dict[str, Any]
    body: bytes


@dataclass(frozen=True)
class Committed:
    """What a committed transaction left to do: events to publish, kinds of jobs that fell due."""

    events: tuple[Written, ...]
    kinds: frozenset[str]


class Transaction:
    """An open transaction: statements with bound parameters, rows as dicts.

    ``additions`` holds what ``outbox.add`` noted; it is written with the commit. ``before_commit`` are called
    right before that, and may add and refuse.
    """

    def __init__(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        self._connection = connection
        self.additions: list[Event | Due] = []
        self.before_commit: list[Callable[[], None]] = []

    def one(self, sql: str, params: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """The first row, or None."""
        return self._connection.execute(sql, params).fetchone()

    def all(self, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Every row."""
        return self._connection.execute(sql, params).fetchall()

    def run(self, sql: str, params: Mapping[str, Any] | None = None) -> int:
        """Execute and return how many rows it touched."""
        return self._connection.execute(sql, params).rowcount

    def run_many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute once per row of parameters."""
        if rows:
            self._connection.cursor().executemany(sql, rows)

    def _write_additions(self) -> Committed:
        for act in self.before_commit:
            act()
        events = tuple(written(a) for a in self.additions if isinstance(a, Event))
        due = [a for a in self.additions if isinstance(a, Due)]
        if events:
            published = [
                {"id": e.id, "type": e.type, "headers": e.headers, "body": e.body.decode()} for e in events
            ]
            self.run(INSERT_OUTBOX, {"rows": json.dumps(published), "deadline": PUBLISH_DEADLINE_SECONDS})
        if due:
            scheduled = [
                {
                    "kind": d.kind,
                    "key": d.key,
                    "payload": d.payload,
                    "due_at": d.at.isoformat(),
                    "traceparent": d.traceparent,
                }
                for d in due
            ]
            self.run(INSERT_JOBS, {"rows": json.dumps(scheduled)})
        now = datetime.now(UTC)
        return Committed(events, frozenset(d.kind for d in due if d.at <= now))


def written(event: Event) -> Written:
    """The outbox row of an event: its CloudEvents headers and its JSON body."""
    headers, body = to_amqp(event)
    return Written(str(event.id), event.type, headers, body)


class _Connection(psycopg.Connection[dict[str, Any]]):
    """One that waits for each answer ``answer_seconds`` at the most; then it raises, and is of no use."""

    answer_seconds = BEGIN_SECONDS
    answered_at = 0.0
    """By ``time.monotonic()``."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        answer = super().wait(gen, interval, self.answer_seconds if timeout is None else timeout)
        self.answered_at = time.monotonic()
        return answer


class Database:
    """The pool. ``after_commit`` functions get what each committed transaction left to do; they must not
    raise and must not wait."""

    def __init__(self, url: str, *, name: str, max_size: int = 10) -> None:
        refuse_blocking_wait()
        self.after_commit: list[Callable[[Committed], None]] = []
        self._drained_at = -math.inf
        self._pool: ConnectionPool[_Connection] = ConnectionPool(
            url,
            min_size=1,
            max_size=max_size,
            timeout=5.0,
            max_idle=300.0,
            reconnect_timeout=5.0,
            open=False,
            name=name,
            connection_class=_Connection,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "application_name": name,
                "connect_timeout": 5,
                "options": f"-c statement_timeout={int(ANSWER_SECONDS * 800)}"
                " -c client_connection_check_interval=1000",
            },
        )

    def open(self) -> None:
        """Start the pool; connections follow in the background."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """Close every connection."""
        self._pool.close(timeout=2.0)

    def stats(self) -> dict[str, int]:
        """What the pool counts, by psycopg's names."""
        return self._pool.get_stats()

    def ping(self) -> None:
        """Raise when the database does not answer, or takes no writes."""
        with self.transaction() as tx:
            row = tx.one("SELECT current_setting('transaction_read_only') AS read_only")
            if row is None or row["read_only"] != "off":
                raise errors.ReadOnlySqlTransaction("the database only reads")

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Raises ``psycopg.OperationalError`` (see ``is_away``) when the database cannot be reached.
        """
        connection = self._living("BEGIN")
        tx = Transaction(connection)
        try:
            try:
                yield tx
                committed = tx._write_additions()
                if connection.execute("COMMIT").statusmessage != "COMMIT":
                    raise errors.InFailedSqlTransaction("an error in it was caught: it was rolled back")
            except BaseException as error:
                self._roll_back(connection)
                if is_away(error):
                    self._give_up(connection, error)
                raise
        finally:
            self._pool.putconn(connection)
        if committed.events or committed.kinds:
            for told in self.after_commit:
                told(committed)

    def change(self, change: Callable[[Transaction], T]) -> T:
        """What ``change`` returns, in one transaction; where that only met another (``is_conflict``),
        everything is done once more in a new one a moment later, as nothing of the first was kept. So those
        who take the same locks in different orders both get through.

        Raises ``psycopg.OperationalError`` (see ``is_away``) when the database cannot be reached.
        """
        try:
            with self.transaction() as tx:
                return change(tx)
        except psycopg.Error as error:
            if not is_conflict(error):
                raise
        time.sleep(TURN_SECONDS)
        with self.transaction() as tx:
            return change(tx)

    def autocommit(self, ask: Callable[[Transaction], T]) -> T:
        """What ``ask`` returns, where each of its statements commits by itself: one round trip, where a
        transaction takes two more. Under READ COMMITTED a question is answered alike in both.

        Where the connection was lost, everything is asked once more on another: it must be what may be done
        twice: a question, a deletion by id, a claim with a lease. Nothing may be added for the commit. So is
        what a connection that was not proved to live leaves unanswered for ``BEGIN_SECONDS``.

        Raises ``psycopg.OperationalError`` (see ``is_away``) when the database cannot be reached.
        """
        connection = self._living("SELECT 1", FRESH_SECONDS)
        try:
            return self._asked(connection, ask)
        except psycopg.Error as error:
            if not is_away(error):
                raise
        return self._asked(self._living("SELECT 1"), ask)

    def _asked(self, connection: _Connection, ask: Callable[[Transaction], T]) -> T:
        tx = Transaction(connection)
        try:
            answer = ask(tx)
        except BaseException as error:
            if is_away(error):
                self._give_up(connection, error)
            raise
        finally:
            self._pool.putconn(connection)
        if tx.additions or tx.before_commit:
            raise RuntimeError("what is added to a commit needs a transaction")
        return answer

    def _living(self, first: str, fresh_seconds: float = 0.0) -> _Connection:
        """A connection that took its ``first`` statement, or answered another within ``fresh_seconds``. One
        that went stale in the pool (the server was restarted, or the network forgot it) fails at that, before
        anything was done, and is replaced."""
        stale = 0
        while True:
            connection = self._pool.getconn()
            connection.answer_seconds = BEGIN_SECONDS
            if time.monotonic() - connection.answered_at < fresh_seconds:
                return connection
            try:
                connection.execute(first)
            except BaseException as error:
                connection.close()
                self._pool.putconn(connection)
                stale += 1
                if stale > self._pool.max_size or not isinstance(error, psycopg.OperationalError):
                    raise
            else:
                connection.answer_seconds = ANSWER_SECONDS
                return connection

    def _give_up(self, connection: _Connection, error: BaseException) -> None:
        """It may lead to a server that will not come back. Where one only reads, as after a failover, so do
        the others that were made before."""
        connection.close()
        now = time.monotonic()
        if isinstance(error, errors.ReadOnlySqlTransaction) and now - self._drained_at > DRAIN_SECONDS:
            self._drained_at = now
            self._pool.drain()

    @staticmethod
    def _roll_back(connection: _Connection) -> None:
        try:
            connection.execute("ROLLBACK")
        except Exception:
            connection.close()


def is_conflict(error: BaseException) -> bool:
    """Whether the transaction only met another one and is to be repeated as it is."""
    return isinstance(error, errors.DeadlockDetected | errors.SerializationFailure)


def is_away(error: BaseException) -> bool:
    """Whether the database, not the work, is at fault: lost, starting, stopping, read-only, out of room.

    Classes 08 (connection), 53 (resources), 57P (shutdown), 58 (its own disk) and 25006 (read-only) of
    PostgreSQL's error codes, or no code at all, which is how a lost connection looks.
    """
    if not isinstance(error, psycopg.Error) or is_conflict(error):
        return False
    state = error.sqlstate
    if state is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return state[:2] in {"08", "53", "58"} or state.startswith("57P") or state == "25006"


def refuse_blocking_wait() -> None:
    """Raise ``RuntimeError`` when psycopg would wait in C inside a monkey-patched process."""
    patched = "eventlet" in sys.modules and sys.modules["eventlet"].patcher.is_monkey_patched("socket")
    wait = psycopg.waiting.wait
    if patched and wait.__module__ != "psycopg.waiting":
        raise RuntimeError(
            "psycopg would block the hub: start with PSYCOPG_WAIT_FUNC=wait_select (shared.run)"
        )
