"""What history is composed of besides its tables: made once a process from the settings."""

from __future__ import annotations

from dataclasses import dataclass

from services.history.settings import Settings
from services.history.tokens import Tokens
from shared.database import Database
from shared.sealed import SealBroken, Sealer


@dataclass(frozen=True)
class Parts:
    """``tokens`` opens and verifies the tokens that come with look-ups."""

    tokens: Tokens


def parts_of(settings: Settings, _database: Database) -> Parts:
    """The parts of a process. Raises ``SealKeyInvalid`` or ``ValueError`` for keys that are none."""
    sealer = Sealer.from_settings(settings)

    def opened(sealed: str) -> str:
        try:
            return sealer.open(sealed)
        except SealBroken:
            return ""

    return Parts(Tokens(settings.token_public_keys, opened))
