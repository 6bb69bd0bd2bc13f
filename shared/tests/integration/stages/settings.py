"""What the stages need: the settings every service has, and a database."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.settings import CommonSettings


@dataclass(frozen=True, kw_only=True)
class Settings(CommonSettings):
    database_url: str = field(metadata={"help": "PostgreSQL of the stage."})
    redis_url: str = field(default="", metadata={"help": "Not used."})
