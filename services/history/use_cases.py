"""What history does: answer the citizen's own look-ups, take imports, remember ended sessions."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from services.history.domain import (
    MOST_PROBLEMS,
    PAGE_ROWS,
    ChildUnknown,
    Claims,
    Found,
    Guardianship,
    Import,
    Imported,
    ImportInvalid,
    ImportKeyReused,
    Lookup,
    Participation,
    TokenInvalid,
    asked,
    conflict,
    cursor_after,
    is_ended,
    read_row,
)
from shared.events.history import IMPORTED
from shared.messaging import outbox
from shared.refusals import FieldProblem, Refused

ROWS_AT_ONCE = 2000


class Storage(Protocol):
    """Participation and imports, inside the caller's transaction."""

    @property
    def tx(self) -> outbox.Transaction: ...

    def look_up(self, lookups: Sequence[Lookup]) -> list[Found]: ...
    def end_sessions(self, account_id: UUID, issued_before: datetime) -> None: ...
    def save_guardianship(self, confirmed: Guardianship) -> None: ...
    def add_import(self, offered: Import, kind: str, at: datetime) -> bool: ...
    def import_of_key(self, kind: str, key: str) -> tuple[str, Imported] | None: ...
    def add_rows(
        self, import_id: UUID, rows: Sequence[tuple[int, Participation]]
    ) -> tuple[int, list[int]]: ...
    def count_up(self, codes: Iterable[str], offered: Import) -> None: ...
    def finish_import(self, done: Imported) -> None: ...


# ---- look-ups --------------------------------------------------------------------------------------------


def read_requests(
    requests: Sequence[Mapping[str, Any]], read: Callable[[str], Claims], now: datetime
) -> list[Lookup | Refused]:
    """What each caller asks, or why it is refused. ``read`` opens and verifies a token."""
    return [_read_request(request, read, now) for request in requests]


def _read_request(
    request: Mapping[str, Any], read: Callable[[str], Claims], now: datetime
) -> Lookup | Refused:
    token, cursor, child = request.get("sealed_token"), request.get("cursor"), request.get("child_id")
    if not isinstance(token, str):
        return TokenInvalid()
    try:
        claims = read(token)
        return asked(claims, str(cursor) if cursor else None, None if child is None else str(child), now)
    except Refused as refused:
        return refused


def participation(storage: Storage, questions: Sequence[Lookup | Refused]) -> list[dict[str, Any] | Refused]:
    """The answers to all questions, in order; the store is asked once. Refused ones stay refused."""
    lookups = [question for question in questions if isinstance(question, Lookup)]
    found = iter(storage.look_up(lookups) if lookups else [])
    return [
        _page(question, next(found)) if isinstance(question, Lookup) else question for question in questions
    ]


def _page(question: Lookup, found: Found) -> dict[str, Any] | Refused:
    if is_ended(question.claims, found.sessions_ended_at):
        return TokenInvalid()
    if not found.is_allowed:
        return ChildUnknown()
    rows = found.rows[:PAGE_ROWS]
    return {
        "totals": {"months": found.months, "unpaid_months": found.unpaid_months},
        "items": [{name: value for name, value in row.items() if name != "id"} for row in rows],
        "next_cursor": cursor_after(rows[-1]) if len(found.rows) > PAGE_ROWS else None,
        "source": found.source,
        "as_of": found.as_of.isoformat() if found.as_of else None,
    }


def end_sessions(storage: Storage, account_id: UUID, issued_before: datetime) -> None:
    """Tokens of this account issued before then are no longer accepted. A late event never moves it back."""
    storage.end_sessions(account_id, issued_before)


def note_guardian(storage: Storage, told: Mapping[str, Any], at: datetime) -> None:
    """An officer has confirmed a guardian (identity.guardianship_confirmed, confirmed ``at``). Told again, or
    late after another confirmation: what was confirmed last stays. One that does not name the guardian's
    account lets nobody see anything."""
    if told["account_id"] is not None and told["codes"]:
        storage.save_guardianship(
            Guardianship(
                told["account_id"], told["child_person_id"], told["codes"][0], told["valid_until"], at
            )
        )


def end_guardian(storage: Storage, told: Mapping[str, Any]) -> None:
    """An officer has ended it (identity.guardianship_ended). Told before the confirmation that it ends: that
    one changes nothing any more; a later confirmation does."""
    ended_at = told["ended_at"]
    storage.save_guardianship(
        Guardianship(told["account_id"], told["child_person_id"], told["codes"][0], ended_at, ended_at)
    )


# ---- imports ---------------------------------------------------------------------------------------------


def import_participation(
    storage: Storage, offered: Import, lines: Iterable[bytes], now: datetime
) -> Imported:
    """Take a file of participation, a JSON object a line, whole or not at all.

    The same file again does nothing. A row that is held already counts as unchanged; one that contradicts
    what is held is refused, never taken over silently. Raises ``ImportInvalid`` naming lines and fields, or
    ``ImportKeyReused``.
    """
    if not storage.add_import(offered, "participation", now):
        return _imported_before(storage, offered)
    problems: list[FieldProblem] = []
    codes: set[str] = set()
    added = unchanged = 0
    for rows in _chunks(lines, problems):
        codes.update(row.code for _, row in rows)
        new, conflicts = storage.add_rows(offered.id, rows)
        added += new
        unchanged += len(rows) - new - len(conflicts)
        problems.extend(conflict(line) for line in conflicts)
        if len(problems) >= MOST_PROBLEMS:
            break
    if not codes and not problems:
        problems.append(FieldProblem("line 1", "ít nhất một dòng", "at least one row"))
    if problems:
        raise ImportInvalid(*problems[:MOST_PROBLEMS])
    storage.count_up(codes, offered)
    done = Imported(offered.id, len(codes), added, unchanged)
    storage.finish_import(done)
    _publish(storage, done, offered.as_of, now)
    return done


def _imported_before(storage: Storage, offered: Import) -> Imported:
    before = storage.import_of_key("participation", offered.key)
    if before is None or before[0] != offered.sha256:
        raise ImportKeyReused
    done = before[1]
    return Imported(done.import_id, done.people, done.rows, done.unchanged, again=True)


def _chunks(
    lines: Iterable[bytes], problems: list[FieldProblem]
) -> Iterator[list[tuple[int, Participation]]]:
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    while chunk := list(itertools.islice(numbered, ROWS_AT_ONCE)):
        rows: list[tuple[int, Participation]] = []
        for number, line in chunk:
            row = read_row(_json(line), number)
            if isinstance(row, Participation):
                rows.append((number, row))
            else:
                problems.extend(row)
        yield rows


def _json(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _publish(storage: Storage, done: Imported, as_of: datetime, now: datetime) -> None:
    data = {
        "import_id": done.import_id,
        "kind": "participation",
        "people": done.people,
        "rows": done.rows,
        "as_of": as_of,
    }
    event = IMPORTED.event(subject=done.import_id, correlation_id=done.import_id, at=now, data=data)
    outbox.add(storage.tx, event)
