"""Notification with a defect planted: a message found under way after a crash is sent again, blindly."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.notification import use_cases
from services.notification.domain import Message, State
from services.notification.service import NotificationService
from services.notification.settings import Settings

__all__ = ["NotificationService", "Settings"]

_take_up = use_cases.take_up


def _take_up_again(storage: use_cases.Storage, message_id: UUID, **options: Any) -> Message | None:
    message = storage.message(message_id)
    if message is not None and message.state is State.SENDING:
        storage.set_state(message_id, State.WAITING, None, options["now"])
    return _take_up(storage, message_id, **options)


use_cases.take_up = _take_up_again
