"""What the stages need: the settings every service has."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.settings import ServiceSettings


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    redis_url: str = field(default="", metadata={"help": "Not used."})
