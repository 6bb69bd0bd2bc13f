"""Sealed boxes: secrets inside messages that only the receiving service can open.

libsodium's anonymous boxes over X25519. Each service has a private key (``SEAL_PRIVATE``); everybody knows
the public ones (``SEAL_PUBLIC_IDENTITY`` …).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

KEY_SIZE_BYTES = 32


class SealKeyInvalid(Exception):
    """A key for sealing is missing or malformed. The message names the variable, never the key."""


class SealBroken(Exception):
    """A sealed text is not one, was changed, or was sealed to somebody else."""


@dataclass(frozen=True)
class KeyPair:
    """Both keys in base64."""

    public: str
    private: str = field(repr=False)


def generate_keypair() -> KeyPair:
    """A new pair for one service."""
    private = PrivateKey.generate()
    return KeyPair(public=_base64(bytes(private.public_key)), private=_base64(bytes(private)))


class Sealer:
    """Seals to services by name; opens with the own private key."""

    def __init__(self, public: Mapping[str, str], private: str = "") -> None:
        """Keys in base64, empty ones are left out. Raises ``SealKeyInvalid`` for a malformed one."""
        self._boxes = {
            name: SealedBox(public_key(key, f"SEAL_PUBLIC_{name.upper()}"))
            for name, key in public.items()
            if key
        }
        self._own = SealedBox(private_key(private, "SEAL_PRIVATE")) if private else None

    @classmethod
    def from_settings(cls, settings: Any) -> Sealer:
        """From the fields ``seal_public_<service>`` and ``seal_private``."""
        prefix = "seal_public_"
        public = {
            name.removeprefix(prefix): getattr(settings, name)
            for name in dir(settings)
            if name.startswith(prefix)
        }
        return cls(public, getattr(settings, "seal_private", ""))

    def seal(self, service: str, text: str) -> str:
        """``text`` sealed to ``service``, in base64. Raises ``SealKeyInvalid`` without its public key."""
        if service not in self._boxes:
            raise SealKeyInvalid(f"SEAL_PUBLIC_{service.upper()} is missing: needed to seal to {service}")
        return _base64(self._boxes[service].encrypt(text.encode()))

    def open(self, sealed: str) -> str:
        """What was sealed to this service. Raises ``SealBroken``; without a key ``SealKeyInvalid``."""
        if self._own is None:
            raise SealKeyInvalid("SEAL_PRIVATE is missing: needed to open what was sealed to this service")
        try:
            return self._own.decrypt(base64.b64decode(sealed, validate=True)).decode()
        except (CryptoError, ValueError, TypeError):
            raise SealBroken("the sealed text cannot be opened with this service's key") from None


def public_key(key: str, variable: str) -> PublicKey:
    """The key in a base64 text. Raises ``SealKeyInvalid`` naming ``variable``."""
    return _key(PublicKey, key, variable)


def private_key(key: str, variable: str) -> PrivateKey:
    """The key in a base64 text. Raises ``SealKeyInvalid`` naming ``variable``."""
    return _key(PrivateKey, key, variable)


def _key(make: Callable[[bytes], Any], key: str, variable: str) -> Any:
    try:
        raw = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_SIZE_BYTES:
        raise SealKeyInvalid(f"{variable} is malformed: expected {KEY_SIZE_BYTES} bytes in base64")
    return make(raw)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
