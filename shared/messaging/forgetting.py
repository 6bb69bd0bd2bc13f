"""Forgets what the kit keeps for a time only: ids of handled events, replies under idempotency keys."""

from __future__ import annotations

import threading

from shared.database import Database

KEEP_INBOX_DAYS = 30
"""Longer than any event can wait anywhere before it is delivered again."""
KEEP_REPLIES_HOURS = 24
AT_ONCE = 1000
"""Rows of one transaction, so that it is short however much has become old."""

OLD_INBOX = """
DELETE FROM inbox WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM inbox WHERE handled_at < now() - make_interval(days => %(keep)s)
    ORDER BY handled_at LIMIT %(at_once)s FOR UPDATE SKIP LOCKED))
"""
OLD_REPLIES = """
DELETE FROM idempotency WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM idempotency WHERE created_at < now() - make_interval(hours => %(keep)s)
    ORDER BY created_at LIMIT %(at_once)s FOR UPDATE SKIP LOCKED))
"""
KEPT = ((OLD_INBOX, KEEP_INBOX_DAYS), (OLD_REPLIES, KEEP_REPLIES_HOURS))
"""Replicas that forget at the same time skip each other's rows."""


def forget_old(database: Database, stopping: threading.Event, at_once: int = AT_ONCE) -> int:
    """Delete what is old, oldest first, ``at_once`` rows a transaction, until nothing is left or ``stopping``
    is set; returns how many rows. Raises ``psycopg.Error``; what was committed before stays forgotten.
    """
    forgotten = 0
    for statement, keep in KEPT:
        deleted = at_once
        while deleted == at_once and not stopping.is_set():
            with database.transaction() as tx:
                deleted = tx.run(statement, {"keep": keep, "at_once": at_once})
            forgotten += deleted
    return forgotten
