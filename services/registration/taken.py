"""How often one may hear that a phone or a code is taken: rarely, as it tells about other people (F24)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

from services.registration.refusals import CodeTaken, PhoneTaken, SubmissionsTooMany
from services.registration.settings import Settings
from shared.cache import CacheUnavailable, Limiter


@contextmanager
def told_rarely(
    limiter: Limiter, settings: Settings, registration_id: UUID | None, address: str
) -> Iterator[None]:
    """Around one submission. A draft, or a network address, that has heard it too often is refused whatever
    it submits, so that the refusal tells nothing. While Redis is away nobody counts and submissions go on: no
    e-mail address is proven then, without which there is none.

    Raises ``SubmissionsTooMany``.
    """
    counted = (
        ("taken_draft", str(registration_id), settings.taken_draft_limit),
        ("taken_address", address, settings.taken_address_limit),
    )
    wait = 0
    with suppress(CacheUnavailable):
        wait = max(limiter.waits(*counted))
    if wait:
        raise SubmissionsTooMany(retry_after_seconds=wait)
    try:
        yield
    except (PhoneTaken, CodeTaken):
        with suppress(CacheUnavailable):
            for what in counted:
                limiter.hit(*what)
        raise
