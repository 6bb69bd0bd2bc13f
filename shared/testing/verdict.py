"""What was promised against what is there: the rules by which the ledger judges.

A phone has one account and an account one password that opens it, with two exceptions, each of which the
promises themselves have to give a reason for: the children of a guardian are reached at the guardian's phone;
and who registers again, verified before, gets a first password beside the one in use, until it is changed.
A child of two guardians is reached at the first one's contact; when that guardianship is ended, at the
other's, with another first password; and nowhere when none is left.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shared.testing.promised import ENDING_TOLD, NOW, Book, Promise

Row = dict[str, Any]

CASE = {"verified": "verified", "reused": "verified", "rejected": "rejected", "expired": "closed"}
"""How a case has ended, by what was told of it."""
NAMES_THE_ACCOUNT = ("sms", "instructions")
"""Messages that may say whose account they are about: a phone may be that of several."""
VOICE = "voice"
CODE = re.compile(r"(?<!\d)(?:\d{10}|\d{12})(?!\d)")


@dataclass
class Report:
    """What does not fit. ``unknown`` is allowed: e-mails whose sender was killed while the mail server had
    the last word, which are never sent again blindly; the product's own book says so of each."""

    lost: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    sms_received: int = 0
    emails_received: int = 0

    @property
    def is_clean(self) -> bool:
        """Nothing lost, nothing doubled, nothing unasked."""
        return not (self.lost or self.duplicates or self.unasked)

    def __str__(self) -> str:
        rows = [("lost", self.lost), ("duplicates", self.duplicates), ("unasked", self.unasked)]
        return "\n".join(f"{name}: {problem}" for name, problems in rows for problem in problems) or "clean"


@dataclass
class Found:
    """What is really there, of those in the ledger: rows of the databases, messages of the stand-ins
    (``to`` of an SMS in E.164, of an e-mail in lower case). ``guardianships``: the guardian's ``account_id``,
    the child's ``code``, and ``where`` that is kept, in identity and in history."""

    registrations: dict[str, Row]
    cases: dict[str, Row]
    accounts: list[Row]
    credentials: dict[str, list[Row]]
    messages: list[Row]
    sms: list[Row]
    emails: list[Row]
    guardianships: list[Row] = field(default_factory=list)

    def accounts_of(self, promise: Promise, household: Collection[str]) -> list[Row]:
        """The person's, and those that have the phone without belonging to the household."""
        return [
            account
            for account in self.accounts
            if account["code"] == promise.code
            or (account["phone"] == promise.phone and account["code"] not in household)
        ]

    def passwords_of(self, accounts: Iterable[Row]) -> list[Row]:
        """Those of the accounts, live and ended."""
        return [row for account in accounts for row in self.credentials.get(account["id"], [])]

    def issued(self) -> dict[str, list[Row]]:
        """The first passwords by registration: one, and one more for each that was lost on its way."""
        every = (row for rows in self.credentials.values() for row in rows)
        return grouped((row | {"for": _registration_of(row)} for row in every if row["issued"]), "for")


def _registration_of(credential: Row) -> str:
    """A cause is the registration, with the number of the replacement behind it; or a session."""
    return str(credential["cause"]).split(" ", 1)[0]


def judge(promises: Sequence[Promise], drafts: set[str], found: Found) -> Report:
    """What was promised against what is there."""
    report, book = Report(sms_received=len(found.sms), emails_received=len(found.emails)), Book(promises)
    issued = found.issued()
    for promise in promises:
        _check_registration(promise, found, report)
        _check_verified_once(promise, book, report)
        _check_account(promise, book, found, issued.get(promise.registration_id, []), report)
    for registration_id in drafts - {promise.registration_id for promise in promises}:
        if registration_id in found.cases:
            report.unasked.append(f"{registration_id}: a case for a draft that was not accepted")
    _check_guardianships(book, found, report)
    _check_alike(book, found, report)
    _check_received(book, found, issued, report)
    _check_written(book, found, report)
    return report


def _check_registration(promise: Promise, found: Found, report: Report) -> None:
    who = promise.registration_id
    registration, case = found.registrations.get(who), found.cases.get(who)
    if registration is None or registration["declaration_number"] != promise.declaration_number:
        report.lost.append(f"{who}: accepted, but its declaration is not there")
    elif registration["status"] != promise.status:
        report.lost.append(f"{who}: {registration['status']}, not {promise.status}")
    if case is None:
        report.lost.append(f"{who}: no case")
        return
    if promise.decision is not None and case["status"] != CASE[promise.decision]:
        report.lost.append(f"{who}: decided {promise.decision}, but its case is {case['status']}")
    if promise.supplements_sent and not case["supplemented"]:
        report.lost.append(f"{who}: the supplement that was sent is not at the desk")
    if promise.is_verified and case["by_officer"] != (promise.decision == "verified"):
        report.unasked.append(f"{who}: {promise.decision}, but by officer is {case['by_officer']}")


def _check_verified_once(promise: Promise, book: Book, report: Report) -> None:
    """A person is verified once, for life; only who was is verified again without the desk."""
    who = promise.registration_id
    before = [
        p
        for p in book.of_person(promise.code)
        if p.decision == "verified" and p is not promise and book.head_of(p) == book.head_of(promise)
    ]
    lasting = [p for p in before if p.ended_step is None]
    if promise.decision == "verified" and promise.ended_step is None and lasting:
        report.duplicates.append(f"{who}: verified at the desk, as before in {lasting[0].registration_id}")
    if promise.decision == "reused" and not any(
        (p.phone, p.email) == (promise.phone, promise.email) for p in before
    ):
        report.unasked.append(f"{who}: verified without the desk, and not before with this contact")


def _check_account(promise: Promise, book: Book, found: Found, issued: Sequence[Row], report: Report) -> None:
    who, accounts = promise.registration_id, found.accounts_of(promise, book.household_of(promise))
    if len(accounts) > 1:
        report.duplicates.append(f"{who}: {len(accounts)} accounts")
    if not promise.is_verified:
        if issued:
            report.unasked.append(f"{who}: a password for somebody who was not verified")
        return
    if not accounts:
        report.lost.append(f"{who}: no account")
        return
    if any(account["phone"] != book.contact_of(promise)[0] for account in accounts):
        report.lost.append(f"{who}: its account is reached at another phone")
    passwords = found.passwords_of(accounts)
    _check_spoken(promise, book, passwords, report)
    _check_live(promise, book, passwords, report)
    if not issued:
        report.lost.append(f"{who}: no password was issued")
    if {password["account_id"] for password in issued} - {account["id"] for account in accounts}:
        report.unasked.append(f"{who}: its password opens somebody else's account")
    arrived = [password for password in issued if password["delivery"] != "failed"]
    if len(arrived) > 1 + len(book.moves(promise.code)):
        report.duplicates.append(f"{who}: {len(arrived)} passwords, none of which was lost on its way")


def _check_live(promise: Promise, book: Book, passwords: Sequence[Row], report: Report) -> None:
    """One password opens the account; beside it, at the most, one first password of who was verified again
    and has not changed it yet."""
    who, printed = promise.registration_id, [row for row in passwords if row.get("channel") != VOICE]
    live = [row for row in printed if row["state"] != "ended"]
    again = {p.registration_id for p in book.of_person(promise.code) if book.may_wait_with_a_password(p)}
    waiting = [row for row in live if row["state"] == "issued" and _registration_of(row) in again]
    if not book.contact_of(promise)[0]:
        if live:
            report.unasked.append(f"{who}: a password of a child whom nobody represents any more")
        return
    if not live:
        report.lost.append(f"{who}: no credential")
    if len(waiting) > 1 or len(live) - len(waiting) > 1:
        report.duplicates.append(f"{who}: {len(live)} passwords that open the account")


def _check_spoken(promise: Promise, book: Book, passwords: Sequence[Row], report: Report) -> None:
    """Passwords that were read aloud: as many as were told. One of them may still wait beside the own one."""
    spoken = sum(row.get("channel") == VOICE for row in passwords)
    told = sum(registration.reissued for registration in book.of_person(promise.code))
    problem = f"{promise.registration_id}: {spoken} passwords by the hotline, {told} were told"
    if spoken < told:
        report.lost.append(problem)
    elif spoken > told:
        (report.duplicates if told else report.unasked).append(problem)


def _check_guardianships(book: Book, found: Found, report: Report) -> None:
    """Each child that was verified has its guardian, in identity and in history, until that is ended; nobody
    else has one."""
    accounts = {account["code"]: account["id"] for account in found.accounts}
    children = [p for p in book.promises if p.is_guardianship(NOW)]
    promised = {(accounts.get(book.head_of(child)), child.code): child for child in children}
    kept = Counter((row["where"], row["account_id"], row["code"]) for row in found.guardianships)
    for (guardian, code), child in promised.items():
        for where in ("identity", "history"):
            count = kept[where, guardian, code]
            if count != 1:
                kind = report.duplicates if count else report.lost
                kind.append(f"{child.registration_id}: {count} guardianships in {where}")
    for where, guardian, code in kept:
        if (guardian, code) not in promised:
            who = next((p.registration_id for p in book.of_person(code)), "nobody's")
            report.unasked.append(f"{who}: a guardian in {where} whom no officer confirmed, or who was ended")


class Received(NamedTuple):
    """A kind of message to somebody. ``code``: the account that it names, if it may name one."""

    to: str
    purpose: str
    code: str = ""


def _kind(book: Book, to: str, purpose: str, text: str) -> Received:
    named = CODE.findall(text) if purpose in NAMES_THE_ACCOUNT else []
    codes = {promise.code for promise in book.reached_at(to)}
    return Received(to, purpose, next((code for code in named if code in codes), ""))


def _check_alike(book: Book, found: Found, report: Report) -> None:
    """No message twice. What names no account may read alike where there was as much to tell."""
    for (to, text), count in Counter((row["to"], row["text"]) for row in found.sms).items():
        names_an_account = bool(_kind(book, to, "sms", text).code)
        if count > (1 if names_an_account else _alike_due(book, to)):
            report.duplicates.append(f"{book.whose(to)}: the same SMS {count} times")
    for message_id, count in Counter(row["message_id"] for row in found.emails).items():
        if count > 1:
            report.duplicates.append(f"the e-mail {message_id} arrived {count} times")


def _alike_due(book: Book, phone: str) -> int:
    """How many SMS to this phone may read the same."""
    there = book.reached_at(phone)
    endings = Counter(promise.decision for promise in there if promise.decision in ENDING_TOLD)
    supplements = sum(promise.supplements_asked for promise in there)
    ended = sum(promise.ended_step is not None for promise in there)
    return max(1, ended, supplements, sum(promise.reissued for promise in there), *endings.values())


def _check_received(book: Book, found: Found, issued: Mapping[str, Sequence[Row]], report: Report) -> None:
    """What the SMSC and the mail server received: enough of each, not too much."""
    received = Counter(_kind(book, row["to"], "sms", row["text"]) for row in found.sms)
    received += Counter(_kind(book, row["to"], row["purpose"], row["text"]) for row in found.emails)
    least: Counter[Received] = Counter()
    most: Counter[Received] = Counter()
    for promise in book.promises:
        for key, few, many in _due(promise):
            least[key] += few
            most[key] += many
    for code in {promise.code for promise in book.promises}:
        passwords = _passwords_due(book, code)
        spare = sum(len(issued.get(p.registration_id, ())) for p in book.of_person(code) if p.is_verified)
        spare -= sum(passwords.values())
        for (phone, email), count in passwords.items():
            for key in (Received(phone, "sms", code), Received(email, "instructions", code)):
                least[key] += count
                most[key] += max(count, count + spare)
    unknown = Counter(
        Received(
            row["recipient"],
            row["purpose"],
            book.code_of(row["registration_id"]) if row["purpose"] in NAMES_THE_ACCOUNT else "",
        )
        for row in found.messages
        if row["channel"] == "email" and row["state"] == "unknown"
    )
    for key in least:
        missing = least[key] - received[key]
        if missing > 0:
            kind = report.unknown if missing <= unknown[key] else report.lost
            kind.append(f"{book.whose(key.to, key.code)}: {received[key]} of {least[key]} {key.purpose}")
    for key, count in received.items():
        if count > most[key]:
            kind = report.duplicates if most[key] else report.unasked
            kind.append(f"{book.whose(key.to, key.code)}: {count} {key.purpose}, where {most[key]} was due")


def _passwords_due(book: Book, code: str) -> Counter[tuple[str, str]]:
    """How many first passwords were due at which contact of a person; more of them only replace others."""
    due: Counter[tuple[str, str]] = Counter()
    for promise in book.of_person(code):
        if promise.is_verified:
            due[book.contact_of(promise, promise.step)] += 1
    for ended in book.moves(code):
        due[book.contact_of(ended, ended.ended_step or 0)] += 1
    return due


def _due(promise: Promise) -> Iterator[tuple[Received, int, int]]:
    """For each kind of message but passwords: the least and the most that are right."""
    changed, over = promise.passwords_changed, int(promise.ended_step is not None)
    ended, asked = int(promise.decision in ENDING_TOLD), promise.supplements_asked
    spoken, codes = promise.reissued, promise.log_in_codes
    new_devices = promise.new_devices + codes
    notices = ended + asked + spoken + codes + promise.resets + promise.thefts + over
    code_confirmed = int(promise.guardian is None)
    yield Received(promise.email, "email_otp"), code_confirmed, max(code_confirmed, promise.otp_requests)
    yield Received(promise.phone, "sms"), notices, notices
    yield Received(promise.email, "guardianship_ended"), over, over
    yield Received(promise.email, "supplement"), asked, asked
    for decision, purpose in ENDING_TOLD.items():
        told = int(promise.decision == decision)
        yield Received(promise.email, purpose), told, told
    yield Received(promise.email, "password_changed"), changed, changed
    yield Received(promise.email, "reissued"), spoken, spoken
    yield Received(promise.email, "reset_otp"), promise.resets, promise.resets
    yield Received(promise.email, "new_device"), new_devices, new_devices
    yield Received(promise.email, "session_copied"), promise.thefts, promise.thefts


def _check_written(book: Book, found: Found, report: Report) -> None:
    """Notification's own book: one message for each cause, channel and purpose."""
    written = Counter(
        (row["recipient"], row["cause_event_id"], row["channel"], row["purpose"]) for row in found.messages
    )
    for key, count in written.items():
        if count > 1:
            report.duplicates.append(f"{book.whose(key[0])}: {count} messages of one cause: {key[3]}")


def grouped(rows: Iterable[Row], name: str) -> dict[str, list[Row]]:
    """Rows by one of their columns."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[name], []).append(row)
    return groups
