"""What the databases hold of some registrations, and what must never be seen in it.

``never`` compares two looks, at any moment; ``disagreements`` says what the services still have to tell each
other, and must be empty at rest. Ids only: nothing of a person is in a sentence.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]

REGISTRATIONS = """
SELECT r.id::text, r.status, r.timeline, r.declaration_number, r.declaration ->> 'phone' AS phone,
       r.declaration ->> 'code' AS code,
       (SELECT array_agg(c.value) FROM claimed c WHERE c.registration_id = r.id) AS claims
FROM registrations r WHERE r.id = ANY(%(ids)s::uuid[])
"""
CASES = """
SELECT id::text, registration_id::text, status, ended_at, ended_by, reason, applicant ->> 'code' AS code,
       applicant ->> 'phone' AS phone, applicant ->> 'email' AS email, applicant ->> 'full_name' AS name
FROM cases WHERE registration_id = ANY(%(ids)s::uuid[])
"""
PEOPLE = "SELECT number, person_id::text FROM person_numbers WHERE number = ANY(%(codes)s)"
ACCOUNTS = """
SELECT id::text, code, phone,
       ARRAY(SELECT c.state FROM contact_changes c WHERE c.account_id = accounts.id) AS changes
FROM accounts WHERE code = ANY(%(codes)s) OR phone = ANY(%(phones)s)
"""
CREDENTIALS = """
SELECT account_id::text, cause, state, delivery, coalesce(channel, 'sms') AS channel FROM credentials
WHERE account_id = ANY(%(accounts)s::uuid[])
"""
MESSAGES = """
SELECT registration_id::text, cause_event_id::text, channel, purpose, state FROM message
WHERE registration_id = ANY(%(ids)s::uuid[])
"""
UNDER_WAY = """
SELECT (SELECT count(*) FROM outbox) AS outbox,
       (SELECT count(*) FROM jobs
        WHERE failed_at IS NULL AND (due_at <= now() OR kind = 'replace_credential')) AS due
"""
NOTED = "SELECT listener, event_id::text FROM inbox WHERE event_id = ANY(%(ids)s::uuid[])"
GIVEN_UP = "SELECT kind FROM jobs WHERE failed_at IS NOT NULL AND split_part(key, ' ', 1) = ANY(%(ids)s)"

OPEN = frozenset({"submitted", "awaiting_visit", "supplement_requested"})
"""While it stands so, phone and code are its own; then its account's, if it gets one."""
CLOSED = frozenset({"rejected", "expired", "cancelled"})
ENDINGS = CLOSED | {"verified"}
"""The lines of a timeline of which it may have one."""
FOLLOWING = {
    "draft": {"submitted", "cancelled"},
    "submitted": {"awaiting_visit", "supplement_requested", "verified", *CLOSED},
    "awaiting_visit": {"supplement_requested", "verified", *CLOSED},
    "supplement_requested": {"awaiting_visit", "verified", *CLOSED},
    "verified": {"completed"},
}
CASE_OF = {
    "verified": "verified",
    "completed": "verified",
    "rejected": "rejected",
    "expired": "closed",
    "cancelled": "closed",
}
"""What the case of a submitted registration must be where the registration stands so."""
ONCE = ENDINGS | {
    "started", "submitted", "awaiting_visit", "cancel_requested", "deadline_passed", "credentials_issued"
}  # fmt: skip
"""Lines that are there once."""
MESSAGES_OF_A_CREDENTIAL = (
    ("sms", "sms", "credentials"),
    ("email_link", "email", "activation_link"),
)
"""By which way it travels, and what is written for each."""
ONCE_EACH = {
    "credentials_sent", "credentials_delivered", "credentials_failed", "credentials_late",
    "credentials_replaced"
}  # fmt: skip
"""Lines that are there once for each password."""
CAUSES = {
    "register_checked": "identity.checked.v1",
    "supplement_requested": "identity.supplement_requested.v1",
    "reminded": "registration.reminder_due.v1",
}
"""Lines of which there may be more, and the event that goes with each."""


def reachable(status: str) -> set[str]:
    """Every status that may be seen after this one, itself too: a look may miss what is in between."""
    found, new = {status}, {status}
    while new:
        new = {after for one in new for after in FOLLOWING.get(one, ())} - found
        found |= new
    return found


@dataclass(frozen=True)
class Look:
    """The rows at one moment. Registrations are read first, so that what they follow from is there."""

    registrations: Mapping[str, Row] = field(default_factory=dict)
    cases: Mapping[str, Row] = field(default_factory=dict)
    people: Mapping[str, str] = field(default_factory=dict)
    accounts: Collection[Row] = ()
    credentials: Collection[Row] = ()
    messages: Collection[Row] = ()

    def credentials_of(self, registration_id: str) -> list[Row]:
        """The passwords made for a registration: the first, and those in place of one that was lost."""
        return [c for c in self.credentials if c["cause"].split(" ")[0] == registration_id]


class Books:
    """The three databases, by their addresses."""

    def __init__(self, databases: Mapping[str, str]) -> None:
        self._open = {
            name: psycopg.connect(
                databases[name], row_factory=dict_row, autocommit=True, application_name="books"
            )
            for name in ("registration", "identity", "notification")
        }

    def close(self) -> None:
        """Let go of the connections."""
        for connection in self._open.values():
            connection.close()

    def rows(self, service: str, sql: str, /, **parameters: Any) -> list[Row]:
        """Rows of a service's database."""
        return self._open[service].execute(sql.encode(), parameters).fetchall()

    def run(self, service: str, sql: str, /, **parameters: Any) -> int:
        """Execute in a service's database; returns how many rows it touched."""
        return self._open[service].execute(sql.encode(), parameters).rowcount

    def look(self, ids: Collection[str], codes: Collection[str], phones: Collection[str]) -> Look:
        """All that is known of these registrations, codes and phones (E.164)."""
        ids, codes, phones = list(ids), list(codes), list(phones)
        registrations = self.rows("registration", REGISTRATIONS, ids=ids)
        accounts = self.rows("identity", ACCOUNTS, codes=codes, phones=phones)
        return Look(
            registrations={row["id"]: row for row in registrations},
            cases={row["registration_id"]: row for row in self.rows("identity", CASES, ids=ids)},
            people={row["number"]: row["person_id"] for row in self.rows("identity", PEOPLE, codes=codes)},
            accounts=accounts,
            credentials=self.rows("identity", CREDENTIALS, accounts=[row["id"] for row in accounts]),
            messages=self.rows("notification", MESSAGES, ids=ids),
        )

    def noted(self, ids: Collection[str]) -> set[tuple[str, str]]:
        """Which listeners have noted which of these events: ``(service.method, id)``."""
        rows = [row for service in self._open for row in self.rows(service, NOTED, ids=list(ids))]
        return {(row["listener"], row["event_id"]) for row in rows}

    def under_way(self) -> Iterator[str]:
        """What is not finished yet in each service."""
        for service in self._open:
            for what, count in self.rows(service, UNDER_WAY)[0].items():
                if count:
                    yield f"{service}: {count} {what}"

    def given_up(self, ids: Collection[str]) -> Iterator[str]:
        """Jobs for these registrations that nobody will run any more."""
        for service in self._open:
            yield from (
                f"{service} gave up {row['kind']}" for row in self.rows(service, GIVEN_UP, ids=list(ids))
            )


# -- at any moment ---------------------------------------------------------------------------------------


def never(before: Look, now: Look) -> None:
    """Raise ``AssertionError`` where a rule is broken, whatever is still under way."""
    wrong = [
        *_registrations(before, now),
        *_cases(before, now),
        *_one_code_a_phone(now),
        *_one_person_a_code(now),
    ]
    assert not wrong, "; ".join(wrong)


def _registrations(before: Look, now: Look) -> Iterator[str]:
    for who, row in now.registrations.items():
        yield from _timeline(who, row)
        case = now.cases.get(who)
        wanted = CASE_OF.get(row["status"]) if row["declaration_number"] else None
        if wanted and (case is None or case["status"] != wanted):
            yield f"{who} is {row['status']}, its case {case and case['status']}"
        old = before.registrations.get(who)
        if old is None:
            continue
        if row["status"] not in reachable(old["status"]):
            yield f"{who} went from {old['status']} to {row['status']}"
        if _lines(row)[: len(old["timeline"])] != _lines(old):
            yield f"the timeline of {who} lost or changed a line"
        if old["declaration_number"] not in (None, row["declaration_number"]):
            yield f"{who} has another declaration number"
    for who in before.registrations.keys() - now.registrations.keys():
        yield f"{who} is gone"


def _lines(row: Row) -> list[tuple[str, ...]]:
    return [(line["step"], line["at"], line["detail"]) for line in row["timeline"]]


def _timeline(who: str, row: Row) -> Iterator[str]:
    lines = [line["step"] for line in row["timeline"]]
    times = [line["at"] for line in row["timeline"]]
    if lines[:1] != ["started"]:
        yield f"the timeline of {who} does not begin with its beginning"
    if times != sorted(times):
        yield f"the timeline of {who} goes back"
    endings = [line for line in lines if line in ENDINGS]
    if len(endings) > 1:
        yield f"{who} has {len(endings)} endings"
    counts = Counter(line for line in lines if line in ONCE)
    counts += Counter(
        f"{line['step']} {line['credential_id']}" for line in row["timeline"] if line["step"] in ONCE_EACH
    )
    yield from (f"{who} was told {line} {count} times" for line, count in counts.items() if count > 1)


def _cases(before: Look, now: Look) -> Iterator[str]:
    for who, old in before.cases.items():
        row = now.cases.get(who)
        if row is None:
            yield f"the case of {who} is gone"
        elif old["status"] != "waiting" and row != old:
            yield f"the case of {who} had an ending, {old['status']}, and has another, {row['status']}"


def _one_code_a_phone(now: Look, *accounts: Row) -> Iterator[str]:
    """Among applications that are not decided, at any moment; among them and the accounts, at rest."""
    codes, phones = defaultdict(set), Counter()
    for row in (*(row for row in now.registrations.values() if row["status"] in OPEN), *accounts):
        codes[row["phone"]].add(row["code"])
    yield from (f"a phone has {len(found)} codes" for found in codes.values() if len(found) > 1)
    for found in (accounts, [row for row in now.registrations.values() if row["status"] in OPEN]):
        phones = Counter(row["phone"] for row in found)
        yield from (f"a phone is held {count} times" for count in phones.values() if count > 1)
        numbers = Counter(row["code"] for row in found)
        yield from (f"a code is held {count} times" for count in numbers.values() if count > 1)


def _one_person_a_code(now: Look) -> Iterator[str]:
    accounts = Counter(account["code"] for account in now.accounts)
    yield from (f"a code has {count} accounts" for count in accounts.values() if count > 1)
    live = Counter((c["account_id"], c["state"]) for c in now.credentials if c["state"] != "ended")
    yield from (
        f"an account has {count} passwords {state}" for (_, state), count in live.items() if count > 1
    )
    moved = {account["code"] for account in now.accounts if "changed" in account["changes"]}
    last: dict[str, tuple[str, ...]] = {}
    at_the_desk = [c for c in now.cases.values() if c["status"] == "verified" and c["ended_by"]]
    for case in sorted(at_the_desk, key=lambda case: case["ended_at"]):
        contact = (case["phone"], case["email"], case["name"])
        if last.get(case["code"]) == contact and case["code"] not in moved:
            yield "a code was verified at the desk twice, with nothing new"
        last[case["code"]] = contact


# -- at rest ---------------------------------------------------------------------------------------------


def disagreements(look: Look) -> list[str]:
    """What the services have not told each other yet; empty once all is done."""
    return [
        *_of_registrations(look),
        *_of_accounts(look),
        *_of_messages(look),
    ]


def _of_registrations(look: Look) -> Iterator[str]:
    for who, row in look.registrations.items():
        case = look.cases.get(who)
        if not row["declaration_number"]:
            if case is not None:
                yield f"{who} was never submitted, and has a case"
        elif case is None:
            yield f"{who} was submitted, and has no case"
        elif case["status"] == "waiting":
            if row["status"] not in ("awaiting_visit", "supplement_requested"):
                yield f"{who} is {row['status']}, its case waits"
        elif CASE_OF.get(row["status"]) != case["status"]:
            yield f"{who} is {row['status']}, its case {case['status']}"
        held = row["claims"] or []
        if row["status"] in OPEN and not {row["phone"], row["code"]} <= set(held):
            yield f"{who} is {row['status']}, and does not hold its phone and code"
        if row["status"] in {*CLOSED, "draft"} and held:
            yield f"{who} is {row['status']}, and holds {len(held)} numbers"


def _of_accounts(look: Look) -> Iterator[str]:
    codes = {account["code"]: account["id"] for account in look.accounts}
    for who, case in look.cases.items():
        issued = look.credentials_of(who)
        if case["status"] == "verified":
            if case["code"] not in look.people or case["code"] not in codes:
                yield f"{who} is verified, and nobody has an account"
            if not issued:
                yield f"{who} is verified, and no password was made"
        elif issued:
            yield f"{who} is {case['status']}, and a password was made"
    yield from _one_code_a_phone(look, *look.accounts)
    held = [set(row["claims"] or ()) for row in look.registrations.values() if row["status"] not in OPEN]
    for account in look.accounts:
        if "pending" in account["changes"]:
            yield f"the contact of account {account['id']} is being changed"
        if not any({account["phone"], account["code"]} <= values for values in held):
            yield f"account {account['id']} does not hold its phone and code"
        if not any(c["account_id"] == account["id"] and c["state"] != "ended" for c in look.credentials):
            yield f"account {account['id']} has no password that opens it"


def _of_messages(look: Look) -> Iterator[str]:
    written = Counter((m["registration_id"], m["channel"], m["purpose"]) for m in look.messages)
    for message in look.messages:
        if message["state"] in ("waiting", "sending"):
            yield f"{message['registration_id']}: {message['purpose']} is {message['state']}"
    for who, case in look.cases.items():
        purposes = {"rejected": case["status"] == "rejected", "closed": case["status"] == "closed"}
        for (purpose, is_due), channel in _pairs(purposes.items(), ("sms", "email")):
            if written[who, channel, purpose] != int(is_due):
                yield f"{who} is {case['status']}: {written[who, channel, purpose]} {channel} {purpose}"
        made = Counter(credential["channel"] for credential in look.credentials_of(who))
        for way, channel, purpose in MESSAGES_OF_A_CREDENTIAL:
            if written[who, channel, purpose] != made[way]:
                yield f"{who}: {written[who, channel, purpose]} {channel} {purpose} of {made[way]} by {way}"
        instructions = written[who, "email", "instructions"]
        if not min(made["sms"], 1) <= instructions <= made["sms"]:  # one at each contact
            yield f"{who}: {instructions} e-mails with instructions of {made['sms']} passwords by sms"


def more_lines_than_events(look: Look, told: Counter[tuple[str, str]]) -> Iterator[str]:
    """Lines written more often than there was something to write: an event that took effect twice. ``told``
    counts the different events by registration and type."""
    for who, row in look.registrations.items():
        counts = Counter(line["step"] for line in row["timeline"])
        for line, cause in CAUSES.items():
            if counts[line] > told[who, cause]:
                yield f"{who} was told {line} {counts[line]} times of {told[who, cause]} events"


def _pairs(ones: Iterable[Any], others: Iterable[Any]) -> list[tuple[Any, Any]]:
    return [(one, other) for one in ones for other in others]
