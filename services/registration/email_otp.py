"""The code that shows an e-mail is the citizen's: how it is made and how it is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from uuid import UUID

DIGITS = 6


def new_otp() -> str:
    """Six random digits."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


def keyed_hash(secret: str, registration_id: UUID, email: str, otp: str) -> str:
    """What is stored of a code: bound to the registration and the address it was sent to, in hexadecimal.

    Six digits are few: without the service's own ``secret`` the database alone does not give the code away.
    """
    key = hashlib.blake2b(secret.encode(), person=b"vssid-email-otp").digest()
    return hmac.new(key, f"{registration_id}\n{email}\n{otp}".encode(), hashlib.sha256).hexdigest()
