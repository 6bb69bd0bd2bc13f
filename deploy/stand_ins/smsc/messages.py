"""What the SMSC accepted: each part on disk before its answer, whole messages for whoever looks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.stand_ins.http_api import Reply, Request
from deploy.stand_ins.ledger import Ledger
from deploy.stand_ins.mailbox import Mailbox
from deploy.stand_ins.smsc.texts import Place, Unreadable, decode


@dataclass(frozen=True)
class Part:
    """One accepted ``submit_sm``. ``content`` is without its header; ``at`` an ISO time;
    ``receipt_wanted``: 0 never, 1 always, 2 only when it fails; ``validity`` as it was sent."""

    id: str
    system_id: str
    to: str
    sender: str
    at: str
    data_coding: int
    content: bytes
    place: Place
    receipt_wanted: int
    validity: str = ""

    def row(self) -> dict[str, Any]:
        return {
            "part": self.id,
            "system_id": self.system_id,
            "to": self.to,
            "from": self.sender,
            "at": self.at,
            "data_coding": self.data_coding,
            "content": self.content.hex(),
            "place": [self.place.ref, self.place.total, self.place.number],
            "receipt_wanted": self.receipt_wanted,
            "validity": self.validity,
        }

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Part:
        return cls(
            id=row["part"],
            system_id=row["system_id"],
            to=row["to"],
            sender=row["from"],
            at=row["at"],
            data_coding=row["data_coding"],
            content=bytes.fromhex(row["content"]),
            place=Place(*row["place"]),
            receipt_wanted=row["receipt_wanted"],
            validity=row.get("validity", ""),
        )


class Messages:
    """The record of parts and of the receipts that were taken; survives a restart.

    ``unreceipted`` holds, by id, the parts whose receipt is still owed.
    """

    def __init__(self, data: Path) -> None:
        self._ledger = Ledger(data / "messages.jsonl")
        self._mailbox = Mailbox()
        self._incomplete: dict[tuple[str, str, int, int], dict[int, Part]] = {}
        self._receipts: dict[str, str] = {}
        self.unreceipted: dict[str, Part] = {}
        for row in self._ledger.rows:
            if "part" in row:
                self._remember(Part.from_row(row))
            else:
                self._note(row["receipt"], row["stat"])

    def accept(self, part: Part) -> None:
        """Keep a part; with the last one of a message the message is whole."""
        self._ledger.append(part.row())
        self._remember(part)

    def receipt_taken(self, part_id: str, stat: str) -> None:
        """The sender acknowledged the receipt of a part."""
        self._ledger.append({"receipt": part_id, "stat": stat, "at": datetime.now(UTC).isoformat()})
        self._note(part_id, stat)

    def show(self, request: Request) -> Reply:
        """``GET /messages?to=…&since=…``: whole messages, oldest first.

        ``receipt`` is the last stat that the sender acknowledged for every part, else null."""
        to, since = request.query.get("to"), request.number("since", 0)
        found = self._mailbox.find(to=to, since=since)
        return Reply(200, [message | {"receipt": self._receipt_of(message)} for message in found])

    def show_parts(self, request: Request) -> Reply:
        """``GET /parts?since=…``: every accepted ``submit_sm`` and every receipt, as they stand on disk."""
        return Reply(200, self._ledger.rows[max(request.number("since", 0), 0) :])

    def close(self) -> None:
        self._ledger.close()

    def _note(self, part_id: str, stat: str) -> None:
        self._receipts[part_id] = stat
        self.unreceipted.pop(part_id, None)

    def _remember(self, part: Part) -> None:
        if part.receipt_wanted:
            self.unreceipted[part.id] = part
        key = (part.to, part.sender, part.place.ref, part.place.total)
        parts = self._incomplete.setdefault(key, {})
        parts[part.place.number] = part
        if len(parts) == part.place.total:
            del self._incomplete[key]
            self._mailbox.add(_whole([parts[number] for number in sorted(parts)]))

    def _receipt_of(self, message: dict[str, Any]) -> str | None:
        stats = [self._receipts.get(part_id) for part_id in message["part_ids"]]
        return stats[-1] if all(stats) else None


def _whole(parts: list[Part]) -> dict[str, Any]:
    """The message as a handset shows it. Octets are joined first: the end of a part may cut a character."""
    first = parts[0]
    try:
        text = decode(b"".join(part.content for part in parts), first.data_coding)
    except Unreadable:
        text = ""
    return {
        "id": first.id,
        "part_ids": [part.id for part in parts],
        "to": first.to,
        "from": first.sender,
        "text": text,
        "at": max(part.at for part in parts),
        "data_coding": first.data_coding,
        "parts": len(parts),
    }
