"""Seals the audit trail and anchors the chain, again and again (docs/audit.md). Safe to run twice."""

from __future__ import annotations

import time
from collections.abc import Callable

from services.identity import gauges, use_cases
from services.identity.anchors import AnchorForged
from services.identity.parts import Parts, now
from services.identity.sealing import Anchor
from services.identity.storage import Storage
from shared import logs
from shared.database import Database, Transaction

log = logs.get(__name__)

ENDING_SECONDS = 5.0
"""How long transactions that are under way are waited for before the trail is sealed without them."""
SEALS_AT_ONCE = 50

Record = Callable[[Transaction], None]


def seal_audit(db: Database, parts: Parts) -> Record:
    """Seal the rows of the audit trail that no seal covers, and anchor the chain. One that is not what was
    anchored is left as it is, for an operator (``vssid audit``); meanwhile rows wait, which is an alert."""
    try:
        more = _seal_and_anchor(db, parts)
    except (use_cases.TrailDisagrees, AnchorForged, OSError) as error:
        log.error("the audit trail is not sealed; vssid audit verify", error=type(error).__name__)
        more = False
    seconds = 0 if more else parts.settings.audit_seal_seconds
    return lambda tx: use_cases.seal_again(Storage(tx), seconds, now())


def _seal_and_anchor(db: Database, parts: Parts) -> bool:
    """Whether there is more to do at once."""
    _anchor(db, parts)
    until = _last_row_below_which_all_are_there(db)
    more = True
    for _ in range(SEALS_AT_ONCE):
        with db.transaction() as tx:
            more = use_cases.seal_rows(Storage(tx), until, now())
        if not more:
            break
    _anchor(db, parts)
    return more


def _anchor(db: Database, parts: Parts) -> None:
    """Anchor what was sealed and is not anchored yet."""
    anchors = parts.anchors
    if anchors is None:
        return
    while True:
        anchored = anchors.head()
        with db.transaction() as tx:
            following = use_cases.seals_to_anchor(Storage(tx), anchored, SEALS_AT_ONCE)
        if not following:
            return
        anchors.add(following)
        _tell(following[-1])


def _tell(head: Anchor) -> None:
    """The head leaves this machine with the log and the metrics."""
    gauges.audit_anchored_sequence.set(head.sequence)
    log.info(
        "audit trail anchored",
        epoch=head.epoch,
        sequence=head.sequence,
        last_row_id=head.last_id,
        sha256=head.hash,
    )


def _last_row_below_which_all_are_there(db: Database) -> int:
    """Ids are handed out before their transactions commit: the last one that is visible, once everybody who
    was under way then has ended; 0 when that takes too long, for another time."""
    with db.transaction() as tx:
        last_id, moment = Storage(tx).last_row_and_moment()
        if last_id <= use_cases.head_of(Storage(tx)).last_id:
            return 0
    end = time.monotonic() + ENDING_SECONDS
    while True:
        with db.transaction() as tx:
            if Storage(tx).have_ended_before(moment):
                return last_id
        if time.monotonic() > end:
            log.warning("the audit trail waits for a transaction that does not end")
            return 0
        time.sleep(0.1)
