"""What callers see."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from services.registration import views
from services.registration.domain import Registration
from services.registration.tests.examples import NOW, complete, submitted
from services.registration.tests.unit.fakes import AGENCIES, FakeStorage, progress_of
from services.registration.timeline import Progress

VIEW_FIELDS = {
    "id", "status", "steps", "missing", "register_check", "photos_needed", "declaration", "agency", "email",
    "email_verified", "warnings", "declaration_number", "supplement", "deadline", "register_text", "guardian",
}  # fmt: skip


def progress(held: Registration) -> Progress:
    return progress_of(held, FakeStorage())


@pytest.mark.proves("G9")
def test_the_view_shows_everything_that_was_entered() -> None:
    shown = json.loads(json.dumps(views.registration_view(complete(), AGENCIES[0])))
    assert set(shown) == VIEW_FIELDS
    assert shown["declaration"]["address"]["street"] == "Số 1, phố Giả Định"
    assert shown["agency"]["display_name"] == "(S001) BHXH TP. Hà Nội – BHXH cơ sở Đống Đa"


@pytest.mark.proves("G7")
def test_the_view_is_the_same_for_a_mismatch_and_an_outage() -> None:
    mismatch, outage = [
        views.registration_view(complete(outcome, id=UUID(int=1)), None)
        for outcome in ("photos_needed", "unavailable")
    ]
    assert mismatch == outage
    assert mismatch["register_check"] == "photos_needed"


def test_secrets_are_in_no_answer_and_no_repr() -> None:
    held = complete()
    text = json.dumps([views.registration_view(held, None), views.timeline(progress(held))]) + repr(held)
    for secret in (held.token_hash.hex(), repr(held.token_hash), "token"):
        assert secret not in text
    for private in ("lan@example.org", "0912345678", "Thử Lan"):
        assert private not in repr(held)


def test_the_timelines_version_grows_with_each_line() -> None:
    before, after = (
        views.timeline(progress(held)) for held in (submitted(), submitted().checked("matched", NOW))
    )
    assert after["version"] == before["version"] + 1
    assert after["next"]["step"] == "visit"


def test_the_answer_to_a_submission_does_not_change_with_the_case() -> None:
    application = submitted()
    assert views.submitted(application) == views.submitted(application.checked("matched", NOW).verified(NOW))
