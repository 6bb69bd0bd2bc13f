"""Notification with the leak of ``planted_canaries``."""

from __future__ import annotations

from services.notification.service import NotificationService
from services.notification.settings import Settings
from tests.faults.planted_canaries import IN_BOTH, plant

__all__ = ["NotificationService", "Settings"]

plant(IN_BOTH)
