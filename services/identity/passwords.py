"""Passwords: made, hashed and compared away from the hub, with the same work for right and unknown users.

argon2id with m = 19,456 KiB, t = 2, p = 1 (OWASP's minimum). One hash takes tens of milliseconds of a
core, so whoever builds ``Passwords`` says how to run it without stopping the green threads.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from services.identity.credentials import Credential, CredentialState
from services.identity.password_rules import normalised

HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
NOBODYS_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$lsgU697xDEqZfb0J9msy+w$1XBnGAFl4Qav9Qsa9geQ2MrHksv8tTYWTqJ7Y8fjaS0"
)
"""The hash of 32 random bytes that nobody kept: an unknown user costs as much as a wrong password."""

ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
"""32 signs, none that a person takes for another (no l, o, 0, 1): 5 bits each."""
FIRST_PASSWORD_LENGTH = 11
"""55 bits, and short enough to be typed from an SMS."""

HASHES_PER_FAILURE = 2
"""An account has at most two live credentials; every failed log-in costs as much as trying two."""

COMMON = ("common_passwords.txt", "leaked_passwords.txt")

RunOffHub = Callable[..., Any]
"""``run(function, *arguments)`` waits for the result without stopping other green threads."""


def generated() -> str:
    """A first password."""
    return "".join(secrets.choice(ALPHABET) for _ in range(FIRST_PASSWORD_LENGTH))


@lru_cache(maxsize=1)
def common_passwords() -> frozenset[str]:
    """Passwords that are tried first by everybody, in lower case."""
    folder = resources.files("services.identity").joinpath("data")
    texts = [folder.joinpath(name).read_text("utf-8") for name in COMMON]
    return frozenset(line for text in texts for line in text.splitlines() if line and line[:2] != "# ")


def meant(credential: Credential, typed: str) -> str:
    """What was typed, for a try of this credential: a first password, which has no spaces, is taken however
    it was copied or typed in groups; one's own counts as it was chosen."""
    return "".join(typed.split()) if credential.state is CredentialState.ISSUED else typed


def is_outdated(password_hash: str) -> bool:
    """Whether it was made with less work than a hash of today."""
    made, today = extract_parameters(password_hash), extract_parameters(NOBODYS_HASH)
    return made.memory_cost < today.memory_cost or made.time_cost < today.time_cost


class Passwords:
    """Hashes and compares. Passwords of any length are safe: argon2 has no cut-off, callers bound them."""

    def __init__(self, run_off_hub: RunOffHub) -> None:
        self._run = run_off_hub

    def hashed(self, password: str) -> str:
        """The argon2id hash, with its own salt and parameters in it."""
        result: str = self._run(HASHER.hash, normalised(password))
        return result

    def is_right(self, password_hash: str | None, password: str) -> bool:
        """Whether the password fits the hash; without a hash the same work, and no."""
        result: bool = self._run(_fits, password_hash or NOBODYS_HASH, normalised(password))
        return result

    def renewed(self, password_hash: str, password: str) -> str | None:
        """The hash of a password that was just right, anew, when it was made with less work than today's."""
        return self.hashed(password) if is_outdated(password_hash) else None

    def find(self, credentials: Sequence[Credential], password: str) -> Credential | None:
        """The credential that the password opens. A failure costs the same however many there are, also
        when there are none."""
        for credential in credentials:
            if self.is_right(credential.password_hash, meant(credential, password)):
                return credential
        for _ in range(HASHES_PER_FAILURE - len(credentials)):
            self.is_right(None, password)
        return None


def _fits(password_hash: str, password: str) -> bool:
    try:
        return HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
