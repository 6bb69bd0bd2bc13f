"""Whoever is held back reads for how long."""

from __future__ import annotations

import pytest

from services.identity.email_reset import ResetsTooMany
from services.identity.hotline import HotlineTooMany
from services.identity.log_in_otp import OtpTooMany
from services.identity.refusals import TooManyTries
from services.identity.rights import ExportsTooMany
from services.registration import refusals as of_registrations
from shared.refusals import HeldBack

ALL = (
    TooManyTries,
    ResetsTooMany,
    OtpTooMany,
    HotlineTooMany,
    ExportsTooMany,
    of_registrations.OtpTooMany,
    of_registrations.SubmissionsTooMany,
)


@pytest.mark.parametrize("refusal", ALL)
@pytest.mark.parametrize(
    ("seconds", "vi", "en"),
    [
        (1, "sau 1 giây", "in 1 second"),
        (59, "sau 59 giây", "in 59 seconds"),
        (60, "sau 1 phút", "in 1 minute"),
        (61, "sau 2 phút", "in 2 minutes"),
        (3600, "sau 1 giờ", "in 1 hour"),
        (3601, "sau 2 giờ", "in 2 hours"),
        (86400, "sau 24 giờ", "in 24 hours"),
    ],
)
def test_how_long_to_wait_is_said_in_words_rounded_up(
    refusal: type[HeldBack], seconds: int, vi: str, en: str
) -> None:
    refused = refusal(retry_after_seconds=seconds)
    assert any(f"{vi}{sign}" in refused.vi for sign in ".,;")
    assert any(f"{en}{sign}" in refused.en for sign in ".,;")
    assert str(refused) == refused.en
    assert refused.details == {"retry_after_seconds": seconds}
