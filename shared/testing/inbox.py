"""What reached the citizens: the messages that the stand-in SMSC and mail server received."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

import httpx

from shared.testing.client import NotInTime

PASSWORD = re.compile(r"(?:[Mm]at khau|[Pp]assword):\s*(\S+)")
OTP = re.compile(r"(?<!\d)(\d{6})(?!\d)")


@dataclass
class Inbox:
    """The two stand-ins, by the addresses of ``endpoints`` (``sms`` and ``mail``)."""

    sms_url: str
    mail_url: str

    def __post_init__(self) -> None:
        self._http = httpx.Client(timeout=15.0)

    def sms(self, phone: str | None = None) -> list[dict[str, Any]]:
        """SMS received, oldest first, for one phone (any writing of it) or all."""
        return self._get(self.sms_url, {"to": international(phone)} if phone else {})

    def emails(self, address: str | None = None, purpose: str | None = None) -> list[dict[str, Any]]:
        """E-mails received, oldest first."""
        found = self._get(self.mail_url, {"to": address} if address else {})
        return [mail for mail in found if purpose in (None, mail["purpose"])]

    def wait_for_otp(
        self, address: str, seconds: float = 60.0, *, purpose: str = "email_otp", count: int = 1
    ) -> str:
        """The newest code sent to confirm an address, or for another ``purpose``, once there are ``count``.
        Raises ``NotInTime``."""
        mails = self._wait(
            lambda: found if len(found := self.emails(address, purpose)) >= count else [],
            seconds,
            f"{purpose} e-mail",
        )
        found = OTP.search(mails[-1]["text"])
        if not found:
            raise NotInTime("an OTP e-mail holds no code")
        return found.group(1)

    def wait_for_password(self, phone: str, seconds: float = 60.0, *, number: int = 1) -> str:
        """The newest password sent to a phone, once there are ``number`` of them. Raises ``NotInTime``."""

        def passwords() -> list[dict[str, Any]]:
            found = [sms for sms in self.sms(phone) if PASSWORD.search(sms["text"])]
            return found if len(found) >= number else []

        return password_in(self._wait(passwords, seconds, "SMS with a password")[-1]["text"])

    def wait_for_sms(self, phone: str, seconds: float = 60.0) -> list[dict[str, Any]]:
        """At least one SMS. Raises ``NotInTime``."""
        return self._wait(lambda: self.sms(phone), seconds, "SMS")

    def wait_for_emails(self, address: str, purpose: str, seconds: float = 60.0) -> list[dict[str, Any]]:
        """At least one e-mail of a purpose. Raises ``NotInTime``."""
        return self._wait(lambda: self.emails(address, purpose), seconds, f"{purpose} e-mail")

    def _get(self, url: str, params: dict[str, str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._http.get(url, params=params).raise_for_status().json()
        return found

    def _wait(self, look: Any, seconds: float, what: str) -> list[dict[str, Any]]:
        end = time.monotonic() + seconds
        while not (found := look()):
            if time.monotonic() > end:
                raise NotInTime(f"no {what} within {seconds:.0f} s")
            time.sleep(0.2)
        return list(found)


def international(phone: str) -> str:
    """``0912345678`` or ``+84912345678`` → ``84912345678``, as the SMSC knows it."""
    digits = phone.lstrip("+")
    return "84" + digits[1:] if digits.startswith("0") else digits


def password_in(text: str) -> str:
    """The password in the text of an SMS."""
    found = PASSWORD.search(text)
    if not found:
        raise NotInTime("an SMS holds no password")
    return found.group(1).rstrip(".,;")
