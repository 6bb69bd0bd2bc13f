"""What any store of participation must do: run on the fake and on PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.history.domain import (
    PAGE_ROWS,
    Found,
    Guardianship,
    Import,
    Imported,
    ImportInvalid,
    Lookup,
    Participation,
    cursor_after,
    read_cursor,
    read_row,
)
from services.history.tests.unit.examples import ACCOUNT, AS_OF, CODE, NOW, claims, lines, many, offered, row
from services.history.use_cases import Storage, import_participation

Open = Callable[[], AbstractContextManager[Storage]]


def numbered(*rows: dict[str, Any]) -> list[tuple[int, Participation]]:
    read = [read_row(one, number) for number, one in enumerate(rows, start=1)]
    return [(number, one) for number, one in enumerate(read, start=1) if isinstance(one, Participation)]


class StorageContract:
    """Inherit it and give a fixture ``opened``: each call is a transaction on the same store."""

    def test_rows_are_found_newest_first_one_more_than_a_page(self, opened: Open) -> None:
        self.keep(opened, many(25))
        (found,) = self.look(opened, Lookup(claims(), None))
        assert [one["from_month"] for one in found.rows] == [
            one["from_month"] for one in reversed(many(25)[-PAGE_ROWS - 1 :])
        ]
        shown = {"code": CODE, **found.rows[0]}
        shown.pop("id")
        assert shown == {**many(25)[-1], "paid": True}
        assert (found.months, found.unpaid_months, found.source, found.as_of) == (25, 0, "BHXH thử", AS_OF)

    def test_the_next_page_goes_on_after_the_cursor(self, opened: Open) -> None:
        self.keep(opened, many(25))
        (first,) = self.look(opened, Lookup(claims(), None))
        after = read_cursor(cursor_after(first.rows[PAGE_ROWS - 1]))
        (second,) = self.look(opened, Lookup(claims(), after))
        assert [one["from_month"] for one in second.rows] == [f"2000-{month:02}" for month in (5, 4, 3, 2, 1)]

    def test_stretches_that_begin_in_one_month_are_not_lost_between_pages(self, opened: Open) -> None:
        self.keep(opened, [row(employer=f"Đơn vị {number}") for number in range(25)])
        (first,) = self.look(opened, Lookup(claims(), None))
        after = read_cursor(cursor_after(first.rows[PAGE_ROWS - 1]))
        (second,) = self.look(opened, Lookup(claims(), after))
        seen = [one["employer"] for one in (*first.rows[:PAGE_ROWS], *second.rows)]
        assert sorted(seen) == sorted(f"Đơn vị {number}" for number in range(25))

    def test_several_questions_are_answered_in_their_order(self, opened: Open) -> None:
        self.keep(opened, [row(), row(code="9999999999", employer="Khác")])
        codes = ["9999999999", CODE, "1111111111", "9999999999"]
        found = self.look(opened, *(Lookup(claims(code=code, account_id=uuid4()), None) for code in codes))
        assert [[one["employer"] for one in each.rows] for each in found] == [
            ["Khác"],
            ["Công ty Thử Nghiệm"],
            [],
            ["Khác"],
        ]
        assert (found[2].months, found[2].source, found[2].as_of) == (0, "BHXH thử", AS_OF)

    def test_an_empty_store_answers_too(self, opened: Open) -> None:
        assert self.look(opened, Lookup(claims(), None)) == [Found(0, 0, (), None, None, None)]

    def test_the_latest_ending_of_sessions_counts(self, opened: Open) -> None:
        for hours in (2, 1):
            with opened() as storage:
                storage.end_sessions(ACCOUNT, NOW + timedelta(hours=hours))
        mine, other = self.look(opened, Lookup(claims(), None), Lookup(claims(account_id=uuid4()), None))
        assert mine.sessions_ended_at == NOW + timedelta(hours=2)
        assert other.sessions_ended_at is None

    def test_a_childs_rows_are_its_confirmed_guardians_to_see_until_it_is_of_age(self, opened: Open) -> None:
        self.keep(opened, [row(), row(code="9999999999", employer="Của bé")])
        child, until = uuid4(), NOW + timedelta(days=1)
        confirmed = Guardianship(ACCOUNT, child, "9999999999", until, NOW)
        with opened() as storage:
            storage.save_guardianship(confirmed)
            storage.save_guardianship(confirmed)
        stranger = claims(account_id=uuid4())
        found = self.look(
            opened,
            Lookup(claims(), None, child, NOW),
            Lookup(stranger, None, child, NOW),
            Lookup(claims(), None, uuid4(), NOW),
            Lookup(claims(), None, child, until),
            Lookup(claims(), None),
        )
        assert [one.is_allowed for one in found] == [True, False, False, False, True]
        employers = [[one["employer"] for one in each.rows] for each in found]
        assert employers == [["Của bé"], [], [], [], ["Công ty Thử Nghiệm"]]
        assert [each.months for each in found[1:4]] == [0, 0, 0]

    @pytest.mark.parametrize("order", [(1, 2), (2, 1)])
    def test_of_two_confirmations_the_later_stays_whichever_comes_first(
        self, opened: Open, order: tuple[int, int]
    ) -> None:
        self.keep(opened, [row(code=f"{n}" * 10, employer=f"Đơn vị {n}") for n in (1, 2)])
        child = uuid4()
        for n in order:
            at = NOW + timedelta(hours=n)
            with opened() as storage:
                storage.save_guardianship(
                    Guardianship(ACCOUNT, child, f"{n}" * 10, NOW + timedelta(days=n), at)
                )
        (found,) = self.look(opened, Lookup(claims(), None, child, NOW))
        assert [one["employer"] for one in found.rows] == ["Đơn vị 2"]

    def test_added_unchanged_and_contradicting_rows_are_told_apart(self, opened: Open) -> None:
        self.keep(opened, [row()])
        with opened() as storage:
            more = offered([b"more"])
            assert storage.add_import(more, "participation", NOW)
            rows = numbered(row(), row(from_month="2022-01", to_month="2022-02"), row(workplace="Huế"))
            assert storage.add_rows(more.id, rows) == (1, [3])
            assert storage.add_rows(more.id, []) == (0, [])

    @pytest.mark.parametrize(
        "changes",
        [
            {"to_month": "2021-07"},
            {"salary_base": 1},
            {"funds": ["BHXH"]},
            {"paid": False},
            {"workplace": "Huế"},
        ],
    )
    def test_any_difference_is_a_contradiction(self, opened: Open, changes: dict[str, Any]) -> None:
        self.keep(opened, [row()])
        with opened() as storage:
            more = offered([b"more"])
            storage.add_import(more, "participation", NOW)
            assert storage.add_rows(more.id, numbered(row(**changes))) == (0, [1])

    def test_an_imports_key_is_taken_once_and_tells_what_it_did(self, opened: Open) -> None:
        first, second = offered([b"1"], key="k"), offered([b"2"], key="k")
        with opened() as storage:
            assert storage.add_import(first, "participation", NOW)
            storage.finish_import(Imported(first.id, 3, 2, 1))
        with opened() as storage:
            assert not storage.add_import(second, "participation", NOW)
            assert storage.import_of_key("participation", "k") == (first.sha256, Imported(first.id, 3, 2, 1))
            assert storage.import_of_key("participation", "unused") is None

    def test_months_count_once_and_are_unpaid_where_nobody_paid(self, opened: Open) -> None:
        unpaid = row(from_month="2020-07", to_month="2021-03", employer="Khác", paid=False)
        self.keep(opened, [row(from_month="2020-01", to_month="2020-12"), unpaid])
        (found,) = self.look(opened, Lookup(claims(), None))
        assert (found.months, found.unpaid_months) == (15, 3)

    def test_a_refused_import_leaves_nothing(self, opened: Open) -> None:
        self.keep(opened, [row()])
        content = [*lines([row(code="9999999999")]), *lines([row(salary_base=7)])]
        refused: Import = offered(content)
        with pytest.raises(ImportInvalid), opened() as storage:
            import_participation(storage, refused, content, NOW)
        (found,) = self.look(opened, Lookup(claims(code="9999999999"), None))
        assert found.rows == ()
        with opened() as storage:
            assert storage.import_of_key("participation", refused.key) is None

    @staticmethod
    def keep(opened: Open, rows: list[dict[str, Any]]) -> None:
        content = lines(rows)
        with opened() as storage:
            import_participation(storage, offered(content), content, NOW)

    @staticmethod
    def look(opened: Open, *lookups: Lookup) -> Sequence[Found]:
        with opened() as storage:
            return storage.look_up(lookups)
