"""How long photos are kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registration.domain import Photo, Registration, Status
from services.registration.retention import Reason, Terms, photos_of
from services.registration.tests.examples import NOW, complete, photo, submitted

DAY = timedelta(days=1)
TERMS = Terms(verified_days=365)
moments = st.integers(0, 20_000 * 86_400).map(lambda seconds: NOW + timedelta(seconds=seconds))
terms = st.builds(
    Terms,
    verified_days=st.integers(1, 4000),
    closed_days=st.integers(0, 4000),
    replaced_days=st.integers(0, 4000),
)


@given(terms, st.sampled_from(Reason), moments, moments)
def test_what_is_found_due_is_what_was_to_be_kept_until_then(
    terms: Terms, reason: Reason, since: datetime, now: datetime
) -> None:
    until = terms.kept_until(reason, since)
    due = terms.due(now)
    assert (reason in due and since <= due[reason]) == (until is not None and until <= now)
    assert until is None or until >= since


@given(terms, moments, moments)
def test_what_is_due_stays_due(terms: Terms, one: datetime, other: datetime) -> None:
    earlier, later = sorted((one, other))
    assert all(terms.due(later)[reason] >= moment for reason, moment in terms.due(earlier).items())


def test_open_applications_and_drafts_keep_their_photos() -> None:
    far = NOW + 10_000 * DAY
    assert not {Reason.DRAFT, Reason.OPEN} & TERMS.due(far).keys()


def reasons(registration: Registration) -> dict[str, tuple[Reason, datetime]]:
    return {kept.ref: (kept.reason, kept.since) for kept in photos_of(registration)}


@pytest.mark.parametrize("status", [Status.REJECTED, Status.EXPIRED, Status.CANCELLED])
def test_photos_of_a_closed_application_are_kept_thirty_days_from_its_end(status: Status) -> None:
    ended = NOW + 3 * DAY
    held = submitted().ended(status, ended)
    assert set(reasons(held).values()) == {(Reason.CLOSED, ended)}
    assert TERMS.kept_until(Reason.CLOSED, ended) == ended + 30 * DAY


def test_photos_of_a_verified_person_are_kept_from_the_verification_on() -> None:
    verified = NOW + 3 * DAY
    held = submitted().verified(verified)
    later = held.issued(held.id, verified + DAY)
    assert set(reasons(held).values()) == set(reasons(later).values()) == {(Reason.VERIFIED, verified)}


def test_drafts_and_open_applications_are_told_apart() -> None:
    assert {reason for reason, _ in reasons(complete()).values()} == {Reason.DRAFT}
    assert {reason for reason, _ in reasons(submitted()).values()} == {Reason.OPEN}


def test_a_photo_that_a_supplement_replaced_has_its_own_time() -> None:
    asked = submitted().supplement_asked("Ảnh mờ", NOW + DAY, ("portrait",))
    new = Photo("portrait", "photos/" + "b" * 32, "cd" * 32, 99)
    done = asked.with_photo(new).supplemented("", NOW + 2 * DAY)
    (old,) = (kept.ref for kept in done.supplement.replaced)  # type: ignore[union-attr]
    verified = done.verified(NOW + 9 * DAY)
    assert reasons(done)[old] == reasons(verified)[old] == (Reason.REPLACED, NOW + 2 * DAY)
    assert reasons(done)[new.ref][0] is Reason.OPEN
    assert reasons(verified)[new.ref] == (Reason.VERIFIED, NOW + 9 * DAY)


def test_a_photo_is_kept_for_one_reason() -> None:
    held = replace(complete(), photos=(photo("portrait"),) * 2)
    assert len(list(photos_of(held))) == 1
