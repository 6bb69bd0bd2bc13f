"""The session with a real SMSC: what arrives, what is refused, what nobody knows, and what receipts say."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from deploy.stand_ins.tests.conftest import Program
from services.notification.domain import Declined, Receipt, Sent, Unknown
from services.notification.smpp_link import Smsc
from services.notification.sms import SmsChannel
from services.notification.tests.integration.conftest import Phone

Eventually = Callable[[Callable[[], Any]], Any]
TO = "+84912000111"


def test_a_text_arrives_and_its_receipt_returns(phone: Phone, smsc: Program, eventually: Eventually) -> None:
    outcome = phone.channel.send(TO, "Tai khoan: 0123456789 / Mat khau: a_b@c$", phone.begin)
    assert isinstance(outcome, Sent)
    (message,) = smsc.messages(to="84912000111")
    assert message["text"] == "Tai khoan: 0123456789 / Mat khau: a_b@c$"
    assert message["from"] == "VSSID"
    assert message["data_coding"] == 0
    assert message["id"] == outcome.provider_ids[0]
    eventually(lambda: Receipt(outcome.provider_ids[0], TO, True, None) in phone.receipts)
    assert phone.begun == 1
    eventually(lambda: smsc.messages(to="84912000111")[0]["receipt"] == "DELIVRD")  # acknowledged


def test_a_long_vietnamese_text_arrives_whole_in_parts(phone: Phone, smsc: Program) -> None:
    text = "Hồ sơ đăng ký của Ông/Bà đã được chấp nhận. " * 5
    outcome = phone.channel.send(TO, text, phone.begin)
    assert isinstance(outcome, Sent)
    (message,) = smsc.messages()
    assert message["text"] == text
    assert (message["data_coding"], message["parts"]) == (8, len(outcome.provider_ids))
    assert phone.begun == 1


def test_the_smsc_is_told_when_to_give_up(phone: Phone, smsc: Program) -> None:
    phone.channel.send(TO, "x" * 200, phone.begin)
    assert [part["validity"] for part in smsc.get("/parts")[-2:]] == ["000000060000000R"] * 2
    assert replace(phone.channel._smsc, validity_seconds=2 * 86_400 + 5).validity_period == "000002000005000R"


def test_many_at_once_each_get_their_own_answer(phone: Phone, smsc: Program) -> None:
    with ThreadPoolExecutor(16) as threads:
        sent = list(
            threads.map(lambda n: phone.channel.send(f"+8491200{n:04}", f"so {n}", lambda: None), range(100))
        )
    by_id = {message["id"]: message for message in smsc.messages()}
    assert len(by_id) == 100
    for number, outcome in enumerate(sent):
        assert isinstance(outcome, Sent)
        assert by_id[outcome.provider_ids[0]]["text"] == f"so {number}"


@pytest.mark.parametrize(("status", "permanent"), [(88, False), (20, False), (8, False), (11, True)])
def test_a_refusal_is_definite_and_says_whether_trying_again_helps(
    phone: Phone, smsc: Program, status: int, permanent: bool
) -> None:
    smsc.control(refuse_status=status)
    outcome = phone.channel.send(TO, "x", phone.begin)
    assert outcome == Declined(f"smsc_status_{status}", permanent=permanent)
    assert smsc.messages() == []


def test_no_answer_in_time_is_unknown_and_the_link_stays(phone: Phone, smsc: Program) -> None:
    smsc.control(withhold_responses=True)
    assert phone.channel.send(TO, "x", phone.begin) == Unknown("response_timeout")
    smsc.control(withhold_responses=False)
    assert isinstance(phone.channel.send(TO, "y", phone.begin), Sent)
    assert [message["text"] for message in smsc.messages()] == ["x", "y"]


def test_a_connection_cut_after_submission_is_unknown_and_comes_back(
    phone: Phone, smsc: Program, eventually: Eventually
) -> None:
    smsc.control(cut_after_accept=True)
    assert phone.channel.send(TO, "x", phone.begin) == Unknown("connection_lost")
    smsc.control(cut_after_accept=False)
    assert isinstance(phone.channel.send(TO, "y", phone.begin), Sent)
    kept = smsc.messages()
    assert [message["text"] for message in kept] == ["x", "y"]
    eventually(lambda: {message["id"] for message in kept} <= {r.provider_id for r in phone.receipts})


def test_nothing_is_begun_while_the_smsc_is_away_and_it_is_found_again(
    phone: Phone, smsc: Program, eventually: Eventually
) -> None:
    eventually(lambda: isinstance(phone.channel.send(TO, "before", phone.begin), Sent))
    begun = phone.begun
    port = smsc.port
    smsc.stop(signal.SIGKILL)
    eventually(lambda: not phone.channel.is_bound)
    assert phone.channel.send(TO, "x", phone.begin) == Declined("smsc_unreachable")
    assert phone.begun == begun
    smsc._start += ["--port", str(port)]
    smsc.start()
    eventually(lambda: isinstance(phone.channel.send(TO, "after", phone.begin), Sent))


def test_what_begin_raises_ends_the_sending(phone: Phone, smsc: Program) -> None:
    def taken() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        phone.channel.send(TO, "x", taken)
    assert smsc.messages() == []


def test_a_receipt_that_was_not_recorded_is_delivered_again(smsc: Program, eventually: Eventually) -> None:
    seen: list[Receipt] = []
    refused = threading.Event()

    def record(receipts: list[Receipt]) -> None:
        if not refused.is_set():
            refused.set()
            raise RuntimeError
        seen.extend(receipts)

    address = Smsc("127.0.0.1", smsc.port, "vssid", "secret12", "VSSID", response_seconds=1.0)
    channel = SmsChannel(address, record)
    channel.start()
    try:
        assert isinstance(channel.send(TO, "x", lambda: None), Sent)
        eventually(refused.is_set)
        eventually(lambda: seen)
    finally:
        channel.stop()


def test_an_undelivered_message_says_why(phone: Phone, smsc: Program, eventually: Eventually) -> None:
    smsc.control(receipt_stat="UNDELIV")
    outcome = phone.channel.send(TO, "x", phone.begin)
    assert isinstance(outcome, Sent)
    receipt = Receipt(outcome.provider_ids[0], TO, False, "receipt_undeliv")
    eventually(lambda: receipt in phone.receipts)


def test_a_silent_line_is_probed_and_kept(phone: Phone, smsc: Program, eventually: Eventually) -> None:
    assert isinstance(phone.channel.send(TO, "x", phone.begin), Sent)
    link = phone.channel._link
    threading.Event().wait(2.0)  # three probing intervals
    assert phone.channel._link is link
    assert isinstance(phone.channel.send(TO, "y", phone.begin), Sent)


def test_a_wrong_password_binds_nothing(smsc: Program) -> None:
    address = Smsc("127.0.0.1", smsc.port, "vssid", "wrong", "VSSID", response_seconds=0.5)
    channel = SmsChannel(address, lambda receipts: None)
    channel.start()
    try:
        assert channel.send(TO, "x", lambda: None) == Declined("smsc_unreachable")
    finally:
        channel.stop()
