"""What every part of the storage stands on."""

from __future__ import annotations

from shared.database import Transaction

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%(key)s, 0))"
"""Whoever locks the same key waits until the transaction ends."""


class Tables:
    """Some of identity's tables, inside one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
