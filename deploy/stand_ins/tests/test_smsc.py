"""The SMSC as its clients see it: bound with the library that the notification service uses, over TCP."""

from __future__ import annotations

import re
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import pytest
import smpplib.client
import smpplib.consts
import smpplib.exceptions
import smpplib.gsm

from deploy.stand_ins.smsc.faults import Faults
from deploy.stand_ins.tests.conftest import Program, Start

Look = Callable[[Callable[[], Any]], Any]
PHONE = "84912345678"
THROTTLED = 88
PASSWORD = "secret"
LOGIN = ("--system-id", "vssid", "--password", PASSWORD, "--receipt-delay-seconds", "0.05")
LONG = "Kính gửi ông bà, mật khẩu đăng nhập lần đầu của ông bà đã được cấp. " * 4

pytestmark = pytest.mark.filterwarnings("ignore:Unknown optional")


class Esme:
    """A bound client that remembers what it was answered."""

    def __init__(self, smsc: Program, bind: str = "bind_transceiver", password: str = PASSWORD) -> None:
        self.client = smpplib.client.Client("127.0.0.1", smsc.port, timeout=3, allow_unknown_opt_params=True)
        self.accepted: list[str] = []
        self.receipts: list[Any] = []
        self.client.set_message_sent_handler(lambda pdu: self.accepted.append(pdu.message_id.decode()))
        self.client.set_message_received_handler(lambda pdu: self.receipts.append(pdu) or 0)
        self.client.connect()
        getattr(self.client, bind)(system_id="vssid", password=password)

    def send(self, text: str, *, use_udhi: bool = True, **fields: Any) -> int:
        """Send without waiting for the answer; the number of parts."""
        parts, coding, esm_class = smpplib.gsm.make_parts(text, use_udhi=use_udhi)
        for number, part in enumerate(parts, start=1):
            sar = {"sar_msg_ref_num": 300, "sar_total_segments": len(parts), "sar_segment_seqnum": number}
            self.submit(part, data_coding=coding, esm_class=esm_class, **({} if use_udhi else sar), **fields)
        return len(parts)

    def submit(self, octets: bytes | None, **fields: Any) -> None:
        self.client.send_message(
            source_addr_ton=5,
            source_addr="VSSID",
            dest_addr_ton=1,
            dest_addr_npi=1,
            **{"destination_addr": PHONE, "short_message": octets, **fields},
        )

    def read(self, count: int = 1) -> None:
        for _ in range(count):
            self.client.read_once(auto_send_enquire_link=False)

    def close(self) -> None:
        """Vanish without unbinding."""
        self.client.state = smpplib.consts.SMPP_CLIENT_STATE_OPEN
        self.client.disconnect()


@pytest.fixture(scope="module")
def running(start: Start) -> Program:
    return start("smsc", *LOGIN)


@pytest.fixture
def smsc(running: Program) -> Program:
    """The running one, without faults, looking at what is received from now on."""
    running.control(**(asdict(Faults()) | {"receipt_delay_seconds": 0.05}))
    return running.looking_from_now_on()


@pytest.fixture
def esme(smsc: Program) -> Iterator[Esme]:
    client = Esme(smsc)
    yield client
    client.close()


def texts(smsc: Program, **query: object) -> list[str]:
    return [message["text"] for message in smsc.messages(**query)]


def test_a_message_is_kept_and_answered_with_its_id(smsc: Program, esme: Esme) -> None:
    esme.send("Cap lai mat khau thanh cong. Mat khau: {x}^~")
    esme.read()
    (message,) = smsc.messages(to="+" + PHONE)
    assert message["text"] == "Cap lai mat khau thanh cong. Mat khau: {x}^~"
    assert message["id"] == esme.accepted[0]
    assert (message["to"], message["from"]) == (PHONE, "VSSID")
    assert (message["data_coding"], message["parts"], message["receipt"]) == (0, 1, None)


@pytest.mark.parametrize("use_udhi", [True, False])
@pytest.mark.parametrize("text", [LONG, "Mat khau dau tien: [abc]€ " * 20])
def test_a_long_message_is_shown_whole(smsc: Program, esme: Esme, text: str, use_udhi: bool) -> None:
    count = esme.send(text, use_udhi=use_udhi)
    esme.read(count)
    (message,) = smsc.messages()
    assert count > 1
    assert (message["text"], message["parts"]) == (text, count)
    assert message["part_ids"] == esme.accepted


def test_a_long_message_may_travel_as_one_payload(smsc: Program, esme: Esme) -> None:
    text = LONG * 3
    esme.submit(None, message_payload=text.encode("utf-16-be"), data_coding=8)
    esme.read()
    assert texts(smsc) == [text]


def test_a_long_message_is_not_shown_before_its_last_part(smsc: Program, esme: Esme) -> None:
    parts, coding, esm_class = smpplib.gsm.make_parts(LONG)
    for part in reversed(parts[1:]):
        esme.submit(part, data_coding=coding, esm_class=esm_class)
        esme.read()
    assert texts(smsc) == []
    esme.submit(parts[0], data_coding=coding, esm_class=esm_class)
    esme.read()
    assert texts(smsc) == [LONG]


def test_the_same_message_sent_twice_is_there_twice(smsc: Program, esme: Esme) -> None:
    for _ in range(2):
        esme.read(esme.send("hai lan"))
    assert texts(smsc) == ["hai lan", "hai lan"]


def test_readers_ask_for_one_recipient_or_for_what_is_new(smsc: Program, esme: Esme) -> None:
    for number in range(3):
        esme.send(f"tin {number}", destination_addr=f"8491234567{number}")
        esme.read()
    assert texts(smsc, to="84912345671") == ["tin 1"]
    assert texts(smsc, since=smsc.seen + 1) == ["tin 1", "tin 2"]
    assert texts(smsc, to="84912345671", since=smsc.seen + 2) == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_answered_is_there_after_a_restart(smsc: Program, how: signal.Signals) -> None:
    before = Esme(smsc)
    before.read(before.send(LONG))
    parts, coding, esm_class = smpplib.gsm.make_parts(LONG.upper())
    before.submit(parts[0], data_coding=coding, esm_class=esm_class)
    before.read()
    smsc.restart(how)
    after = Esme(smsc)
    for part in parts[1:]:
        after.submit(part, data_coding=coding, esm_class=esm_class)
        after.read()
    assert texts(smsc) == [LONG, LONG.upper()]
    before.close()
    after.close()


def test_it_stops_politely(start: Start) -> None:
    smsc = start("smsc", *LOGIN)
    esme = Esme(smsc)
    smsc.process.send_signal(signal.SIGTERM)
    assert esme.client.read_pdu().command == "unbind"
    assert smsc.process.wait(5) == 0
    esme.close()


def test_a_receipt_follows_when_one_was_asked_for(smsc: Program, esme: Esme, eventually: Look) -> None:
    esme.send("bien nhan", registered_delivery=1)
    esme.send("khong bien nhan")
    esme.read(3)
    (receipt,) = esme.receipts
    assert receipt.esm_class == 0x04
    assert receipt.receipted_message_id.decode() == esme.accepted[0]
    assert receipt.message_state == 2
    assert re.fullmatch(
        rb"id:\w+ sub:001 dlvrd:001 submit date:\d{10} done date:\d{10} stat:DELIVRD err:000 text:bien nhan",
        receipt.short_message,
    )
    assert (receipt.source_addr, receipt.destination_addr) == (PHONE.encode(), b"VSSID")
    eventually(lambda: smsc.messages()[0]["receipt"] == "DELIVRD")
    assert smsc.messages()[1]["receipt"] is None


def test_a_failed_delivery_says_so_also_to_who_wants_failures_only(smsc: Program, esme: Esme) -> None:
    smsc.control(receipt_stat="UNDELIV")
    esme.send("so khong ton tai", registered_delivery=2)
    esme.read(2)
    assert esme.receipts[0].message_state == 5
    assert b"stat:UNDELIV err:001" in esme.receipts[0].short_message


def test_who_wants_to_hear_of_failures_only_hears_nothing_of_a_delivery(smsc: Program, esme: Esme) -> None:
    esme.send("tot dep", registered_delivery=2)
    esme.send("bien nhan", registered_delivery=1)
    esme.read(3)
    assert [receipt.receipted_message_id.decode() for receipt in esme.receipts] == [esme.accepted[1]]


def test_a_receipt_waits_for_a_sender_that_is_away_also_over_a_restart(smsc: Program) -> None:
    before = Esme(smsc, bind="bind_transmitter")
    before.send("cho nguoi gui", registered_delivery=1)
    before.read()
    before.close()
    smsc.restart()
    after = Esme(smsc, bind="bind_receiver")
    after.read()
    assert after.receipts[0].receipted_message_id.decode() == before.accepted[0]
    after.close()


def test_a_receipt_that_was_not_acknowledged_comes_again(smsc: Program) -> None:
    before = Esme(smsc)
    before.send("bien nhan bi mat", registered_delivery=1)
    before.read()
    assert before.client.read_pdu().command == "deliver_sm"  # and no answer to it
    before.close()
    after = Esme(smsc)
    after.read()
    assert after.receipts[0].receipted_message_id.decode() == before.accepted[0]
    after.close()


def test_receipts_can_be_held_back_and_come_late(smsc: Program, esme: Esme) -> None:
    smsc.control(receipts=False)
    esme.send("bien nhan tre", registered_delivery=1)
    esme.read()
    esme.client._socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        esme.read()
    esme.client._socket.settimeout(3)
    smsc.control(receipts=True)
    esme.read()
    assert len(esme.receipts) == 1


def test_refused_messages_are_not_kept(smsc: Program, esme: Esme) -> None:
    smsc.control(refuse_status=THROTTLED)
    esme.send("bi tu choi")
    pdu = esme.client.read_pdu()
    assert (pdu.command, pdu.status) == ("submit_sm_resp", THROTTLED)
    smsc.control(refuse_status=0)
    esme.send("duoc nhan")
    esme.read()
    assert texts(smsc) == ["duoc nhan"]


def test_a_late_answer_holds_nobody_up(smsc: Program, esme: Esme, eventually: Look) -> None:
    smsc.control(delay_seconds=0.5)
    started = time.monotonic()
    for number in range(6):
        esme.send(f"tin {number}")
    eventually(lambda: len(texts(smsc)) == 6)
    assert time.monotonic() - started < 0.5
    esme.read(6)
    assert 0.5 <= time.monotonic() - started < 1.5
    assert len(set(esme.accepted)) == 6


def test_a_message_may_be_accepted_and_never_answered(smsc: Program, esme: Esme, eventually: Look) -> None:
    smsc.control(withhold_responses=True)
    esme.send("khong tra loi")
    assert eventually(lambda: texts(smsc)) == ["khong tra loi"]
    esme.client.send_pdu(smpplib.smpp.make_pdu("enquire_link", client=esme.client))
    assert esme.client.read_pdu().command == "enquire_link_resp"


def test_the_connection_may_be_cut_between_accepting_and_answering(smsc: Program, esme: Esme) -> None:
    smsc.control(cut_after_accept=True)
    esme.send("bi cat")
    with pytest.raises(smpplib.exceptions.ConnectionError):
        esme.read()
    assert texts(smsc) == ["bi cat"]


def test_a_wrong_password_is_refused(smsc: Program) -> None:
    with pytest.raises(smpplib.exceptions.PDUError) as refusal:
        Esme(smsc, password="wrong")
    assert refusal.value.args[1] == smpplib.consts.SMPP_ESME_RINVPASWD


def test_a_receiver_cannot_send(smsc: Program) -> None:
    receiver = Esme(smsc, bind="bind_receiver")
    receiver.client.state = smpplib.consts.SMPP_CLIENT_STATE_BOUND_TRX
    receiver.send("khong duoc")
    assert receiver.client.read_pdu().status == smpplib.consts.SMPP_ESME_RINVBNDSTS
    receiver.close()


def test_unbinding_ends_the_session(smsc: Program) -> None:
    client = Esme(smsc)
    assert client.client.unbind().command == "unbind_resp"
    with pytest.raises(smpplib.exceptions.ConnectionError):
        client.client.read_pdu()
    client.close()


@pytest.mark.parametrize(
    ("octets", "fields", "status"),
    [
        (b"a", {"destination_addr": "nobody"}, smpplib.consts.SMPP_ESME_RINVDSTADR),
        (b"a" * 161, {"data_coding": 0}, smpplib.consts.SMPP_ESME_RINVMSGLEN),
        (b"a" * 142, {"data_coding": 8}, smpplib.consts.SMPP_ESME_RINVMSGLEN),
        (b"\xff", {"data_coding": 0}, smpplib.consts.SMPP_ESME_RSUBMITFAIL),
        (b"a", {"data_coding": 4}, smpplib.consts.SMPP_ESME_RSUBMITFAIL),
        (b"\x09a", {"esm_class": 0x40}, smpplib.consts.SMPP_ESME_RINVESMCLASS),
    ],
)
def test_each_bad_message_has_its_own_refusal(
    smsc: Program, esme: Esme, octets: bytes, fields: dict[str, Any], status: int
) -> None:
    esme.submit(octets, **fields)
    assert esme.client.read_pdu().status == status
    assert texts(smsc) == []


def test_an_unknown_command_does_not_end_the_session(smsc: Program, esme: Esme) -> None:
    esme.client._socket.sendall(struct.pack(">4I", 16, 0x66, 0, 7))
    nack = esme.client.read_pdu()
    assert (nack.command, nack.status, nack.sequence) == (
        "generic_nack",
        smpplib.consts.SMPP_ESME_RINVCMDID,
        7,
    )
    esme.read(esme.send("van con"))
    assert texts(smsc) == ["van con"]


@pytest.mark.parametrize("length", [0, 15, 10_000_000])
def test_an_impossible_length_is_answered_with_generic_nack_and_ends_the_session(
    smsc: Program, esme: Esme, length: int
) -> None:
    esme.client._socket.sendall(struct.pack(">4I", length, 0x15, 0, 9))
    nack = esme.client.read_pdu()
    assert (nack.command, nack.status) == ("generic_nack", smpplib.consts.SMPP_ESME_RINVCMDLEN)
    with pytest.raises(smpplib.exceptions.ConnectionError):
        esme.client.read_pdu()


def test_a_connection_cut_at_any_byte_harms_nobody_else(smsc: Program, esme: Esme) -> None:
    bind = smpplib.smpp.make_pdu("bind_transceiver", client=esme.client, system_id="vssid", password=PASSWORD)
    submit = smpplib.smpp.make_pdu(
        "submit_sm",
        client=esme.client,
        source_addr="VSSID",
        destination_addr=PHONE,
        short_message=b"nua",
    )
    octets = bind.generate() + submit.generate()
    for cut_at in range(len(octets)):
        with socket.create_connection(("127.0.0.1", smsc.port)) as connection:
            connection.sendall(octets[:cut_at])
    esme.read(esme.send("nguyen ven"))
    assert texts(smsc) == ["nguyen ven"]


def test_a_torn_submit_is_refused_and_not_kept(smsc: Program, esme: Esme) -> None:
    before = len(smsc.get("/parts"))
    esme.client._socket.sendall(struct.pack(">4I", 20, 0x04, 0, 3) + b"\0\0\0V")
    answer = esme.client.read_pdu()
    assert (answer.command, answer.status) == ("submit_sm_resp", smpplib.consts.SMPP_ESME_RINVMSGLEN)
    assert smsc.get("/parts", since=before) == []


def test_control_is_shown_and_wrong_wishes_are_refused(smsc: Program) -> None:
    assert smsc.control(refuse_status=THROTTLED)["refuse_status"] == THROTTLED
    assert smsc.http.put("/control", json={"refuse": "yes"}).status_code == 400
    assert smsc.get("/control")["refuse_status"] == THROTTLED
