"""Whatever comes in whatever order: the timeline only grows, its times are sorted, its statuses are legal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registration import use_cases
from services.registration.domain import Registration
from services.registration.refusals import RegistrationUnknown
from services.registration.tests.examples import NOW, TOKEN_HASH, submitted
from services.registration.tests.unit.fakes import FakeStorage, progress_of
from services.registration.timeline import LINES, NEXT, Entry, Status, line_of
from services.registration.use_cases import Key
from shared.refusals import Refused

ENDED = {Status.REJECTED, Status.EXPIRED, Status.CANCELLED}
UNDECIDED = {Status.AWAITING_VISIT, Status.SUPPLEMENT_REQUESTED}
DECIDED = ENDED | {Status.VERIFIED, Status.COMPLETED}
LEGAL: dict[Status, set[Status]] = {
    Status.SUBMITTED: UNDECIDED | DECIDED,
    Status.AWAITING_VISIT: UNDECIDED | DECIDED,
    Status.SUPPLEMENT_REQUESTED: UNDECIDED | DECIDED,
    Status.VERIFIED: {Status.COMPLETED},
    Status.COMPLETED: set(),
    **{status: set() for status in ENDED},
}
Change = Callable[[Registration], Registration]

moments = st.integers(-3, 40).map(lambda days: NOW + timedelta(days=days))
credentials = st.integers(1, 4).map(lambda number: UUID(int=number))
outcomes = st.sampled_from(("matched", "photos_needed", "unavailable"))


@st.composite
def happenings(draw: st.DrawFn, told_once: bool = True) -> Change:
    """Anything that can happen to an application after its submission, at any time, about any password;
    with ``told_once`` also that of which each is a line, and which the inbox keeps from coming twice."""
    at, credential, outcome = draw(moments), draw(credentials), draw(outcomes)
    reason = draw(st.sampled_from(("cancelled", "deadline_passed")))
    changes: list[Change] = [
        lambda r: r.checked(outcome, at),
        lambda r: r.verified(at),
        lambda r: r.issued(credential, at),
        lambda r: r.password_sent(credential, at),
        lambda r: r.password_delivered(credential, at),
        lambda r: r.password_failed(credential, at),
        lambda r: r.issued(credential, at, is_link=True),
        lambda r: r.link_sent(credential, at),
        lambda r: r.link_failed(credential, at),
        lambda r: r.counter_due(credential, at),
        lambda r: r.handed_over(credential, at),
        lambda r: r.handed_over(credential, at, at + timedelta(days=3)),
        lambda r: r.issued(credential, at, valid_until=at + timedelta(days=3)),
        lambda r: r.issued(credential, at, is_link=True, valid_until=at + timedelta(days=3)),
        lambda r: r.reissued(credential, at, at + timedelta(days=1)),
        lambda r: r.password_used(credential, at),
        lambda r: r.password_used(credential, at, is_link=True),
        lambda r: r.ended(Status.REJECTED, at, "Giấy tờ không khớp"),
        lambda r: r.ended(Status.EXPIRED, at),
        lambda r: r.ended(Status.CANCELLED, at, "superseded"),
        lambda r: r.cancelled_by_citizen(at),
        lambda r: r.close_requested_for(reason, at),
    ]
    if told_once:
        changes += [lambda r: r.supplement_asked("Ảnh mờ", at), lambda r: r.reminded(at) or r]
    return changes[draw(st.integers(0, len(changes) - 1))]


@given(st.lists(happenings(), max_size=25))
def test_the_timeline_only_grows_its_times_are_sorted_and_its_statuses_are_legal(
    changes: list[Change],
) -> None:
    held = submitted()
    for change in changes:
        after = change(held)
        assert read(after.timeline)[: len(held.timeline)] == read(held.timeline)
        assert after.status == held.status or after.status in LEGAL[held.status]
        held = after
    times = [entry.at for entry in held.timeline]
    assert all(earlier <= later for earlier, later in pairwise(times))
    endings = [e.step for e in held.timeline if e.step in {*ENDED, Status.VERIFIED}]
    assert len(endings) <= 1
    progress = progress_of(held, FakeStorage())
    assert progress.next[1]
    assert {entry.step for entry in held.timeline} <= set(LINES)


def read(entries: Sequence[Entry]) -> list[Entry]:
    """As they are shown. Until when a password is good may be heard later than of its message."""
    return [replace(entry, valid_until=None) for entry in entries]


@given(st.lists(happenings(told_once=False), max_size=15))
def test_what_comes_twice_says_nothing_new(changes: list[Change]) -> None:
    held = submitted()
    for change in changes:
        held = change(held)
        assert change(held) == held


FULL: list[tuple[str, Change]] = [
    (name, lambda r, name=name, number=number, at=at: getattr(r, name)(UUID(int=number), NOW + at))  # type: ignore[misc]
    for name, number, at in (
        ("issued", 1, timedelta(minutes=1)),
        ("password_sent", 1, timedelta(minutes=2)),
        ("password_failed", 1, timedelta(minutes=3)),
        ("issued", 2, timedelta(minutes=4)),
        ("password_sent", 2, timedelta(minutes=5)),
        ("password_delivered", 2, timedelta(minutes=6)),
    )
]


@given(st.permutations(FULL))
def test_a_password_that_failed_and_its_replacement_end_the_same_in_any_order(
    order: list[tuple[str, Change]],
) -> None:
    held = submitted().verified(NOW)
    for _, change in order:
        held = change(held)
    assert held.status is Status.COMPLETED
    assert held.timeline[-1].step == "credentials_delivered"
    assert progress_of(held, FakeStorage()).next[0] == "log_in"


Told = tuple[str, int, dict[str, bool | datetime]]
LINK_ENDS, CALL_ENDS = NOW + timedelta(days=3), NOW + timedelta(days=1)
BY_LINK: dict[str, bool | datetime] = {"is_link": True, "valid_until": LINK_ENDS}
WAYS: tuple[tuple[tuple[Told, ...], str, str, datetime | None], ...] = (
    (
        (
            ("issued", 1, {}),
            ("password_sent", 1, {}),
            ("password_failed", 1, {}),
            ("issued", 2, BY_LINK),
            ("link_sent", 2, {}),
            ("password_used", 2, {"is_link": True}),
        ),
        "credentials_used",
        "log_in",
        None,
    ),
    (
        (
            ("issued", 1, {}),
            ("password_failed", 1, {}),
            ("issued", 2, BY_LINK),
            ("link_failed", 2, {}),
            ("counter_due", 2, {}),
        ),
        "credentials_counter_due",
        "collect",
        None,
    ),
    (
        (
            ("issued", 1, {}),
            ("password_failed", 1, {}),
            ("counter_due", 1, {}),
            ("handed_over", 2, {"valid_until": LINK_ENDS}),
            ("password_used", 2, {}),
        ),
        "credentials_used",
        "log_in",
        None,
    ),
    (
        (
            ("issued", 1, {"valid_until": LINK_ENDS}),
            ("password_sent", 1, {}),
        ),
        "credentials_sent",
        "log_in",
        LINK_ENDS,
    ),
    (
        (
            ("issued", 1, {"valid_until": CALL_ENDS}),
            ("password_failed", 1, {}),
            ("issued", 2, BY_LINK),
            ("link_sent", 2, {}),
        ),
        "credentials_link_sent",
        "activate",
        LINK_ENDS,
    ),
    (
        (
            ("issued", 1, {"valid_until": CALL_ENDS}),
            ("password_failed", 1, {}),
            ("handed_over", 2, {"valid_until": LINK_ENDS}),
        ),
        "credentials_handed_over",
        "log_in",
        LINK_ENDS,
    ),
    (
        (
            ("issued", 1, BY_LINK),
            ("reissued", 2, {"valid_until": CALL_ENDS}),
            ("link_sent", 1, {}),
        ),
        "credentials_reissued",
        "log_in",
        CALL_ENDS,
    ),
    (
        (
            ("handed_over", 1, {"valid_until": LINK_ENDS}),
            ("reissued", 2, {"valid_until": CALL_ENDS}),
            ("password_used", 2, {}),
        ),
        "credentials_used",
        "log_in",
        None,
    ),
    (
        (
            ("issued", 1, BY_LINK),
            ("reissued", 2, {"valid_until": CALL_ENDS}),
            ("link_failed", 1, {}),
            ("counter_due", 1, {}),
        ),
        "credentials_counter_due",
        "collect",
        None,
    ),
    (
        (
            ("issued", 1, BY_LINK),
            ("link_failed", 1, {}),
            ("counter_due", 1, {}),
            ("reissued", 2, {"valid_until": CALL_ENDS}),
        ),
        "credentials_reissued",
        "log_in",
        CALL_ENDS,
    ),
)


@pytest.mark.proves("G12")
@given(st.data())
@pytest.mark.parametrize(("steps", "last", "following", "until"), WAYS)
def test_however_a_password_travels_the_timeline_ends_the_same_in_any_order(
    steps: tuple[Told, ...], last: str, following: str, until: datetime | None, data: st.DataObject
) -> None:
    held = submitted().verified(NOW)
    for number in data.draw(st.permutations(range(len(steps)))):
        name, credential, more = steps[number]
        at = NOW + timedelta(minutes=number)
        held = getattr(held, name)(UUID(int=credential), at, **more)
    assert held.timeline[-1].step == last
    progress = progress_of(held, FakeStorage())
    assert (progress.next[0], progress.until) == (following, until)


@pytest.mark.parametrize("known", range(len(FULL) + 1))
def test_of_what_is_lost_the_rest_still_tells_how_the_password_stands(known: int) -> None:
    held = submitted()
    for _, change in FULL[known:]:
        held = change(held)
    expected = "wait" if known == len(FULL) else "log_in"
    assert progress_of(held, FakeStorage()).next[0] == expected


@pytest.mark.parametrize(
    ("change", "step", "words"),
    [
        (lambda r: r, "wait", "taken in"),
        (lambda r: r.checked("matched", NOW), "visit", "Bring"),
        (lambda r: r.checked("matched", NOW).cancelled_by_citizen(NOW), "wait", "closing"),
        (lambda r: r.checked("matched", NOW).supplement_asked("x", NOW), "supplement", "Supply"),
        (lambda r: r.verified(NOW), "wait", "being made"),
        (lambda r: r.password_failed(UUID(int=1), NOW), "wait", "did not reach"),
        (
            lambda r: r.password_failed(UUID(int=1), NOW).issued(UUID(int=2), NOW),
            "wait",
            "no longer valid",
        ),
        (lambda r: r.password_sent(UUID(int=1), NOW), "log_in", "Log in"),
        (lambda r: r.link_sent(UUID(int=1), NOW), "activate", "Open the link"),
        (lambda r: r.link_failed(UUID(int=1), NOW), "collect", "at the counter"),
        (lambda r: r.counter_due(UUID(int=1), NOW), "collect", "at the counter"),
        (lambda r: r.handed_over(UUID(int=1), NOW), "log_in", "on the slip"),
        (lambda r: r.reissued(UUID(int=1), NOW, None), "log_in", "on the phone"),
        (lambda r: r.password_used(UUID(int=1), NOW), "log_in", "your own password"),
        (lambda r: r.ended(Status.EXPIRED, NOW), "start_again", "deadline has passed"),
    ],
)
def test_what_comes_next_is_said_in_the_citizens_language(change: Change, step: str, words: str) -> None:
    in_english = progress_of(change(submitted_in("en")), FakeStorage())
    in_vietnamese = progress_of(change(submitted_in("vi")), FakeStorage())
    assert in_english.next[0] == in_vietnamese.next[0] == step
    assert words in in_english.next[1]
    assert not in_vietnamese.next[1].isascii()
    assert (in_english.until is not None) == (step in ("visit", "supplement"))


def submitted_in(language: str) -> Registration:
    held = submitted()
    return Registration(**{**vars(held), "language": language})


def test_every_status_has_its_next_step_and_every_line_both_languages() -> None:
    assert set(Status) <= set(NEXT)
    assert all(vi and en.isascii() for vi, en in LINES.values())


@given(st.lists(happenings(), max_size=12))
def test_the_tag_changes_with_whatever_is_shown_and_with_nothing_else(changes: list[Change]) -> None:
    held = submitted()
    for change in changes:
        before, held = held, change(held)
        one, other = progress_of(before, FakeStorage()), progress_of(held, FakeStorage())
        shown = [(p.status, read(p.entries), p.next, p.until, p.agency) for p in (one, other)]
        assert (one.tag == other.tag) == (shown[0] == shown[1])


def test_each_timeline_is_read_with_its_own_key_alone() -> None:
    storage, mine, other = FakeStorage(), submitted(), submitted()
    for held in (mine, other):
        storage.add(held)
    keys = [
        Key(mine.id, TOKEN_HASH),
        Key(other.id, b"x" * 32),
        Key(UUID(int=5), TOKEN_HASH),
        Key(None, bytes(32)),
    ]
    answers = use_cases.read_timelines(storage, keys)
    assert not isinstance(answers[0], Refused)
    assert answers[0].id == mine.id
    assert all(isinstance(answer, RegistrationUnknown) for answer in answers[1:])


def test_who_was_verified_before_reads_that_no_visit_is_needed() -> None:
    (line,) = (line_of(entry, "vi") for entry in submitted().verified(NOW, was_known=True).timeline[-1:])
    assert line == "Danh tính đã được xác thực từ lần trước; không cần đến cơ quan BHXH."
    assert line_of(submitted().verified(NOW).timeline[-1], "vi") == "Danh tính đã được xác thực."
