"""The chain of seals: whatever is done to rows, seals or anchors is found, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity import sealing
from services.identity.sealing import FIRST, Anchor, Finding, Seal, TrailRow, Verification
from services.identity.tests.unit.samples import NOW

STEP = 10
"""Ids have gaps: transactions that were rolled back."""


def row(number: int, **changes: object) -> TrailRow:
    made = TrailRow(STEP * number, NOW, UUID(int=number), "case_read", UUID(int=7), '{"kind": "portrait"}')
    return replace(made, **changes)  # type: ignore[arg-type]


@dataclass
class Chain:
    """Rows, the seals over them, their anchors."""

    rows: list[TrailRow]
    seals: list[Seal]
    anchors: list[Anchor]

    def findings(self, *, start: Anchor = FIRST, later: timedelta = timedelta(0)) -> list[Finding]:
        rows = [row for row in self.rows if row.id > start.last_id]
        seals = [seal for seal in self.seals if seal.sequence > start.sequence]
        anchors = [anchor for anchor in self.anchors if anchor.position > start.position]
        return list(Verification(rows, seals, anchors, start=start, now=NOW + later).findings())

    def first(self) -> tuple[str, int, int, int]:
        found = self.findings()[0]
        return found.kind, found.sequence, found.first_id, found.last_id


def seals_over(batches: Sequence[Sequence[TrailRow]], after: Anchor = FIRST) -> list[Seal]:
    seals: list[Seal] = []
    for batch in batches:
        head = sealing.anchor_of(seals[-1]) if seals else after
        seals.append(sealing.seal_after(head, batch, NOW))
    return seals


def chain(*sizes: int) -> Chain:
    rows = [row(number) for number in range(1, sum(sizes) + 1)]
    left = iter(rows)
    seals = seals_over([[next(left) for _ in range(size)] for size in sizes])
    return Chain(rows, seals, [FIRST, *map(sealing.anchor_of, seals)])


def seal_of(whole: Chain, id: int) -> Seal:
    return next(seal for seal in whole.seals if id in seal.ids)


sizes = st.lists(st.integers(1, 4), min_size=1, max_size=5)


@st.composite
def chain_and_row(draw: st.DrawFn) -> tuple[Chain, int]:
    """A whole chain, and the index of one of its rows."""
    whole = chain(*draw(sizes))
    return whole, draw(st.integers(0, len(whole.rows) - 1))


@given(sizes)
def test_a_whole_chain_has_no_findings(some: list[int]) -> None:
    whole = chain(*some)
    assert whole.findings() == []
    assert whole.findings(start=whole.anchors[len(some) // 2]) == []


COLUMNS: dict[str, object] = {
    "at": NOW + timedelta(microseconds=1),
    "staff_id": UUID(int=0),
    "action": "case_listed",
    "case_id": None,
    "details": '{"kind": "portrait "}',
}


@pytest.mark.parametrize("column", COLUMNS)
@given(chain_and_row())
def test_a_row_with_any_column_edited_is_named(column: str, given: tuple[Chain, int]) -> None:
    whole, index = given
    edited = whole.rows[index] = replace(whole.rows[index], **{column: COLUMNS[column]})  # type: ignore[arg-type]
    assert [(f.kind, f.first_id) for f in whole.findings()] == [("row_edited", edited.id)]


@given(chain_and_row())
def test_a_removed_row_is_named(given: tuple[Chain, int]) -> None:
    whole, index = given
    removed = whole.rows.pop(index)
    assert [(f.kind, f.first_id) for f in whole.findings()] == [("row_removed", removed.id)]


@given(chain_and_row(), st.integers(1, STEP - 1))
def test_an_inserted_row_is_named(given: tuple[Chain, int], before: int) -> None:
    whole, index = given
    whole.rows.insert(index, row(0, id=whole.rows[index].id - before))
    assert [(f.kind, f.first_id) for f in whole.findings()] == [("row_inserted", whole.rows[index].id)]


@given(chain_and_row())
def test_rows_cut_off_at_the_end_are_named_from_the_first_on(given: tuple[Chain, int]) -> None:
    whole, index = given
    cut, whole.rows = whole.rows[index:], whole.rows[:index]
    assert [(f.kind, f.first_id) for f in whole.findings()] == [("row_removed", row.id) for row in cut]


@given(chain_and_row())
def test_rows_and_their_seals_cut_off_at_the_end_contradict_the_anchor(given: tuple[Chain, int]) -> None:
    whole, index = given
    seal = seal_of(whole, whole.rows[index].id)
    whole.seals = whole.seals[: seal.sequence - 1]
    kept = whole.seals[-1].last_id if whole.seals else 0
    whole.rows = [row for row in whole.rows if row.id <= kept]
    assert whole.first() == ("cut_off", seal.sequence, kept + 1, whole.anchors[-1].last_id)


@given(chain_and_row())
def test_a_chain_that_was_written_anew_contradicts_the_anchor_where_it_begins(
    given: tuple[Chain, int],
) -> None:
    """Edited row, digests, hashes and every later seal: as somebody would who may do all in the database."""
    whole, index = given
    seal = seal_of(whole, whole.rows[index].id)
    whole.rows[index] = replace(whole.rows[index], action="nothing")
    batches = [[row for row in whole.rows if row.id in old.ids] for old in whole.seals]
    whole.seals = seals_over(batches)
    kind, sequence, first, last = whole.first()
    assert (kind, sequence) == ("rewritten", seal.sequence)
    assert first <= whole.rows[index].id <= last


def test_a_seal_that_is_missing_is_named_with_its_rows() -> None:
    whole = chain(2, 2, 2)
    del whole.seals[1]
    assert whole.first() == ("seal_missing", 2, 21, 60)


def test_a_seal_that_was_edited_is_named() -> None:
    whole = chain(1, 1)
    whole.rows[0] = replace(whole.rows[0], action="nothing")
    whole.seals[0] = replace(whole.seals[0], digests=(sealing.digest(whole.rows[0]),))
    assert whole.first() == ("seal_edited", 1, 1, 10)


def test_a_seal_that_follows_another_than_the_one_before_is_named() -> None:
    whole, other = chain(1, 1), chain(2, 1)
    forged = sealing.seal_after(other.anchors[1], whole.rows[1:], NOW)
    whole.seals[1] = forged
    assert whole.first() == ("chain_broken", 2, 11, 20)


@pytest.mark.parametrize("missing", [1, 2])
def test_an_anchor_that_was_removed_is_missed(missing: int) -> None:
    whole = chain(1, 1, 1)
    del whole.anchors[missing]
    assert [(f.kind, f.sequence) for f in whole.findings()] == [("not_anchored", missing)]


def test_the_last_seals_may_wait_for_their_anchor_a_while() -> None:
    whole = chain(1, 1)
    del whole.anchors[-1]
    assert whole.findings(later=sealing.ANCHORING_TAKES) == []
    late = whole.findings(later=sealing.ANCHORING_TAKES + timedelta(seconds=1))
    assert [(f.kind, f.sequence) for f in late] == [("not_anchored", 2)]


def test_rows_are_not_taken_over_from_one_another() -> None:
    """Columns cannot run into each other: every value has its name and its quotes."""
    assert sealing.digest(row(1, action="a", details="b")) != sealing.digest(
        row(1, action='a","b', details="")
    )


# --- after a restore -----------------------------------------------------------------------------


def restored(whole: Chain, kept: int) -> Chain:
    """The database back at its first ``kept`` seals; a new epoch is told, and goes on with one more row."""
    whole.seals = whole.seals[:kept]
    head = sealing.anchor_of(whole.seals[-1]) if whole.seals else FIRST
    begun = sealing.new_epoch(head, whole.anchors[-1], by="lan", reason="disk lost", at=NOW)
    fresh = row(1000 + len(whole.rows))
    following = sealing.seal_after(sealing.anchor_of(begun), [fresh], NOW)
    whole.rows = [row for row in whole.rows if row.id <= head.last_id] + [fresh]
    whole.seals += [begun, following]
    whole.anchors += [sealing.anchor_of(begun), sealing.anchor_of(following)]
    return whole


@given(sizes, st.data())
def test_a_loss_that_was_told_is_shown_and_is_no_fault(some: list[int], data: st.DataObject) -> None:
    whole = chain(*some)
    lost_to = whole.anchors[-1].last_id
    whole = restored(whole, data.draw(st.integers(0, len(some) - 1)))
    (found,) = whole.findings()
    assert (found.kind, found.is_fault) == ("recorded", False)
    assert found.last_id == lost_to
    twice = restored(whole, data.draw(st.integers(0, len(whole.seals) - 1)))
    assert {f.kind for f in twice.findings()} == {"recorded"}


def test_a_loss_that_nobody_signed_is_a_cut_off() -> None:
    """An epoch that was written into the database only."""
    whole = restored(chain(1, 1, 1), 1)
    del whole.anchors[-2:]
    kind, sequence, first, last = whole.first()
    assert (kind, sequence, first, last) == ("cut_off", 2, 11, 30)


def test_a_loss_that_is_larger_than_what_was_told_is_a_cut_off() -> None:
    whole = chain(1, 1, 1)
    hidden = whole.anchors.pop()
    whole = restored(whole, 1)
    whole.anchors.insert(-2, hidden)
    assert whole.first()[0] == "cut_off"


def test_a_recorded_loss_can_be_taken_out_of_the_chain_by_nobody() -> None:
    whole = restored(chain(1, 1, 1), 1)
    del whole.seals[1]
    assert whole.first()[0] == "seal_missing"
