"""The mail server: letters in text and HTML, signed with DKIM, handed over by SMTP, each once."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

import dkim

from services.notification.domain import Declined, Outcome, Sent, Unknown
from services.notification.email_headers import SMTP_EXACT
from shared import logs

log = logs.get(__name__)

LONE_NEWLINE = re.compile(rb"\r\n|\r|\n")
LEADING_DOT = re.compile(rb"(?m)^\.")
SIGNED_HEADERS = [b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type"]


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed over, and how it is signed. An empty ``user`` does not log in, an empty
    ``dkim_private_key`` (PEM, RSA) does not sign."""

    host: str
    port: int
    sender: str
    seconds: float = 10.0
    starttls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)
    dkim_selector: str = ""
    dkim_domain: str = ""
    dkim_private_key: str = field(default="", repr=False)


@dataclass(frozen=True)
class Letter:
    """One e-mail, before it is put into MIME. ``message_id`` without angle brackets."""

    message_id: str
    purpose: str
    language: str
    to: str
    subject: str
    text: str
    html: str
    at: datetime


class EmailChannel:
    """One connection per letter."""

    def __init__(self, server: MailServer) -> None:
        self._server = server

    def send(self, letter: Letter, begin: Callable[[], None]) -> Outcome:
        """Hand ``letter`` over. ``begin`` is called when the server has taken the envelope and waits for the
        content; what it raises ends the sending. Before the final dot every failure is definite, after it
        only the server's answer is."""
        content = compose(letter, self._server)
        try:
            connection = self._open()
        except smtplib.SMTPResponseException as error:
            return Declined(f"smtp_status_{error.smtp_code}")
        except (OSError, smtplib.SMTPException) as error:
            log.warning("the mail server cannot be reached", error=type(error).__name__)
            return Declined("smtp_unreachable")
        try:
            return self._hand_over(connection, letter.to, content, begin)
        finally:
            connection.close()

    def _open(self) -> smtplib.SMTP:
        connection = smtplib.SMTP(self._server.host, self._server.port, timeout=self._server.seconds)
        try:
            if self._server.starttls:
                connection.starttls(context=ssl.create_default_context())
            connection.ehlo_or_helo_if_needed()
            if self._server.user:
                connection.login(self._server.user, self._server.password)
        except BaseException:
            connection.close()
            raise
        return connection

    def _hand_over(
        self, connection: smtplib.SMTP, to: str, content: bytes, begin: Callable[[], None]
    ) -> Outcome:
        try:
            sender = parseaddr(self._server.sender)[1]
            for verb, operand in (("MAIL", f"FROM:<{sender}>"), ("RCPT", f"TO:<{to}>"), ("DATA", "")):
                code, _ = connection.docmd(verb, operand)
                if code not in (250, 251, 354):
                    return _refusal(code)
        except UnicodeError:
            return Declined("address_not_ascii", permanent=True)
        except (OSError, smtplib.SMTPException):
            return Declined("connection_lost")
        begin()
        try:
            connection.send(content)
        except (OSError, smtplib.SMTPException):
            return Declined("connection_lost")  # without the final dot the server throws it away
        try:
            connection.send(b".\r\n")
            code, _ = connection.getreply()
        except (OSError, smtplib.SMTPException):
            return Unknown("connection_lost")
        if code != 250:
            return _refusal(code)
        _say_goodbye(connection)
        return Sent()


def _refusal(code: int) -> Declined:
    return Declined(f"smtp_status_{code}", permanent=code >= 500)


def _say_goodbye(connection: smtplib.SMTP) -> None:
    try:
        connection.quit()
    except (OSError, smtplib.SMTPException) as error:
        log.debug("quit failed", error=type(error).__name__)


def compose(letter: Letter, server: MailServer) -> bytes:
    """The letter as it goes over the wire: CRLF, leading dots doubled, signed when there is a key."""
    mail = EmailMessage(policy=SMTP_EXACT)
    mail["From"] = server.sender
    mail["To"] = letter.to
    mail["Subject"] = letter.subject
    mail["Date"] = format_datetime(letter.at)
    mail["Message-ID"] = f"<{letter.message_id}>"
    mail["Content-Language"] = letter.language
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Vssid-Purpose"] = letter.purpose
    mail.set_content(letter.text, cte="quoted-printable")
    mail.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    content = LONE_NEWLINE.sub(b"\r\n", mail.as_bytes())
    if server.dkim_private_key:
        content = _signature(content, server) + content
    return LEADING_DOT.sub(b"..", content)


def _signature(content: bytes, server: MailServer) -> bytes:
    signed: bytes = dkim.sign(
        content,
        server.dkim_selector.encode(),
        server.dkim_domain.encode(),
        server.dkim_private_key.encode(),
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=SIGNED_HEADERS,
    )
    return signed
