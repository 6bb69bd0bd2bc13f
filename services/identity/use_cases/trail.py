"""Sealing the audit trail: the next link of its chain, and another epoch after a loss."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.identity.sealing import FIRST, Anchor, Seal, anchor_of, follows, new_epoch, seal_after
from services.identity.use_cases.ports import Storage
from shared.messaging import outbox

SEAL_AUDIT = "seal_audit"
ROWS_IN_A_SEAL = 1000


class TrailDisagrees(Exception):
    """The chain is not the one that was anchored: restored, or tampered with. Nothing is sealed onto it."""


class NothingLost(Exception):
    """The chain goes on from what was anchored: there is no loss to tell."""


def head_of(storage: Storage) -> Anchor:
    """The head of the chain, as it would be anchored."""
    seal = storage.last_seal()
    return anchor_of(seal) if seal else FIRST


def seal_rows(storage: Storage, until: int, now: datetime) -> bool:
    """Seal the next rows up to that id, some of them at most; False when there were none.

    The caller sees to it that every transaction that may still add one below it has ended.
    """
    storage.lock_seals()
    head = head_of(storage)
    rows = storage.trail(after=head.last_id, until=until, limit=ROWS_IN_A_SEAL)
    if rows:
        storage.add_seal(seal_after(head, rows, now))
    return len(rows) == ROWS_IN_A_SEAL


def seals_to_anchor(storage: Storage, anchored: Anchor | None, limit: int) -> Sequence[Anchor]:
    """What is to be anchored next, looked at once more: each whole, and following what was anchored.

    Raises ``TrailDisagrees``; also when there are seals, and no anchor at all.
    """
    if anchored is None:
        if storage.last_seal() is not None:
            raise TrailDisagrees
        return [FIRST]
    check_head(storage, anchored)
    found: list[Anchor] = []
    for seal in storage.seals_after(anchored.sequence, limit):
        if not follows(seal, found[-1] if found else anchored):
            raise TrailDisagrees
        found.append(anchor_of(seal))
    return found


def check_head(storage: Storage, anchored: Anchor) -> None:
    """Raises ``TrailDisagrees`` when the chain has lost what was anchored, or has something else there."""
    seal = storage.seal(anchored.sequence)
    if anchored.sequence and (seal is None or anchor_of(seal) != anchored):
        raise TrailDisagrees


def begin_epoch(
    storage: Storage, anchored: Anchor | None, *, by: str, reason: str, now: datetime
) -> tuple[Seal, Anchor]:
    """After a restore: the chain goes on in another epoch, whose first seal tells what was lost. Returns it
    with its anchor. Called again before that is anchored, the same. Raises ``NothingLost``."""
    storage.lock_seals()
    last, known = storage.last_seal(), anchored or FIRST
    if last is not None and last.loss is not None and last.epoch > known.epoch:
        return last, anchor_of(last)
    try:
        seals_to_anchor(storage, anchored, limit=ROWS_IN_A_SEAL)
    except TrailDisagrees:
        begun = new_epoch(head_of(storage), known, by=by, reason=reason, at=now)
        storage.add_seal(begun)
        return begun, anchor_of(begun)
    raise NothingLost


def seal_again(storage: Storage, seconds: int, now: datetime) -> None:
    """The next sealing falls due."""
    outbox.add(storage.tx, outbox.Due(SEAL_AUDIT, "audit", now + timedelta(seconds=seconds)))
