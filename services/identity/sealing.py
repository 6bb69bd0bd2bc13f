"""The seals over the audit trail: what rows, seals and anchors are in bytes, and what breaks the chain.

Rows are sealed in batches. A seal lists the digests of its rows and holds the hash of the seal before it;
the head of this chain, its anchor, is signed and kept outside the database. Whoever changes rows has to
change their seal, then every later seal, and then contradicts an anchor. docs/audit.md has the exact form.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

GENESIS = hashlib.sha256(b"vssid audit genesis 1\n").hexdigest()
"""Stands where the first seal names the one before it."""
ANCHORING_TAKES = timedelta(minutes=10)
"""How long a seal may wait for its anchor before that is a finding."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class TrailRow:
    """A row of the audit trail. ``details`` is the text in which PostgreSQL prints the jsonb value: keys in
    its order, once each, numbers as they were written."""

    id: int
    at: datetime
    staff_id: UUID
    action: str
    case_id: UUID | None
    details: str


def canonical(values: dict[str, Any]) -> bytes:
    """JSON with sorted keys, without spaces, in UTF-8; ids in lower case, times in UTC to the microsecond."""
    return json.dumps(
        values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain
    ).encode()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"no canonical form of {type(value).__name__}")


def digest(row: TrailRow) -> str:
    """SHA-256 over every column of the row, in hexadecimal."""
    return hashlib.sha256(b"vssid audit row 1\n" + canonical(asdict(row))).hexdigest()


@dataclass(frozen=True)
class Loss:
    """Written into the first seal of an epoch: the chain went on from an earlier point than was anchored,
    because the database was put back. ``kept_…`` is what was still there, ``anchored_…`` what had been."""

    anchored_epoch: int
    anchored_sequence: int
    anchored_last_id: int
    anchored_hash: str
    kept_sequence: int
    kept_last_id: int
    by: str
    reason: str


@dataclass(frozen=True)
class Seal:
    """One link: the rows after the last seal's up to ``last_id``, by id and digest. Sequences have no gaps
    and go on over epochs; ``loss`` is set in the first seal of each but the first, which has no rows."""

    epoch: int
    sequence: int
    ids: tuple[int, ...]
    digests: tuple[str, ...]
    last_id: int
    previous: str
    sealed_at: datetime
    loss: Loss | None = None
    hash: str = ""

    @property
    def computed_hash(self) -> str:
        """SHA-256 over the seal without its hash, in hexadecimal; over its rows by their ids and digests."""
        rows = "\n".join(f"{id} {digest}" for id, digest in zip(self.ids, self.digests, strict=False))
        values = {
            "epoch": self.epoch,
            "sequence": self.sequence,
            "rows": len(self.ids),
            "rows_sha256": hashlib.sha256(rows.encode()).hexdigest(),
            "last_id": self.last_id,
            "previous": self.previous,
            "sealed_at": self.sealed_at,
            "loss": self.loss and asdict(self.loss),
        }
        return hashlib.sha256(b"vssid audit seal 1\n" + canonical(values)).hexdigest()


@dataclass(frozen=True)
class Anchor:
    """The head of the chain at a moment, as it is signed and kept outside the database."""

    epoch: int
    sequence: int
    last_id: int
    hash: str
    at: datetime

    @property
    def position(self) -> tuple[int, int]:
        """Where it stands among the anchors."""
        return self.epoch, self.sequence


FIRST = Anchor(1, 0, 0, GENESIS, datetime(1970, 1, 1, tzinfo=UTC))
"""What the first seal follows."""


def anchor_of(seal: Seal) -> Anchor:
    """What is kept of this seal outside."""
    return Anchor(seal.epoch, seal.sequence, seal.last_id, seal.hash, seal.sealed_at)


def _sealed(seal: Seal) -> Seal:
    return Seal(**{**vars(seal), "hash": seal.computed_hash})


def seal_after(head: Anchor, rows: Iterable[TrailRow], at: datetime) -> Seal:
    """The next link: these rows, at least one, in order of id."""
    listed = [(row.id, digest(row)) for row in rows]
    ids, digests = zip(*listed, strict=True)
    return _sealed(Seal(head.epoch, head.sequence + 1, ids, digests, ids[-1], head.hash, at))


def new_epoch(kept: Anchor, anchored: Anchor, *, by: str, reason: str, at: datetime) -> Seal:
    """The first link of another epoch, after ``kept``, with what was anchored beyond it told as lost."""
    loss = Loss(
        anchored_epoch=anchored.epoch,
        anchored_sequence=anchored.sequence,
        anchored_last_id=anchored.last_id,
        anchored_hash=anchored.hash,
        kept_sequence=kept.sequence,
        kept_last_id=kept.last_id,
        by=by,
        reason=reason,
    )
    epoch = max(kept.epoch, anchored.epoch) + 1
    return _sealed(Seal(epoch, kept.sequence + 1, (), (), kept.last_id, kept.hash, at, loss))


def follows(seal: Seal, head: Anchor) -> bool:
    """Whether the seal is whole and the next one after ``head`` in its epoch."""
    return (
        (seal.epoch, seal.sequence, seal.previous) == (head.epoch, head.sequence + 1, head.hash)
        and seal.hash == seal.computed_hash
        and seal.loss is None
    )


# --- verifying -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """``kind`` and position: a row's id, or those of the first and the last row among which it is, and the
    seal. ``recorded`` is no fault but a loss that was told when the epoch began."""

    kind: str
    sequence: int
    first_id: int
    last_id: int
    says: str

    @property
    def is_fault(self) -> bool:
        """Whether the trail is broken here."""
        return self.kind not in ("recorded", "spoiled_line")


class _Ahead(Generic[Item]):
    """An iterator of which the next item can be looked at."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = iter(items)
        self.next: Item | None = next(self._items, None)

    def take(self) -> Item:
        taken = self.next
        assert taken is not None
        self.next = next(self._items, None)
        return taken


class Verification:
    """One walk along rows, seals and anchors, each in its order and read once, from after ``start``."""

    def __init__(
        self,
        rows: Iterable[TrailRow],
        seals: Iterable[Seal],
        anchors: Iterable[Anchor],
        *,
        start: Anchor = FIRST,
        now: datetime,
    ) -> None:
        self.head = start
        self.rows_seen = 0
        self.seals_seen = 0
        self.unanchored = 0
        self._rows, self._seals, self._anchors = _Ahead(rows), seals, _Ahead(anchors)
        self._waiting: Seal | None = None  # the first seal that has no anchor yet
        self._now = now

    def findings(self) -> Iterator[Finding]:
        """What is wrong, in the order of the chain."""
        for seal in self._seals:
            yield from self._link(seal)
            yield from self._anchored(seal)
            yield from self._covered(seal)
            self.head = anchor_of(seal)
            self.seals_seen += 1
        yield from self._end()

    def _link(self, seal: Seal) -> Iterator[Finding]:
        first = self.head.last_id + 1
        if seal.sequence != self.head.sequence + 1:
            missing = f"seal {self.head.sequence + 1} is missing; the next one there is {seal.sequence}"
            yield Finding("seal_missing", self.head.sequence + 1, first, seal.last_id, missing)
        elif seal.previous != self.head.hash:
            says = f"seal {seal.sequence} does not follow the seal before it"
            yield Finding("chain_broken", seal.sequence, first, seal.last_id, says)
        if seal.hash != seal.computed_hash:
            says = f"seal {seal.sequence} was edited: its hash is another"
            yield Finding("seal_edited", seal.sequence, first, seal.last_id, says)
        if (seal.loss is None) != (seal.epoch == self.head.epoch):
            says = f"seal {seal.sequence} begins epoch {seal.epoch} without saying what was lost, or twice"
            yield Finding("chain_broken", seal.sequence, first, seal.last_id, says)

    def _anchored(self, seal: Seal) -> Iterator[Finding]:
        first, lost = self.head.last_id + 1, None
        position = (seal.epoch, seal.sequence)
        while (anchor := self._anchors.next) is not None and anchor.position < position:
            self._anchors.take()
            if anchor.epoch < seal.epoch:
                lost = anchor
            elif anchor.sequence == self.head.sequence and anchor != self.head:
                yield self._rewritten(anchor, first=self.head.last_id, last=self.head.last_id)
        is_anchored = anchor is not None and anchor.position == position
        if seal.loss is not None:
            yield self._beginning(seal, seal.loss, lost, is_anchored)
        if not is_anchored:
            self.unanchored += 1
            self._waiting = self._waiting or seal
            return
        assert anchor is not None
        self._anchors.take()
        if self._waiting is not None and seal.loss is None:
            yield self._not_anchored(self._waiting)
        self._waiting = None
        if anchor.hash != seal.hash:
            yield self._rewritten(anchor, first=first, last=max(seal.last_id, anchor.last_id))

    def _beginning(self, seal: Seal, loss: Loss, lost: Anchor | None, is_anchored: bool) -> Finding:
        first, last = loss.kept_last_id + 1, loss.anchored_last_id
        if not is_anchored or (
            lost is not None and (lost.position, lost.hash) != _position_and_hash_told_lost(loss)
        ):
            last = max(last, lost.last_id if lost else 0)
            says = (
                f"epoch {seal.epoch} begins at seal {seal.sequence}, and what it says was lost is not signed"
            )
            return Finding("cut_off", seal.sequence, first, last, says)
        says = (
            f"epoch {seal.epoch} begins: after seal {loss.kept_sequence} the seals up to "
            f"{loss.anchored_sequence} were lost, told by {loss.by}: {loss.reason}"
        )
        return Finding("recorded", seal.sequence, first, last, says)

    def _covered(self, seal: Seal) -> Iterator[Finding]:
        """The rows up to the seal's last against the list in the seal."""
        listed = _Ahead(zip(seal.ids, seal.digests, strict=False))
        while (row := self._rows.next) is not None and row.id <= seal.last_id:
            self._rows.take()
            self.rows_seen += 1
            yield from self._removed(listed, row.id, seal)
            if listed.next is None or listed.next[0] != row.id:
                says = f"row {row.id} was inserted: its seal does not know it"
                yield Finding("row_inserted", seal.sequence, row.id, row.id, says)
            elif listed.take()[1] != digest(row):
                says = f"row {row.id} was edited"
                yield Finding("row_edited", seal.sequence, row.id, row.id, says)
        yield from self._removed(listed, None, seal)

    @staticmethod
    def _removed(listed: _Ahead[tuple[int, str]], before: int | None, seal: Seal) -> Iterator[Finding]:
        """What is listed, before an id or at all, and is not there."""
        while listed.next is not None and (before is None or listed.next[0] < before):
            id, _ = listed.take()
            yield Finding("row_removed", seal.sequence, id, id, f"row {id} was removed")

    def _end(self) -> Iterator[Finding]:
        """Anchors beyond the last seal tell what was cut off."""
        first, reached = None, self.head
        while self._anchors.next is not None:
            anchor = self._anchors.take()
            if anchor.position > reached.position:
                first, reached = first or anchor, anchor
            elif anchor.position == self.head.position and anchor.hash != self.head.hash:
                yield self._rewritten(anchor, first=self.head.last_id, last=self.head.last_id)
        if first is not None:
            says = (
                f"cut off: the chain ends at seal {self.head.sequence}, row {self.head.last_id}; seals "
                f"{first.sequence} to {reached.sequence} were anchored, with rows up to {reached.last_id}"
            )
            yield Finding("cut_off", first.sequence, self.head.last_id + 1, reached.last_id, says)
        elif self._waiting is not None and self._now - self._waiting.sealed_at > ANCHORING_TAKES:
            yield self._not_anchored(self._waiting)

    @staticmethod
    def _not_anchored(seal: Seal) -> Finding:
        says = f"seal {seal.sequence} has no anchor: removed there, or never made"
        return Finding("not_anchored", seal.sequence, min(seal.ids, default=0), seal.last_id, says)

    @staticmethod
    def _rewritten(anchor: Anchor, *, first: int, last: int) -> Finding:
        says = f"seal {anchor.sequence} is not the one that was anchored: the chain was written anew"
        return Finding("rewritten", anchor.sequence, first, last, says)


def _position_and_hash_told_lost(loss: Loss) -> tuple[tuple[int, int], str]:
    return (loss.anchored_epoch, loss.anchored_sequence), loss.anchored_hash
