"""What a service class declares to get its database and settings."""

from __future__ import annotations

from typing import Any

from nameko.extensions import DependencyProvider

from shared.database import Database as Pool
from shared.messaging.runtime import Runtime


class Database(DependencyProvider):  # type: ignore[misc]
    """``db = Database()``; then ``with self.db.transaction() as tx``."""

    runtime = Runtime()

    def get_dependency(self, _worker_ctx: Any) -> Pool:
        return self.runtime.database


class _Settings:
    def __init__(self, settings: Any) -> None:
        self.settings = settings


class Config(DependencyProvider):  # type: ignore[misc]
    """``config = Config()``; then ``self.config.settings``, an instance of the service's ``Settings``."""

    runtime = Runtime()

    def get_dependency(self, _worker_ctx: Any) -> _Settings:
        return _Settings(self.runtime.settings)
