"""The mail server as its clients see it, over SMTP and HTTP."""

from __future__ import annotations

import smtplib
import time
from email.message import EmailMessage

import pytest

from deploy.stand_ins.tests.conftest import Program, Start


@pytest.fixture(scope="module")
def running(start: Start) -> Program:
    return start("mail_server")


@pytest.fixture
def mail_server(running: Program) -> Program:
    """The running one, without faults, looking at what is received from now on."""
    running.control(refuse_code=0, refuse_at="data", delay_seconds=0, cut_after_accept=False)
    return running.looking_from_now_on()


def welcome(to: str = "an.nguyen@example.org") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "VssID <no-reply@vssid.example>"
    message["To"] = to
    message["Subject"] = "Hướng dẫn đăng nhập tài khoản giao dịch điện tử cá nhân"
    message["Message-ID"] = "<0192@vssid.example>"
    message["X-Vssid-Purpose"] = "credentials"
    message.set_content("Kính gửi ông bà,\nMời đăng nhập.\n")
    message.add_alternative("<p>Mời đăng nhập.</p>\n", subtype="html")
    return message


def send(server: Program, message: EmailMessage, **options: object) -> None:
    with smtplib.SMTP("127.0.0.1", server.port, timeout=5) as smtp:
        smtp.send_message(message, **options)


def test_a_mail_is_kept_with_all_that_a_person_would_see(mail_server: Program) -> None:
    send(mail_server, welcome())
    (mail,) = mail_server.messages(to="An.Nguyen@example.org")
    assert mail["subject"] == "Hướng dẫn đăng nhập tài khoản giao dịch điện tử cá nhân"
    assert mail["text"] == "Kính gửi ông bà,\nMời đăng nhập.\n"
    assert mail["html"] == "<p>Mời đăng nhập.</p>\n"
    assert (mail["purpose"], mail["message_id"]) == ("credentials", "<0192@vssid.example>")
    assert (mail["to"], mail["from"]) == ("an.nguyen@example.org", "VssID <no-reply@vssid.example>")


def test_the_raw_mail_can_be_read_byte_for_byte(mail_server: Program) -> None:
    send(mail_server, welcome())
    (mail,) = mail_server.messages()
    answer = mail_server.http.get("/raw", params={"id": mail["id"]})
    assert answer.headers["content-type"] == "message/rfc822"
    assert b"Message-ID: <0192@vssid.example>\r\n" in answer.content
    assert mail_server.http.get("/raw", params={"id": "../x"}).status_code == 404


def test_each_recipient_counts_as_one(mail_server: Program) -> None:
    send(mail_server, welcome(), to_addrs=["a@example.org", "b@example.org"])
    assert [mail["to"] for mail in mail_server.messages()] == ["a@example.org", "b@example.org"]
    assert [mail["to"] for mail in mail_server.messages(since=mail_server.seen + 1)] == ["b@example.org"]


def test_what_was_accepted_is_there_after_a_restart(mail_server: Program) -> None:
    send(mail_server, welcome())
    kept = mail_server.messages()
    mail_server.restart()
    assert mail_server.messages() == kept
    assert mail_server.http.get("/raw", params={"id": kept[0]["id"]}).status_code == 200


@pytest.mark.parametrize("code", [451, 554])
def test_a_refused_mail_is_not_kept(mail_server: Program, code: int) -> None:
    mail_server.control(refuse_code=code)
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        send(mail_server, welcome())
    assert refusal.value.smtp_code == code
    mail_server.control(refuse_at="rcpt")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(mail_server, welcome())
    assert mail_server.messages() == []


def test_a_late_answer_comes_after_the_mail_was_kept(mail_server: Program) -> None:
    mail_server.control(delay_seconds=0.5)
    started = time.monotonic()
    with smtplib.SMTP("127.0.0.1", mail_server.port, timeout=0.3) as smtp:
        with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
            smtp.send_message(welcome())
        smtp.close()
    assert time.monotonic() - started < 0.5
    assert len(mail_server.messages()) == 1


def test_the_connection_may_be_cut_between_accepting_and_answering(mail_server: Program) -> None:
    mail_server.control(cut_after_accept=True)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(mail_server, welcome())
    assert len(mail_server.messages()) == 1


def test_broken_mail_is_kept_all_the_same(mail_server: Program) -> None:
    broken = b"Subject: =?nope?x?=\r\nContent-Type: text/plain; charset=unheard-of\r\n\r\n\xff\xfe"
    with smtplib.SMTP("127.0.0.1", mail_server.port) as smtp:
        smtp.sendmail("a@example.org", ["b@example.org"], broken)
    (mail,) = mail_server.messages()
    assert (mail["text"], mail["purpose"]) == (None, None)


def test_a_refusal_code_that_accepts_is_no_refusal(mail_server: Program) -> None:
    assert mail_server.http.put("/control", json={"refuse_code": 250}).status_code == 400


def test_it_stops_politely(start: Start) -> None:
    assert start("mail_server").stop() == 0
