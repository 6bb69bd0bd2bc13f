"""Registration with a defect planted, the one that ``PLANTED`` in the environment names."""

from __future__ import annotations

import os
import tempfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.registration import photos, register_check, service
from services.registration.domain import Registration
from services.registration.service import RegistrationService
from services.registration.settings import Settings

__all__ = ["RegistrationService", "Settings"]

try_otp = Registration.try_otp
answer_of = register_check.answer_of


def _any_code_fits() -> None:
    service.keyed_hash = lambda *_: "fits"


def _tries_without_end() -> None:
    def forgetful(self: Registration, *args: Any) -> Any:
        after, refusal = try_otp(self, *args)
        return (replace(after, email_otp=self.email_otp) if refusal else after), refusal

    Registration.try_otp = forgetful  # type: ignore[method-assign]


def _valid_for_ever() -> None:
    def late(self: Registration, fits: bool, now: Any) -> Any:
        return try_otp(self, fits, self.email_otp.valid_until.replace(year=2000) if self.email_otp else now)

    Registration.try_otp = late  # type: ignore[method-assign]


def _used_again_and_again() -> None:
    def keeping(self: Registration, *args: Any) -> Any:
        after, refusal = try_otp(self, *args)
        return replace(after, email_otp=self.email_otp), refusal

    Registration.try_otp = keeping  # type: ignore[method-assign]


def _nobody_counts() -> None:
    register_check.may_ask = lambda *_: True


def _nobody_counts_what_is_taken() -> None:
    service.told_rarely = lambda *_: nullcontext()  # type: ignore[assignment]


def _told_as_soon_as_known() -> None:
    register_check.wait_until = lambda _: None


def _a_silence_is_a_match() -> None:
    def optimistic(*args: Any) -> str:
        answer = answer_of(*args)
        return "matched" if answer == "unavailable" else answer

    register_check.answer_of = optimistic


def _pixels_without_end() -> None:
    text = photos.INSPECTOR.read_text()
    for limit in ("MOST_PIXELS = ", "MEMORY_BYTES = "):
        assert limit in text
        text = text.replace(limit, f"{limit}1_000 * ")
    photos.INSPECTOR = Path(tempfile.mkdtemp()) / "photo_inspector.py"
    photos.INSPECTOR.write_text(text)


def _kept_as_it_came() -> None:
    looked_at = photos.run_inspector

    def not_made_anew(upload: bytes, *args: Any) -> tuple[dict[str, str], bytes]:
        return looked_at(upload, *args)[0], upload

    photos.run_inspector = not_made_anew


{
    "": lambda: None,
    "any code fits": _any_code_fits,
    "tries without end": _tries_without_end,
    "valid for ever": _valid_for_ever,
    "used again and again": _used_again_and_again,
    "nobody counts": _nobody_counts,
    "nobody counts what is taken": _nobody_counts_what_is_taken,
    "told as soon as known": _told_as_soon_as_known,
    "a silence is a match": _a_silence_is_a_match,
    "pixels without end": _pixels_without_end,
    "kept as it came": _kept_as_it_came,
}[os.environ["PLANTED"]]()
