"""What a deployment decides for history."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.settings import FromEnvironment, ServiceSettings


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    """Where the records are, and whose tokens open them."""

    token_public_keys: str = field(
        metadata={"help": "Keys that verify citizens' tokens (JWKS, JSON).", "secret": False}
    )


@dataclass(frozen=True, kw_only=True)
class ImportSettings(FromEnvironment):
    """What the import of a file needs."""

    database_url: str = field(metadata={"help": "The PostgreSQL database of history."})
