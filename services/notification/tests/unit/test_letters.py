"""What a receiver reads in a letter's headers, from the bytes that go over SMTP."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notification.domain import Channel, Message
from services.notification.email import Letter, MailServer, compose
from services.notification.tests.unit.test_texts import WORDS, every_message
from services.notification.texts import TEMPLATES

VIETNAMESE = "aăâbcdđeêghiklmnoôơpqrstuưvxyàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵĐÂƯ"
ADDRESS = "no-reply@vssid.example"
ENCODED_WORD = re.compile(rb"=\?[^?]+\?[bBqQ]\?[^?]*\?=")
E_MAILS = [message for message in every_message() if message.channel is Channel.EMAIL]

texts = st.text(alphabet=VIETNAMESE + "     .:,", min_size=1, max_size=200)


def sent(subject: str, sender: str = ADDRESS) -> bytes:
    letter = Letter(
        message_id="0192f000-0000-7000-8000-000000000009@vssid.example",
        purpose="email_otp",
        language="vi",
        to="thu.nghiem@example.org",
        subject=subject,
        text="Kính gửi Ông/Bà\n",
        html="<p>Kính gửi Ông/Bà</p>",
        at=datetime(2026, 1, 15, 3, 0, tzinfo=UTC),
    )
    return compose(letter, MailServer("127.0.0.1", 25, sender))


def received(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def read_subjects(raw: bytes) -> list[str]:
    """As two readers of the standard library decode it, the strict one and the older one."""
    return [str(received(raw)["Subject"]), str(make_header(decode_header(unfolded(raw, "Subject"))))]


def unfolded(raw: bytes, name: str) -> str:
    value = email.message_from_bytes(raw, policy=email.policy.compat32)[name]
    return re.sub(r"\r?\n(?=[ \t])", "", value)


def header_lines(raw: bytes) -> list[bytes]:
    return raw.split(b"\r\n\r\n")[0].split(b"\r\n")


def assert_encoded_as_the_rfc_wants(raw: bytes) -> None:
    """RFC 2047 section 2: a word has 75 characters at the most, a line with one 76."""
    for line in header_lines(raw):
        words = ENCODED_WORD.findall(line)
        assert all(len(word) <= 75 for word in words)
        assert not words or len(line) <= 76
        for word in words:
            assert make_header(decode_header(word.decode()))  # no character is cut in two
        assert line.isascii()


def subject_of(message: Message) -> str:
    return WORDS.email(message, "123456").subject


@pytest.mark.parametrize("message", E_MAILS, ids=lambda m: f"{m.purpose}-{m.language}")
def test_the_subject_of_every_e_mail_is_read_as_it_was_written(message: Message) -> None:
    raw = sent(subject_of(message))
    assert read_subjects(raw) == [subject_of(message)] * 2
    assert_encoded_as_the_rfc_wants(raw)


@pytest.mark.parametrize("path", sorted((TEMPLATES / "email").glob("*.txt")), ids=lambda path: path.name)
def test_the_subject_of_every_template_is_read_as_it_was_written(path) -> None:
    """Those too that no example above has filled in."""
    subject = path.read_text(encoding="utf-8").splitlines()[0]
    assert read_subjects(sent(subject)) == [subject] * 2


@settings(max_examples=300)
@given(texts)
def test_any_vietnamese_subject_is_read_as_it_was_written(subject: str) -> None:
    raw = sent(subject)
    assert read_subjects(raw) == [subject] * 2
    assert_encoded_as_the_rfc_wants(raw)


@pytest.mark.parametrize("subject", ["Re: =?utf-8?q?a?=", "a" * 200, "many words " * 20 + "end", " a  b "])
def test_an_english_subject_is_read_as_it_was_written(subject: str) -> None:
    assert read_subjects(sent(subject)) == [subject] * 2


@settings(max_examples=300)
@given(texts.map(str.split).map(" ".join).filter(bool))
def test_the_name_of_the_sender_is_read_as_it_was_written(name: str) -> None:
    """By the older reader: the strict one of Python 3.11 keeps the space between two words of a name."""
    raw = sent("VssID", f'"{name}" <{ADDRESS}>')
    read, address = parseaddr(unfolded(raw, "From"))
    assert (str(make_header(decode_header(read))), address) == (name, ADDRESS)
    assert_encoded_as_the_rfc_wants(raw)


def test_the_name_of_the_agency_is_one_word_to_every_reader() -> None:
    (sender,) = received(sent("VssID", f"Bảo hiểm xã hội Việt Nam <{ADDRESS}>"))["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Bảo hiểm xã hội Việt Nam", ADDRESS)


def test_an_english_subject_needs_no_decoding() -> None:
    assert b"\r\nSubject: VssID: your password was changed\r\n" in sent("VssID: your password was changed")


@pytest.mark.parametrize("break_", ["\n", "\r", "\r\nBcc: stranger@example.org\r\n"])
def test_no_header_comes_of_a_subject(break_: str) -> None:
    with pytest.raises(ValueError, match="linefeed"):
        sent(f"VssID: tài khoản{break_}x")
