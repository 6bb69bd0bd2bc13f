"""Delivery receipts: owed for each part that asked for one, sent until the sender has taken them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

import smpp34

from deploy.stand_ins.control import Control
from deploy.stand_ins.smsc.faults import STATES, Faults
from deploy.stand_ins.smsc.messages import Messages, Part
from deploy.stand_ins.smsc.sessions import Session
from deploy.stand_ins.smsc.texts import Unreadable, decode

ESM_CLASS_RECEIPT = 0x04
TAG_RECEIPTED_MESSAGE_ID, TAG_MESSAGE_STATE = 0x001E, 0x0427
ONLY_FAILURES = 2
LOOK_EVERY_SECONDS = 0.05
TRY_AGAIN_SECONDS = 5.0


class Receipts:
    """Sends what is owed to whoever is bound under the same system id and may receive.

    ``sessions`` gives the connections that are open now. What nobody can take waits, also over a restart."""

    def __init__(
        self, messages: Messages, faults: Control[Faults], sessions: Callable[[], set[Session]]
    ) -> None:
        self._messages = messages
        self._faults = faults
        self._sessions = sessions
        self._sent: dict[str, tuple[str, Session, float]] = {}

    async def run(self) -> None:
        """Look after what is owed, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            if self._faults.now.receipts:
                self._send_due()

    def answered(self, part_id: str, status: int) -> None:
        """The sender answered a receipt; one it refused is sent again later."""
        if status == 0 and part_id in self._sent:
            stat, *_ = self._sent.pop(part_id)
            self._messages.receipt_taken(part_id, stat)

    def _send_due(self) -> None:
        faults = self._faults.now
        takers = {session.system_id: session for session in self._sessions() if session.takes_receipts}
        now = time.time()
        for part in list(self._messages.unreceipted.values()):
            taker = takers.get(part.system_id)
            age_seconds = now - datetime.fromisoformat(part.at).timestamp()
            if taker is None or age_seconds < faults.receipt_delay_seconds or self._is_under_way(part, now):
                continue
            if part.receipt_wanted == ONLY_FAILURES and faults.receipt_stat == "DELIVRD":
                del self._messages.unreceipted[part.id]
                continue
            self._sent[part.id] = (faults.receipt_stat, taker, now)
            taker.deliver(part.id, _receipt(part, faults.receipt_stat))

    def _is_under_way(self, part: Part, now: float) -> bool:
        """Sent on a session that is still there, not long ago."""
        if part.id not in self._sent:
            return False
        _, session, sent_at = self._sent[part.id]
        return session.takes_receipts and now - sent_at < TRY_AGAIN_SECONDS


def _receipt(part: Part, stat: str) -> smpp34.DeliverSm:
    """A receipt in the customary form (SMPP 3.4, appendix B), with the parameters that say the same."""
    submitted = datetime.fromisoformat(part.at).strftime("%y%m%d%H%M")
    done = datetime.now().astimezone().strftime("%y%m%d%H%M")
    delivered = int(stat == "DELIVRD")
    text = (
        f"id:{part.id} sub:001 dlvrd:{delivered:03} submit date:{submitted} done date:{done} "
        f"stat:{stat} err:{0 if delivered else 1:03} text:{_beginning(part)}"
    )
    return smpp34.DeliverSm(
        part.to,
        part.sender,
        text.encode("ascii", "replace"),
        source_addr_ton=1,
        source_addr_npi=1,
        esm_class=ESM_CLASS_RECEIPT,
        tlvs=[
            smpp34.Tlv(TAG_RECEIPTED_MESSAGE_ID, part.id.encode() + b"\0"),
            smpp34.Tlv(TAG_MESSAGE_STATE, bytes([STATES[stat]])),
        ],
    )


def _beginning(part: Part) -> str:
    """The first 20 characters, as a receipt carries them."""
    try:
        return decode(part.content, part.data_coding)[:20]
    except Unreadable:  # a part that is cut within a character
        return ""
