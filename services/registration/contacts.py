"""Phones and e-mail addresses, as the libraries know them that the domain does not import."""

from __future__ import annotations

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from services.registration.refusals import EmailInvalid


def phone_range_known(phone: str) -> bool:
    """Whether the library's list of ranges knows an E.164 number. It lags behind new ranges: only a hint."""
    return phonenumbers.is_valid_number(phonenumbers.parse(phone))


def email_address(text: object) -> str:
    """The address in its normal form, all ASCII: few mail servers take another name (RFC 6531), and a domain
    has an ASCII form. Whether mail arrives is what the code will show.

    Raises ``EmailInvalid``.
    """
    if not isinstance(text, str):
        raise EmailInvalid()
    try:
        valid = validate_email(text.strip(), check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        raise EmailInvalid() from None
    return str(valid.ascii_email)
