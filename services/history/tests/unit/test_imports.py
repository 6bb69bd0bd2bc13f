"""Imports: whole or not at all, once, and nothing replaced silently."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.history import use_cases
from services.history.domain import ImportInvalid, ImportKeyReused
from services.history.tests.unit.examples import AS_OF, CODE, NOW, lines, many, offered, row
from services.history.tests.unit.fakes import FakeHistory
from shared.testing.citizens import generate


@pytest.fixture
def storage() -> FakeHistory:
    return FakeHistory()


def take(storage: FakeHistory, content: list[bytes], **changes: Any) -> use_cases.Imported:
    return use_cases.import_participation(storage, offered(content, **changes), content, NOW)


def wrong_fields(storage: FakeHistory, content: list[bytes]) -> list[str]:
    with pytest.raises(ImportInvalid) as refused:
        take(storage, content)
    assert storage.tx.additions == []
    return [problem.field for problem in refused.value.problems]


def test_an_import_is_told_with_its_numbers(storage: FakeHistory) -> None:
    done = take(storage, lines([row(), row(code="9999999999")]))
    assert (done.people, done.rows, done.unchanged, done.again) == (2, 2, 0, False)
    (event,) = storage.tx.events("history.imported.v1")
    assert event.data == {
        "import_id": done.import_id,
        "kind": "participation",
        "people": 2,
        "rows": 2,
        "as_of": AS_OF,
    }


def test_the_same_file_again_does_nothing_and_says_what_it_did_then(storage: FakeHistory) -> None:
    content = lines([row()])
    first = take(storage, content)
    again = take(storage, content)
    assert again.again
    assert again.import_id == first.import_id
    assert again.rows == 1
    assert len(storage.tx.events("history.imported.v1")) == 1


def test_a_key_used_for_another_file_is_refused(storage: FakeHistory) -> None:
    take(storage, lines([row()]), key="2025-12")
    with pytest.raises(ImportKeyReused):
        take(storage, lines([row(code="9999999999")]), key="2025-12")


def test_rows_held_already_count_as_unchanged(storage: FakeHistory) -> None:
    take(storage, lines([row()]))
    done = take(storage, lines([row(), row(from_month="2022-01", to_month="2022-03"), row()]))
    assert (done.rows, done.unchanged) == (1, 2)


def test_a_row_that_contradicts_what_is_held_is_refused_by_its_line(storage: FakeHistory) -> None:
    take(storage, lines([row()]))
    storage.tx.additions.clear()
    assert wrong_fields(storage, lines([row(code="9999999999"), row(salary_base=1)])) == ["line 2"]


def test_two_rows_of_a_file_that_contradict_each_other_are_refused(storage: FakeHistory) -> None:
    assert wrong_fields(storage, lines([row(), row(workplace="Huế")])) == ["line 2"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("code", "12345"),
        ("code", 1234567890),
        ("code", "١٢٣٤٥٦٧٨٩٠"),
        ("from_month", "2019-13"),
        ("from_month", "2019-7"),
        ("to_month", None),
        ("to_month", "2018-01"),
        ("employer", "  "),
        ("employer", "x" * 301),
        ("employer", "a\0b"),
        ("job_title", 5),
        ("workplace", "\ud800"),
        ("salary_base", -1),
        ("salary_base", 1.5),
        ("salary_base", True),
        ("salary_base", "6500000"),
        ("funds", []),
        ("funds", "BHXH"),
        ("funds", ["BHXH", "BHXH"]),
        ("funds", ["BHXX"]),
        ("funds", [["BHXH"]]),
        ("paid", "yes"),
    ],
)
def test_each_wrong_field_is_named_with_its_line(storage: FakeHistory, field: str, value: object) -> None:
    content = [*lines([row()]), b"\n", use_cases.json.dumps(row(**{field: value})).encode()]
    assert wrong_fields(storage, content) == [f"line 3: {field}"]


@pytest.mark.parametrize("line", [b"not json", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000, b"{"])
def test_a_line_that_is_no_object_is_named(storage: FakeHistory, line: bytes) -> None:
    assert wrong_fields(storage, [*lines([row()]), line]) == ["line 2"]


def test_an_empty_file_is_refused(storage: FakeHistory) -> None:
    assert wrong_fields(storage, [b"\n"]) == ["line 1"]


def test_a_file_that_is_wrong_everywhere_names_the_first_hundred(storage: FakeHistory) -> None:
    assert len(wrong_fields(storage, [b"x"] * 5000)) == 100


def test_each_month_counts_once_and_is_unpaid_only_where_nobody_paid(storage: FakeHistory) -> None:
    content = lines(
        [
            row(from_month="2020-01", to_month="2020-12"),
            row(from_month="2020-07", to_month="2021-03", employer="Khác", paid=False),
        ]
    )
    take(storage, content)
    assert storage.totals[CODE][:2] == (15, 3)


def test_an_older_file_does_not_move_the_date_back(storage: FakeHistory) -> None:
    take(storage, lines(many(2)))
    take(storage, lines(many(3)), as_of=AS_OF - timedelta(days=30))
    assert storage.totals[CODE][3] == AS_OF


def test_the_synthetic_citizens_rows_are_taken(storage: FakeHistory) -> None:
    rows = [one for citizen in generate(20, seed=5) for one in citizen.participation_rows()]
    done = take(storage, lines(rows))
    assert done.rows == len(rows)
    assert done.people == len({one["code"] for one in rows})
