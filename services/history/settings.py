"""What a deployment decides for history."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.settings import CommonSettings, FromEnvironment


@dataclass(frozen=True, kw_only=True)
class Settings(CommonSettings):
    """Where the records are, and whose tokens open them."""

    database_url: str = field(metadata={"help": "The PostgreSQL database of history."})
    database_pool_size: int = field(default=10, metadata={"help": "Connections at most.", "least": 2})
    token_public_keys: str = field(
        metadata={"help": "Keys that verify citizens' tokens (JWKS, JSON).", "secret": False}
    )


@dataclass(frozen=True, kw_only=True)
class ImportSettings(FromEnvironment):
    """What the import of a file needs."""

    database_url: str = field(metadata={"help": "The PostgreSQL database of history."})
