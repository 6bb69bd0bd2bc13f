"""Notification with the leak of ``planted_canaries``."""

from __future__ import annotations

from services.notification.service import NotificationService
from services.notification.settings import Settings
from tests.faults import planted_canaries

__all__ = ["NotificationService", "Settings"]

planted_canaries.plant()
