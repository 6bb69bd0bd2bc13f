"""Notification with a defect planted: what was sent counts as arrived, whether a receipt comes or not."""

from __future__ import annotations

from typing import Any

from services.notification import use_cases
from services.notification.service import NotificationService
from services.notification.settings import Settings

__all__ = ["NotificationService", "Settings"]


def _believe(*_given: Any) -> bool:
    return False


use_cases.report_unreceipted = _believe
