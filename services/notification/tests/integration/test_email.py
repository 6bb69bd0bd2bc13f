"""Handing letters to a real SMTP server: what arrives, what is refused, what nobody knows."""

from __future__ import annotations

import base64
import email
import email.policy
from datetime import UTC, datetime

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from deploy.stand_ins.tests.conftest import Program
from services.notification.domain import Declined, Sent, Unknown
from services.notification.email import EmailChannel, Letter, MailServer

TO = "thu.nghiem@example.org"


class Begun:
    """Counts how often an attempt was begun."""

    times = 0

    def __call__(self) -> None:
        self.times += 1


def letter(text: str = "Kính gửi Ông/Bà,\n\nMã: 123456\n") -> Letter:
    return Letter(
        message_id="0192f000-0000-7000-8000-000000000009@vssid.example",
        purpose="email_otp",
        language="vi",
        to=TO,
        subject="VssID: một phiên đăng nhập đã bị kết thúc",
        text=text,
        html="<p>Kính gửi <b>Ông/Bà</b></p>",
        at=datetime(2026, 1, 15, 3, 0, tzinfo=UTC),
    )


def test_a_letter_arrives_in_text_and_html_with_its_id_and_purpose(post: EmailChannel, mail: Program) -> None:
    begun = Begun()
    assert post.send(letter(), begun) == Sent()
    (kept,) = mail.messages(to=TO)
    assert kept["message_id"] == "<0192f000-0000-7000-8000-000000000009@vssid.example>"
    assert kept["purpose"] == "email_otp"
    assert kept["subject"] == "VssID: một phiên đăng nhập đã bị kết thúc"
    assert "Mã: 123456" in kept["text"]
    assert "<b>Ông/Bà</b>" in kept["html"]
    assert kept["mail_from"] == "no-reply@vssid.example"
    assert begun.times == 1


def test_lines_with_a_leading_dot_arrive_as_they_are(post: EmailChannel, mail: Program) -> None:
    post.send(letter("một\n.\n..hai\ncuối\n"), Begun())
    assert mail.messages()[0]["text"].replace("\r\n", "\n") == "một\n.\n..hai\ncuối\n"


@pytest.mark.parametrize(
    ("code", "at", "permanent", "begun_times"),
    [(451, "rcpt", False, 0), (550, "rcpt", True, 0), (451, "data", False, 1), (554, "data", True, 1)],
)
def test_a_refusal_is_definite(
    post: EmailChannel, mail: Program, code: int, at: str, permanent: bool, begun_times: int
) -> None:
    mail.control(refuse_code=code, refuse_at=at)
    begun = Begun()
    assert post.send(letter(), begun) == Declined(f"smtp_status_{code}", permanent=permanent)
    assert begun.times == begun_times
    assert mail.messages() == []


def test_a_connection_lost_after_the_final_dot_is_unknown(post: EmailChannel, mail: Program) -> None:
    mail.control(cut_after_accept=True)
    assert post.send(letter(), Begun()) == Unknown("connection_lost")
    assert len(mail.messages()) == 1  # it did arrive: sending it again would double it


def test_no_answer_after_the_final_dot_is_unknown(post: EmailChannel, mail: Program) -> None:
    mail.control(withhold_replies=True)
    assert isinstance(post.send(letter(), Begun()), Unknown)


def test_a_mail_server_that_is_away_is_a_definite_refusal() -> None:
    begun = Begun()
    away = EmailChannel(MailServer("127.0.0.1", 1, "no-reply@vssid.example", seconds=0.5))
    assert away.send(letter(), begun) == Declined("smtp_unreachable")
    assert begun.times == 0


def test_what_begin_raises_ends_the_sending(post: EmailChannel, mail: Program) -> None:
    def taken() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        post.send(letter(), taken)
    assert mail.messages() == []


def test_a_letter_is_signed_so_that_the_receiver_can_verify_it(mail: Program) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    signing = MailServer(
        "127.0.0.1",
        mail.port,
        "no-reply@vssid.example",
        dkim_selector="s1",
        dkim_domain="vssid.example",
        dkim_private_key=pem.decode(),
    )
    assert EmailChannel(signing).send(letter("một\n.hai\n"), Begun()) == Sent()
    raw = mail.http.get("/raw", params={"id": mail.messages()[0]["id"]}).content
    assert dkim.verify(raw, dnsfunc=lambda *_, **__: record)
    assert not dkim.verify(raw.replace(b"hai", b"ba"), dnsfunc=lambda *_, **__: record)
    assert email.message_from_bytes(raw, policy=email.policy.default)["Auto-Submitted"] == "auto-generated"
