"""Headers whose text every receiver decodes exactly as it was written.

The standard library's folding puts the space between two encoded words outside them, where readers take it
away (RFC 2047 §6.2): a long Vietnamese subject loses spaces between its words.
"""

from __future__ import annotations

import base64
import re
from email.headerregistry import HeaderRegistry, UniqueAddressHeader, UniqueUnstructuredHeader
from email.policy import SMTP, Policy
from typing import Any

PLAIN = re.compile(r"[!-~]+( [!-~]+)*")
PLAIN_LENGTH = 60
WORD_BYTES = 39
"""Encoded, with its frame, 64 characters: it fits into 75, and beside ``Subject: `` into a line of 76."""


def encoded_words(text: str) -> list[str]:
    """The whole text, its spaces too, in words that hold whole characters only."""
    words, held = [], b""
    for character in text:
        added = character.encode()
        if len(held) + len(added) > WORD_BYTES:
            words.append(held)
            held = b""
        held += added
    return [f"=?utf-8?b?{base64.b64encode(word).decode()}?=" for word in (*words, held)]


class Subject(UniqueUnstructuredHeader):
    """A text that is taken as it stands."""

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        """What looks like an encoded word was written so."""
        super().parse(value, kwds)
        kwds["decoded"] = value

    def fold(self, *, policy: Policy) -> str:
        """One line where it is short and English; else encoded, a word a line."""
        text = str(self)
        is_plain = PLAIN.fullmatch(text) and len(text) <= PLAIN_LENGTH and "=?" not in text
        lines = [text] if is_plain else encoded_words(text)
        return f"{self.name}: " + f"{policy.linesep} ".join(lines) + policy.linesep


class Mailbox(UniqueAddressHeader):
    """An address, perhaps with a name before it."""

    def fold(self, *, policy: Policy) -> str:
        """A name that is not English is encoded, a word a line."""
        if len(self.addresses) != 1 or self.addresses[0].display_name.isascii():
            return super().fold(policy=policy)
        (one,) = self.addresses
        lines = [*encoded_words(one.display_name), f"<{one.addr_spec}>"]
        return f"{self.name}: " + f"{policy.linesep} ".join(lines) + policy.linesep


_registry = HeaderRegistry()
_registry.map_to_type("subject", Subject)
_registry.map_to_type("from", Mailbox)
_registry.map_to_type("to", Mailbox)

SMTP_EXACT = SMTP.clone(header_factory=_registry)
