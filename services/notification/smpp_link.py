"""One SMPP 3.4 session: submissions with their answers, receipts, and the probing of a silent line."""

from __future__ import annotations

import re
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from smpplib import consts, smpp
from smpplib.client import Client

from services.notification.domain import Declined, Outcome, Receipt, Sent, Unknown
from services.notification.sms_text import SmsParts
from shared import logs

log = logs.get(__name__)

POLL_SECONDS = 0.5
DELIVERY_RECEIPT = 0x04
"""Bits 5–2 of ``esm_class`` in a deliver_sm that is an SMSC delivery receipt (SMPP 3.4, 5.2.12)."""

PERMANENT = frozenset(
    [
        consts.SMPP_ESME_RINVMSGLEN,
        consts.SMPP_ESME_RINVDSTADR,
        consts.SMPP_ESME_RINVDSTTON,
        consts.SMPP_ESME_RINVDSTNPI,
        consts.SMPP_ESME_RX_P_APPN,
    ]
)
"""Refusals that are about the message itself: trying again would not help."""

RECEIPT_TEXT = re.compile(r"id:(?P<id>\S+)\s.*?stat:(?P<stat>\w+)(?:\s+err:(?P<err>\w+))?", re.I | re.S)
FINAL_STATES = {
    "DELIVRD": True,
    "EXPIRED": False,
    "DELETED": False,
    "UNDELIV": False,
    "REJECTD": False,
}
STATE_NAMES = {
    consts.SMPP_MESSAGE_STATE_DELIVERED: "DELIVRD",
    consts.SMPP_MESSAGE_STATE_EXPIRED: "EXPIRED",
    consts.SMPP_MESSAGE_STATE_DELETED: "DELETED",
    consts.SMPP_MESSAGE_STATE_UNDELIVERABLE: "UNDELIV",
    consts.SMPP_MESSAGE_STATE_REJECTED: "REJECTD",
}


class LinkLost(Exception):
    """The session to the SMSC is gone."""


@dataclass(frozen=True)
class Smsc:
    """Where the SMSC is and how to bind. Times in seconds."""

    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    sender: str
    response_seconds: float = 10.0
    enquire_seconds: float = 15.0
    validity_seconds: int = 21_600

    @property
    def validity_period(self) -> str:
        """From the submission on, as SMPP 3.4 writes it (7.1.1.2): YYMMDDhhmmss000R."""
        minutes, seconds = divmod(self.validity_seconds, 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        return f"0000{days:02}{hours:02}{minutes:02}{seconds:02}000R"


class Answer:
    """The answer to one submission, once it is there."""

    def __init__(self) -> None:
        self._arrived = threading.Event()
        self._status: int | None = None
        self._provider_id = ""

    def arrive(self, status: int | None, provider_id: str = "") -> None:
        """``status`` None: the link went before an answer came."""
        self._status, self._provider_id = status, provider_id
        self._arrived.set()

    def outcome(self, seconds: float) -> Outcome:
        """What it says; ``Unknown`` when it does not come in time or at all."""
        if not self._arrived.wait(seconds):
            return Unknown("response_timeout")
        if self._status is None:
            return Unknown("connection_lost")
        if self._status == consts.SMPP_ESME_ROK:
            return Sent((self._provider_id,))
        return Declined(f"smsc_status_{self._status}", permanent=self._status in PERMANENT)


class Link:
    """One bound session. Whoever writes holds the lock; one thread reads."""

    def __init__(self, smsc: Smsc) -> None:
        self._smsc = smsc
        self._lock = threading.Lock()
        self._answers: dict[int, Answer] = {}
        self._open = True
        self._client = Client(
            smsc.host,
            smsc.port,
            timeout=smsc.response_seconds,
            logger_name="smpplib.client",
            allow_unknown_opt_params=True,
        )
        try:
            self._client.connect()
            self._client.bind_transceiver(system_id=smsc.system_id, password=smsc.password, system_type="")
        except BaseException:
            self.close()
            raise

    def submit(self, to: str, parts: SmsParts, body: bytes) -> Answer:
        """Write one part. Raises ``LinkLost`` when nothing of it was written."""
        answer = Answer()
        with self._lock:
            if not self._open:
                raise LinkLost
            pdu = smpp.make_pdu(
                "submit_sm",
                client=self._client,
                source_addr_ton=consts.SMPP_TON_ALNUM,
                source_addr_npi=consts.SMPP_NPI_UNK,
                source_addr=self._smsc.sender,
                dest_addr_ton=consts.SMPP_TON_INTL,
                dest_addr_npi=consts.SMPP_NPI_ISDN,
                destination_addr=to.lstrip("+"),
                esm_class=parts.esm_class,
                data_coding=parts.data_coding,
                short_message=body,
                validity_period=self._smsc.validity_period,
                registered_delivery=consts.SMPP_SMSC_DELIVERY_RECEIPT_BOTH,
            )
            self._answers[pdu.sequence] = answer
            try:
                self._client.send_pdu(pdu)
            except Exception as error:  # some of it may have left: the answer stays open and unknown
                self._open = False
                answer.arrive(None)
                log.warning("writing to the SMSC failed", error=type(error).__name__)
        return answer

    def acknowledge(self, sequence: int, status: int) -> None:
        """Answer a receipt."""
        self._send("deliver_sm_resp", status=status, sequence=sequence)

    def read(self, on_receipt: Callable[[int, Receipt], None], stopping: threading.Event) -> None:
        """Read until the link goes (raises) or ``stopping`` is set; probe it when it is silent."""
        heard_at, probed = time.monotonic(), False
        while not stopping.is_set() and self._open:
            readable, _, _ = select.select([self._client._socket], [], [], POLL_SECONDS)
            if readable:
                self._handle(self._client.read_pdu(), on_receipt)
                heard_at, probed = time.monotonic(), False
            elif time.monotonic() - heard_at > self._smsc.enquire_seconds:
                if probed:
                    raise LinkLost("silent")
                self._send("enquire_link")
                heard_at, probed = time.monotonic(), True

    def _handle(self, pdu: Any, on_receipt: Callable[[int, Receipt], None]) -> None:
        if pdu.command in ("submit_sm_resp", "generic_nack"):
            answer = self._answers.pop(pdu.sequence, None)
            if answer is not None:
                answer.arrive(pdu.status, _text(getattr(pdu, "message_id", None)))
        elif pdu.command == "deliver_sm":
            receipt = read_receipt(pdu)
            if receipt is None:
                self.acknowledge(pdu.sequence, consts.SMPP_ESME_ROK)
            else:
                on_receipt(pdu.sequence, receipt)
        elif pdu.command == "enquire_link":
            self._send("enquire_link_resp", sequence=pdu.sequence)
        elif pdu.command == "unbind":
            self._send("unbind_resp", sequence=pdu.sequence)
            raise LinkLost("unbound by the SMSC")

    def _send(self, command: str, *, status: int = consts.SMPP_ESME_ROK, sequence: int | None = None) -> None:
        with self._lock:
            if not self._open:
                raise LinkLost
            pdu = smpp.make_pdu(command, client=self._client, status=status)
            if sequence is not None:
                pdu.sequence = sequence
            self._client.send_pdu(pdu)

    def unbind(self) -> None:
        """Say goodbye."""
        self._send("unbind")

    def close(self) -> None:
        """Drop the connection; submissions without an answer stay unknown."""
        self._open = False
        self._client.state = consts.SMPP_CLIENT_STATE_OPEN  # disconnect() warns about a bound one
        self._client.disconnect()
        while self._answers:
            self._answers.popitem()[1].arrive(None)


def read_receipt(pdu: Any) -> Receipt | None:
    """What a deliver_sm reports, or None when it is not a receipt or not a final one. The TLVs count; the
    customary text (SMPP 3.4, appendix B) fills in."""
    if (pdu.esm_class or 0) & 0x3C != DELIVERY_RECEIPT:
        return None
    found = RECEIPT_TEXT.search(_text(pdu.short_message or getattr(pdu, "message_payload", None)))
    provider_id = _text(getattr(pdu, "receipted_message_id", None)) or (found["id"] if found else "")
    stat = STATE_NAMES.get(getattr(pdu, "message_state", None)) or (found["stat"].upper() if found else "")
    if not provider_id or stat not in FINAL_STATES:
        return None
    delivered = FINAL_STATES[stat]
    reason = None if delivered else f"receipt_{stat.lower()}"
    return Receipt(provider_id, "+" + _text(pdu.source_addr).lstrip("+"), delivered, reason)


def _text(value: bytes | str | None) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return (value or "").strip("\0")
