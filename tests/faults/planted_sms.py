"""Notification without one of its quotas for SMS, the one that ``PLANTED`` names."""

from __future__ import annotations

import os

from services.notification.domain import Message, SmsQuotas
from services.notification.service import NotificationService
from services.notification.settings import Settings

__all__ = ["NotificationService", "Settings"]

of = SmsQuotas.of


def fewer(quotas: SmsQuotas, message: Message) -> dict[str, tuple[str, int]]:
    return {name: most for name, most in of(quotas, message).items() if name != os.environ.get("PLANTED")}


SmsQuotas.of = fewer  # type: ignore[method-assign]
