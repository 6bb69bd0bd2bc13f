"""Look-ups: only the own records, page by page, many at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.history import use_cases
from services.history.domain import (
    PAGE_ROWS,
    ChildUnknown,
    Claims,
    CursorInvalid,
    PasswordChangeRequired,
    TokenInvalid,
    asked,
)
from services.history.tests.unit.examples import ACCOUNT, AS_OF, CODE, NOW, claims, lines, many, offered, row
from services.history.tests.unit.fakes import FakeHistory
from shared.refusals import Refused

TOKENS = {
    "mine": claims(),
    "hers": claims(code="9999999999", account_id=uuid4()),
    "nobodys": claims(code="1111111111", account_id=uuid4()),
    "first password": claims(scope="password_change"),
    "officer": claims(scope="staff"),
}


def read(sealed: str) -> Claims:
    if sealed not in TOKENS:
        raise TokenInvalid
    return TOKENS[sealed]


def ask(
    storage: FakeHistory, *requests: dict[str, Any], now: datetime = NOW
) -> list[dict[str, Any] | Refused]:
    return use_cases.participation(storage, use_cases.read_requests(requests, read, now))


@pytest.fixture
def storage() -> FakeHistory:
    storage = FakeHistory()
    content = lines([*many(45), row(code="9999999999", employer="Xí nghiệp Khác")])
    use_cases.import_participation(storage, offered(content), content, NOW)
    return storage


@pytest.mark.proves("G16")
def test_a_citizen_sees_the_own_rows_newest_first_with_totals_source_and_date(storage: FakeHistory) -> None:
    (page,) = ask(storage, {"sealed_token": "mine"})
    assert isinstance(page, dict)
    assert page["totals"] == {"months": 45, "unpaid_months": 0}
    assert len(page["items"]) == PAGE_ROWS
    assert page["items"][0]["from_month"] == "2003-09"
    assert page["source"] == "BHXH thử"
    assert page["as_of"] == AS_OF.isoformat()
    assert "id" not in page["items"][0]
    assert {"employer", "job_title", "workplace", "salary_base", "funds"} <= set(page["items"][0])


def test_the_pages_follow_one_another_without_gap_or_overlap(storage: FakeHistory) -> None:
    months, cursor = [], None
    while True:
        (page,) = ask(storage, {"sealed_token": "mine", "cursor": cursor})
        assert isinstance(page, dict)
        months += [item["from_month"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert months == sorted((one["from_month"] for one in many(45)), reverse=True)


def test_nobody_elses_rows_are_seen_whatever_is_asked(storage: FakeHistory) -> None:
    (mine,) = ask(storage, {"sealed_token": "mine", "code": "9999999999", "account_id": str(uuid4())})
    (hers,) = ask(storage, {"sealed_token": "hers"})
    assert isinstance(mine, dict)
    assert isinstance(hers, dict)
    assert "Xí nghiệp Khác" not in str(mine)
    assert [item["employer"] for item in hers["items"]] == ["Xí nghiệp Khác"]


def confirm(storage: FakeHistory, at: datetime = NOW, **changes: Any) -> str:
    """Tell that ``mine`` is confirmed for the person with her code; the child's id."""
    told = {
        "account_id": ACCOUNT,
        "person_id": uuid4(),
        "child_person_id": uuid4(),
        "codes": ["9999999999"],
        "valid_until": NOW + timedelta(days=1),
    } | changes
    use_cases.note_guardian(storage, told, at)
    return str(told["child_person_id"])


def test_a_childs_rows_are_told_to_its_guardian_and_to_nobody_else(storage: FakeHistory) -> None:
    child_id = confirm(storage)
    (allowed, own, stranger, foreign, bad) = ask(
        storage,
        {"sealed_token": "mine", "child_id": child_id},
        {"sealed_token": "mine", "child_id": None},
        {"sealed_token": "nobodys", "child_id": child_id},
        {"sealed_token": "mine", "child_id": str(uuid4())},
        {"sealed_token": "mine", "child_id": "9999999999"},
    )
    assert isinstance(allowed, dict)
    assert [item["employer"] for item in allowed["items"]] == ["Xí nghiệp Khác"]
    assert isinstance(own, dict)
    assert own["totals"]["months"] == 45
    assert [type(answer) for answer in (stranger, foreign, bad)] == [ChildUnknown] * 3


def test_an_ended_session_of_a_guardian_sees_no_child(storage: FakeHistory) -> None:
    child_id = confirm(storage)
    use_cases.end_sessions(storage, ACCOUNT, NOW + timedelta(seconds=1))
    (answer,) = ask(storage, {"sealed_token": "mine", "child_id": child_id})
    assert isinstance(answer, TokenInvalid)


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 1, 0)])
def test_a_guardian_whose_guardianship_was_ended_sees_no_child_in_whatever_order_it_is_told(
    storage: FakeHistory, order: tuple[int, ...]
) -> None:
    child_id = uuid4()
    ended = {
        "account_id": ACCOUNT,
        "child_person_id": child_id,
        "codes": ["9999999999"],
        "ended_at": NOW + timedelta(milliseconds=1),
    }
    for step in order:
        if step == 0:
            confirm(storage, child_person_id=child_id)
        else:
            use_cases.end_guardian(storage, ended)
    asked, later = {"sealed_token": "mine", "child_id": str(child_id)}, NOW + timedelta(milliseconds=1)
    (answer,) = ask(storage, asked, now=later)
    assert isinstance(answer, ChildUnknown)
    confirm(storage, child_person_id=child_id, at=NOW + timedelta(hours=1))
    (answer,) = ask(storage, asked, now=later)
    assert isinstance(answer, dict), "an officer has confirmed it again"


@pytest.mark.parametrize("changes", [{"account_id": None}, {"codes": []}])
def test_a_guardianship_that_names_nobody_lets_nobody_see(
    storage: FakeHistory, changes: dict[str, Any]
) -> None:
    child_id = confirm(storage, **changes)
    (answer,) = ask(storage, {"sealed_token": "mine", "child_id": child_id})
    assert isinstance(answer, ChildUnknown)


def test_a_cursor_of_another_person_shows_only_own_rows(storage: FakeHistory) -> None:
    (mine,) = ask(storage, {"sealed_token": "mine"})
    assert isinstance(mine, dict)
    (hers,) = ask(storage, {"sealed_token": "hers", "cursor": mine["next_cursor"]})
    assert isinstance(hers, dict)
    assert all(item["employer"] == "Xí nghiệp Khác" for item in hers["items"])


def test_who_never_took_part_gets_an_empty_answer_that_still_says_its_date(storage: FakeHistory) -> None:
    (page,) = ask(storage, {"sealed_token": "nobodys"})
    assert page == {
        "totals": {"months": 0, "unpaid_months": 0},
        "items": [],
        "next_cursor": None,
        "source": "BHXH thử",
        "as_of": AS_OF.isoformat(),
    }


def test_many_questions_are_one_look_and_each_gets_its_own_answer_or_refusal(storage: FakeHistory) -> None:
    answers = ask(
        storage,
        {"sealed_token": "hers"},
        {"sealed_token": "forged"},
        {},
        {"sealed_token": "first password"},
        {"sealed_token": "mine", "cursor": "not a cursor"},
        {"sealed_token": "officer"},
        {"sealed_token": "mine"},
    )
    assert [type(answer) for answer in answers] == [
        dict,
        TokenInvalid,
        TokenInvalid,
        PasswordChangeRequired,
        CursorInvalid,
        TokenInvalid,
        dict,
    ]
    assert isinstance(answers[0], dict)
    assert answers[0]["totals"]["months"] == 24
    assert isinstance(answers[-1], dict)
    assert answers[-1]["totals"]["months"] == 45
    assert storage.looked_up == 1


def test_nothing_is_looked_up_when_every_question_is_refused(storage: FakeHistory) -> None:
    ask(storage, {"sealed_token": "forged"})
    assert storage.looked_up == 0


def test_a_token_older_than_the_end_of_its_sessions_is_refused(storage: FakeHistory) -> None:
    use_cases.end_sessions(storage, ACCOUNT, NOW + timedelta(seconds=1))
    use_cases.end_sessions(storage, ACCOUNT, NOW - timedelta(days=1))  # late: moves nothing back
    (mine, hers) = ask(storage, {"sealed_token": "mine"}, {"sealed_token": "hers"})
    assert isinstance(mine, TokenInvalid)
    assert isinstance(hers, dict)


def test_a_token_is_told_from_the_ending_of_the_same_second(storage: FakeHistory) -> None:
    use_cases.end_sessions(storage, ACCOUNT, NOW)
    (issued_with_it,) = ask(storage, {"sealed_token": "mine"})
    use_cases.end_sessions(storage, ACCOUNT, NOW + timedelta(microseconds=1))
    (issued_before,) = ask(storage, {"sealed_token": "mine"})
    assert isinstance(issued_with_it, dict)
    assert isinstance(issued_before, TokenInvalid)


@pytest.mark.parametrize(
    "cursor", [" ", "x", "MjAxOS0wNw", "MjAxOS0xMy41", "MjAxOS0wNy4tNQ", "é", "A" * 5000]
)
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    with pytest.raises(CursorInvalid):
        asked(claims(), cursor)


def test_no_cursor_means_the_first_page() -> None:
    assert asked(claims(), "").after is None
    assert asked(claims(), None).after is None


def test_the_code_is_the_tokens() -> None:
    assert asked(claims(), None).claims.code == CODE
