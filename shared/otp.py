"""One-time codes of six digits: how one is made, and what is kept of it."""

from __future__ import annotations

import hashlib
import hmac
import secrets

DIGITS = 6


def new_otp() -> str:
    """Six random digits."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


def keyed_hash(secret: str, purpose: str, bound_to: tuple[object, ...], otp: str) -> str:
    """What is stored of a code, in hexadecimal: bound to its purpose (16 bytes at the most) and to what it is
    good for, such as a registration and the address it was sent to. Spaces in it do not count.

    Six digits are few: without the service's own ``secret`` the database alone does not give the code away.
    """
    key = hashlib.blake2b(secret.encode(), person=purpose.encode()).digest()
    message = "\n".join((*map(str, bound_to), "".join(otp.split())))
    return hmac.new(key, message.encode(), hashlib.sha256).hexdigest()
