"""The server's side of SMPP 3.4: one session per connection, from bind to unbind, however it breaks off."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import smpp34

from deploy.stand_ins.control import Control
from deploy.stand_ins.smsc.faults import Faults
from deploy.stand_ins.smsc.messages import Messages, Part
from deploy.stand_ins.smsc.texts import (
    GSM_7,
    TAG_MESSAGE_PAYLOAD,
    UDH_INDICATOR,
    Place,
    Unreadable,
    decode,
    place_by_header,
    place_by_tlvs,
)

log = logging.getLogger(__name__)

RESPONSE = 0x80000000
GENERIC_NACK = RESPONSE
BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER = 0x01, 0x02, 0x09
SUBMIT_SM, DELIVER_SM, UNBIND, ENQUIRE_LINK = 0x04, 0x05, 0x06, 0x15
BINDS = {BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER}

OK, WRONG_MESSAGE_LENGTH, WRONG_COMMAND_LENGTH, UNKNOWN_COMMAND = 0x00, 0x01, 0x02, 0x03
WRONG_STATE, ALREADY_BOUND, WRONG_DESTINATION = 0x04, 0x05, 0x0B
WRONG_PASSWORD, WRONG_SYSTEM_ID = 0x0E, 0x0F
WRONG_ESM_CLASS, SUBMIT_FAILED = 0x43, 0x45

MAX_PDU_OCTETS = 70_000  # message_payload carries up to 65,535
MAX_OCTETS, MAX_SEPTETS = 140, 160  # of one short message on the radio side
SC_INTERFACE_VERSION = struct.pack(">HHB", 0x0210, 1, 0x34)
NUMBER = re.compile(r"\d{5,15}")


class Refusal(Exception):
    """A request is answered with this command status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"command status {status}")
        self.status = status


@dataclass(frozen=True)
class Pdu:
    """One PDU as framed; ``raw`` is all of it, header included."""

    command: int
    status: int
    sequence: int
    raw: bytes


@dataclass(frozen=True)
class Logins:
    """Who may bind. None lets anybody."""

    system_id: str | None
    password: str | None

    def check(self, system_id: str, password: str) -> None:
        """Raises ``Refusal``."""
        if self.system_id is not None and system_id != self.system_id:
            raise Refusal(WRONG_SYSTEM_ID)
        if self.password is not None and not hmac.compare_digest(password.encode(), self.password.encode()):
            raise Refusal(WRONG_PASSWORD)


class Session:
    """One connection. ``system_id`` is set once bound; ``takes_receipts`` while bound to receive."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        logins: Logins,
        messages: Messages,
        faults: Control[Faults],
        receipt_answered: Callable[[str, int], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._logins = logins
        self._messages = messages
        self._faults = faults
        self._receipt_answered = receipt_answered
        self._answers: set[asyncio.Task[None]] = set()
        self._in_flight: dict[int, str] = {}
        self._sequence = 0
        self._bound_as: int | None = None
        self.system_id: str | None = None

    @property
    def takes_receipts(self) -> bool:
        return self._bound_as in {BIND_RECEIVER, BIND_TRANSCEIVER}

    async def run(self) -> None:
        """Serve until the other side goes, politely or not."""
        try:
            while (pdu := await self._read()) is not None and self._handle(pdu):
                await self._writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            log.info("connection lost")
        finally:
            self._bound_as = None
            for answer in self._answers:
                answer.cancel()
            self._writer.close()

    async def end(self, grace_seconds: float = 0.3) -> None:
        """Unbind from the server's side and close."""
        with contextlib.suppress(ConnectionError):
            if self._bound_as is not None:
                self._request(UNBIND)
                await asyncio.sleep(grace_seconds)
        self._writer.close()

    def deliver(self, part_id: str, receipt: smpp34.DeliverSm) -> None:
        """Send a receipt; ``receipt_answered`` hears of its answer, if one comes."""
        self._in_flight[self._request(DELIVER_SM, receipt.encode()[16:])] = part_id

    async def _read(self) -> Pdu | None:
        """The next PDU; None at the end of a stream that ends between two, or cannot be read any further."""
        try:
            header = await self._reader.readexactly(16)
        except asyncio.IncompleteReadError as cut:
            if cut.partial:
                raise
            return None
        length, command, status, sequence = struct.unpack(">4I", header)
        if not 16 <= length <= MAX_PDU_OCTETS:
            self._send(GENERIC_NACK, WRONG_COMMAND_LENGTH, sequence)
            return None
        return Pdu(command, status, sequence, header + await self._reader.readexactly(length - 16))

    def _handle(self, pdu: Pdu) -> bool:
        """Act on one PDU; False ends the session."""
        if pdu.command == DELIVER_SM | RESPONSE:
            if part_id := self._in_flight.pop(pdu.sequence, None):
                self._receipt_answered(part_id, pdu.status)
        elif pdu.command == ENQUIRE_LINK:
            self._answer(pdu)
        elif pdu.command in BINDS:
            self._bind(pdu)
        elif pdu.command == SUBMIT_SM:
            self._submit(pdu)
        elif pdu.command == UNBIND:
            self._answer(pdu)
        elif not pdu.command & RESPONSE:
            self._send(GENERIC_NACK, UNKNOWN_COMMAND, pdu.sequence)
        return pdu.command not in {UNBIND, UNBIND | RESPONSE}

    def _bind(self, pdu: Pdu) -> None:
        try:
            if self._bound_as is not None:
                raise Refusal(ALREADY_BOUND)
            strings = pdu.raw[16:].split(b"\0", 3)
            if len(strings) < 4:
                raise Refusal(WRONG_COMMAND_LENGTH)
            system_id, password = (octets.decode("latin-1") for octets in strings[:2])
            self._logins.check(system_id, password)
        except Refusal as refusal:
            self._answer(pdu, refusal.status)
            return
        self.system_id, self._bound_as = system_id, pdu.command
        self._answer(pdu, OK, b"stand-in\0" + SC_INTERFACE_VERSION)

    def _submit(self, pdu: Pdu) -> None:
        """Keep the message, then answer: at once, late, or never, as the control says."""
        faults = self._faults.now
        try:
            if self._bound_as not in {BIND_TRANSMITTER, BIND_TRANSCEIVER}:
                raise Refusal(WRONG_STATE)
            if faults.refuse_status:
                raise Refusal(faults.refuse_status)
            part = _part_of(pdu, self.system_id or "")
        except Refusal as refusal:
            self._answer(pdu, refusal.status)
            return
        self._messages.accept(part)
        if faults.cut_after_accept:
            self._writer.transport.abort()
        elif faults.delay_seconds:
            self._later(faults.delay_seconds, pdu, part)
        elif not faults.withhold_responses:
            self._answer(pdu, OK, part.id.encode() + b"\0")

    def _later(self, delay_seconds: float, pdu: Pdu, part: Part) -> None:
        async def answer() -> None:
            await asyncio.sleep(delay_seconds)
            if not self._faults.now.withhold_responses:
                self._answer(pdu, OK, part.id.encode() + b"\0")

        task = asyncio.create_task(answer())
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    def _answer(self, pdu: Pdu, status: int = OK, body: bytes = b"") -> None:
        self._send(pdu.command | RESPONSE, status, pdu.sequence, body)

    def _request(self, command: int, body: bytes = b"") -> int:
        self._sequence += 1
        self._send(command, OK, self._sequence, body)
        return self._sequence

    def _send(self, command: int, status: int, sequence: int, body: bytes = b"") -> None:
        self._writer.write(struct.pack(">4I", 16 + len(body), command, status, sequence) + body)


def _part_of(pdu: Pdu, system_id: str) -> Part:
    """What a ``submit_sm`` asks for. Raises ``Refusal``."""
    try:
        sent = smpp34.decode(pdu.raw)
        assert isinstance(sent, smpp34.SubmitSm)
    except smpp34.SmppError as error:
        raise Refusal(WRONG_MESSAGE_LENGTH) from error
    tlvs = {tlv.tag: tlv.value for tlv in sent.tlvs}
    to = sent.destination_addr.lstrip("+")
    if not NUMBER.fullmatch(to):
        raise Refusal(WRONG_DESTINATION)
    if len(sent.short_message) > (MAX_SEPTETS if sent.data_coding == GSM_7 else MAX_OCTETS):
        raise Refusal(WRONG_MESSAGE_LENGTH)
    content = sent.short_message or tlvs.get(TAG_MESSAGE_PAYLOAD, b"")
    place = place_by_tlvs(tlvs)
    if sent.esm_class & UDH_INDICATOR:
        try:
            place, content = place_by_header(content)
        except Unreadable as error:
            raise Refusal(WRONG_ESM_CLASS) from error
    _check_readable(content, sent.data_coding, place)
    return Part(
        id=uuid4().hex,
        system_id=system_id,
        to=to,
        sender=sent.source_addr,
        at=datetime.now(UTC).isoformat(),
        data_coding=sent.data_coding,
        content=content,
        place=place,
        receipt_wanted=sent.registered_delivery & 0x03,
        validity=str(sent.validity_period or ""),
    )


def _check_readable(content: bytes, data_coding: int, place: Place) -> None:
    """A message alone must be text; a part of one may begin or end within a character."""
    if place.total == 1:
        try:
            decode(content, data_coding)
        except Unreadable as error:
            raise Refusal(SUBMIT_FAILED) from error
