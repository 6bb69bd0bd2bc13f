"""The ledger: what clients were told, against what became of it. The same checker for demo, tests and faults.

Clients write down what the gateway told them: an accepted registration, an officer's decision, a changed
password. ``check`` joins that with the databases and with what the stand-in SMSC and mail server received.
Three lists come out, and always all three must be empty:

- lost: promised, and not there;
- duplicates: there twice by the key under which there may be one;
- unasked: an effect that nobody asked for.

Problems name registrations by their ids; nothing of a person is in them.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

from shared.testing.inbox import Inbox, international

REGISTRATIONS = """
SELECT id::text, status, declaration_number FROM registrations WHERE id = ANY(%(ids)s::uuid[])
"""
CASES = "SELECT registration_id::text, status FROM cases WHERE registration_id = ANY(%(ids)s::uuid[])"
ACCOUNTS = "SELECT id::text, code, phone FROM accounts WHERE code = ANY(%(codes)s) OR phone = ANY(%(phones)s)"
CREDENTIALS = """
SELECT account_id::text, cause, state, valid_until IS NOT NULL AS issued, delivery, channel
  FROM credentials WHERE account_id = ANY(%(accounts)s::uuid[])
"""
MESSAGES = """
SELECT recipient, channel, purpose, state, cause_event_id::text
  FROM message WHERE recipient = ANY(%(recipients)s)
"""
VOICE = "voice"
SETTLE_SECONDS = 1.0
FINAL = {"verified": "completed", "rejected": "rejected", "expired": "expired", None: "awaiting_visit"}
CASE = {"verified": "verified", "rejected": "rejected", "expired": "closed", None: "waiting"}
ENDING_TOLD = {"rejected": "rejected", "expired": "closed"}
"""Endings without an account, and the purpose of the message that tells it."""


@dataclass
class Promise:
    """One accepted registration and what was told of it since. ``phone`` is E.164."""

    registration_id: str
    declaration_number: str
    code: str
    phone: str
    email: str
    otp_requests: int = 1
    decision: str | None = None
    passwords_changed: int = 0
    reissued: int = 0
    log_in_codes: int = 0
    resets: int = 0
    thefts: int = 0


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


class Ledger:
    """What clients were told; may be written from any thread. ``endpoints``: as of ``make endpoints``."""

    def __init__(self, endpoints: Mapping[str, Any]) -> None:
        self._databases: Mapping[str, str] = endpoints["databases"]
        self._inbox = Inbox(endpoints["sms"], endpoints["mail"])
        self._promises: dict[str, Promise] = {}
        self._drafts: set[str] = set()
        self._lock = threading.Lock()

    # --- written by clients ----------------------------------------------------------------------

    def started(self, registration_id: str) -> None:
        """A draft; unless it is accepted, nothing may come of it."""
        with self._lock:
            self._drafts.add(registration_id)

    def accepted(
        self,
        registration_id: str,
        declaration_number: str,
        *,
        code: str,
        phone: str,
        email: str,
        otp_requests: int = 1,
    ) -> None:
        """The gateway answered a submission with 202. The same answer again is the same promise."""
        phone = "+" + international(phone)
        promise = Promise(registration_id, declaration_number, code, phone, email.lower(), otp_requests)
        with self._lock:
            known = self._promises.setdefault(registration_id, promise)
        if known.declaration_number != declaration_number:
            raise AssertionError(f"registration {registration_id} was told two declaration numbers")

    def decided(self, registration_id: str, decision: str) -> None:
        """The officer was told that the decision is taken, ``verified`` or ``rejected``; or the citizen saw
        that the deadline has passed: ``expired``."""
        with self._lock:
            self._promises[registration_id].decision = decision

    def changed_password(self, registration_id: str) -> None:
        """The citizen was told that the password is changed."""
        with self._lock:
            self._promises[registration_id].passwords_changed += 1

    def reissued(self, registration_id: str) -> None:
        """A voice platform was given a password to read to the citizen."""
        with self._lock:
            self._promises[registration_id].reissued += 1

    def logged_in_with_code(self, registration_id: str) -> None:
        """A code by SMS let the citizen in on a new device, not the first."""
        with self._lock:
            self._promises[registration_id].log_in_codes += 1

    def reset_password(self, registration_id: str) -> None:
        """A code to the e-mail let the citizen choose another password."""
        with self._lock:
            self._promises[registration_id].resets += 1

    def stolen(self, registration_id: str) -> None:
        """A session was seen in two hands and has ended."""
        with self._lock:
            self._promises[registration_id].thefts += 1

    def declaration_number(self, registration_id: str) -> str:
        """The number that was told."""
        with self._lock:
            return self._promises[registration_id].declaration_number

    @property
    def registration_ids(self) -> list[str]:
        """All that was accepted."""
        with self._lock:
            return list(self._promises)

    # --- checked ---------------------------------------------------------------------------------

    def wait_until_final(self, seconds: float = 60.0) -> Report:
        """Check until nothing is missing or the time is over; then once more, for what comes late."""
        end = time.monotonic() + seconds
        while (report := self.check()).lost and time.monotonic() < end:
            time.sleep(0.5)
        time.sleep(SETTLE_SECONDS)
        return self.check() if not report.lost else report

    def check(self) -> Report:
        """Join everything, now."""
        with self._lock:
            promises, drafts = list(self._promises.values()), set(self._drafts)
        return judge(promises, drafts, self._look(promises, drafts))

    def _look(self, promises: list[Promise], drafts: set[str]) -> Found:
        ids = [promise.registration_id for promise in promises]
        people = {"codes": [p.code for p in promises], "phones": [p.phone for p in promises]}
        recipients = {p.phone for p in promises} | {p.email for p in promises}
        with psycopg.connect(self._databases["registration"], row_factory=dict_row) as registration:
            registrations = registration.execute(REGISTRATIONS, {"ids": ids}).fetchall()
        with psycopg.connect(self._databases["identity"], row_factory=dict_row) as identity:
            cases = identity.execute(CASES, {"ids": [*ids, *(drafts - set(ids))]}).fetchall()
            accounts = identity.execute(ACCOUNTS, people).fetchall()
            owned = {"accounts": [account["id"] for account in accounts]}
            credentials = identity.execute(CREDENTIALS, owned).fetchall()
        with psycopg.connect(self._databases["notification"], row_factory=dict_row) as notification:
            messages = notification.execute(MESSAGES, {"recipients": list(recipients)}).fetchall()
        sms = [{**row, "to": "+" + international(row["to"])} for row in self._inbox.sms()]
        emails = [{**row, "to": row["to"].lower()} for row in self._inbox.emails()]
        return Found(
            registrations={row["id"]: row for row in registrations},
            cases={row["registration_id"]: row["status"] for row in cases},
            accounts=accounts,
            credentials=_grouped(credentials, "account_id"),
            messages=messages,
            sms=[row for row in sms if row["to"] in recipients],
            emails=[row for row in emails if row["to"] in recipients],
        )


Row = dict[str, Any]


@dataclass
class Found:
    """What is really there, of those in the ledger: rows of the databases, messages of the stand-ins
    (``to`` of an SMS in E.164, of an e-mail in lower case)."""

    registrations: dict[str, Row]
    cases: dict[str, str]
    accounts: list[Row]
    credentials: dict[str, list[Row]]
    messages: list[Row]
    sms: list[Row]
    emails: list[Row]

    def accounts_of(self, promise: Promise) -> list[Row]:
        """Accounts that bear the code or the phone."""
        return [a for a in self.accounts if a["code"] == promise.code or a["phone"] == promise.phone]

    def issued_to(self, promise: Promise) -> list[Row]:
        """The passwords that were issued: one, or one more for each that may have been lost on its way."""
        return [
            credential
            for account in self.accounts_of(promise)
            for credential in self.credentials.get(account["id"], [])
            if credential["issued"] and credential["cause"].startswith(promise.registration_id)
        ]


def judge(promises: list[Promise], drafts: set[str], found: Found) -> Report:
    """What was promised against what is there."""
    report = Report(sms_received=len(found.sms), emails_received=len(found.emails))
    for promise in promises:
        _check_registration(promise, found, report)
        _check_account(promise, found, report)
    for registration_id in drafts - {promise.registration_id for promise in promises}:
        if registration_id in found.cases:
            report.unasked.append(f"{registration_id}: a case for a draft that was not accepted")
    _check_received(promises, found, report)
    _check_written(promises, found, report)
    return report


def _check_registration(promise: Promise, found: Found, report: Report) -> None:
    who = promise.registration_id
    registration, case = found.registrations.get(who), found.cases.get(who)
    if registration is None or registration["declaration_number"] != promise.declaration_number:
        report.lost.append(f"{who}: accepted, but its declaration is not there")
    elif registration["status"] != FINAL[promise.decision]:
        report.lost.append(f"{who}: {registration['status']}, not {FINAL[promise.decision]}")
    if case is None:
        report.lost.append(f"{who}: no case")
    elif promise.decision is not None and case != CASE[promise.decision]:
        report.lost.append(f"{who}: decided {promise.decision}, but its case is {case}")


def _check_account(promise: Promise, found: Found, report: Report) -> None:
    who, accounts = promise.registration_id, found.accounts_of(promise)
    if len(accounts) > 1:
        report.duplicates.append(f"{who}: {len(accounts)} accounts")
    if promise.decision != "verified":
        if found.issued_to(promise):
            report.unasked.append(f"{who}: a password for somebody who was not verified")
        return
    if not accounts:
        report.lost.append(f"{who}: no account")
        return
    _check_spoken(promise, found, report)
    live = [
        c
        for account in accounts
        for c in found.credentials.get(account["id"], [])
        if c["state"] != "ended" and c.get("channel") != VOICE
    ]
    if not live:
        report.lost.append(f"{who}: no credential")
    if len(live) > 1:
        report.duplicates.append(f"{who}: {len(live)} passwords that open the account")
    issued = found.issued_to(promise)
    if not issued:
        report.lost.append(f"{who}: no password was issued")
    arrived = [credential for credential in issued if credential["delivery"] != "failed"]
    if len(arrived) > 1:
        report.duplicates.append(f"{who}: {len(arrived)} passwords, none of which was lost on its way")


def _check_spoken(promise: Promise, found: Found, report: Report) -> None:
    """Passwords that were read aloud: as many as were told. One of them may still wait beside the own one."""
    spoken = [
        credential
        for account in found.accounts_of(promise)
        for credential in found.credentials.get(account["id"], [])
        if credential.get("channel") == VOICE
    ]
    who = f"{promise.registration_id}: {len(spoken)} passwords by the hotline, {promise.reissued} were told"
    if len(spoken) < promise.reissued:
        report.lost.append(who)
    elif len(spoken) > promise.reissued:
        (report.duplicates if promise.reissued else report.unasked).append(who)


def _check_received(promises: list[Promise], found: Found, report: Report) -> None:
    """What the SMSC and the mail server received: enough of each, not too much, nothing twice."""
    for text, count in Counter((row["to"], row["text"]) for row in found.sms).items():
        if count > 1:
            report.duplicates.append(f"{_whose(promises, text[0])}: the same SMS {count} times")
    for message_id, count in Counter(row["message_id"] for row in found.emails).items():
        if count > 1:
            report.duplicates.append(f"the e-mail {message_id} arrived {count} times")
    received = Counter((row["to"], "sms") for row in found.sms)
    received += Counter((row["to"], row["purpose"]) for row in found.emails)
    least: Counter[tuple[str, str]] = Counter()
    most: Counter[tuple[str, str]] = Counter()
    for promise in promises:
        for key, few, many in _due(promise, len(found.issued_to(promise))):
            least[key] += few
            most[key] += many
    unknown = Counter(
        (row["recipient"], row["purpose"])
        for row in found.messages
        if row["channel"] == "email" and row["state"] == "unknown"
    )
    for key in least:
        missing = least[key] - received[key]
        if missing > 0:
            kind = report.unknown if missing <= unknown[key] else report.lost
            kind.append(f"{_whose(promises, key[0])}: {received[key]} of {least[key]} {key[1]}")
    for key, count in received.items():
        if count > most[key]:
            kind = report.duplicates if most[key] else report.unasked
            kind.append(f"{_whose(promises, key[0])}: {count} {key[1]}, where {most[key]} was due")


def _due(promise: Promise, issued: int) -> Iterator[tuple[tuple[str, str], int, int]]:
    """For each recipient and purpose: the least and the most messages that are right."""
    verified, ended = promise.decision == "verified", promise.decision in ENDING_TOLD
    changed = promise.passwords_changed
    yield (promise.email, "email_otp"), 1, max(1, promise.otp_requests)
    spoken, codes = promise.reissued, promise.log_in_codes
    extra = spoken + codes + promise.resets + promise.thefts
    yield (promise.phone, "sms"), int(verified or ended) + extra, (issued if verified else int(ended)) + extra
    yield (promise.email, "reissued"), spoken, spoken
    yield (promise.email, "new_device"), codes + promise.thefts, codes + promise.thefts
    yield (promise.email, "reset_otp"), promise.resets, promise.resets
    yield (promise.email, "instructions"), int(verified), issued if verified else 0
    for decision, purpose in ENDING_TOLD.items():
        told = int(promise.decision == decision)
        yield (promise.email, purpose), told, told
    yield (promise.email, "password_changed"), changed, changed


def _check_written(promises: list[Promise], found: Found, report: Report) -> None:
    """Notification's own book: one message for each cause, channel and purpose."""
    written = Counter(
        (row["recipient"], row["cause_event_id"], row["channel"], row["purpose"]) for row in found.messages
    )
    for key, count in written.items():
        if count > 1:
            report.duplicates.append(f"{_whose(promises, key[0])}: {count} messages of one cause: {key[3]}")


def _whose(promises: Iterable[Promise], recipient: str) -> str:
    return next((p.registration_id for p in promises if recipient in (p.phone, p.email)), "nobody's")


def _grouped(rows: list[Row], name: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[name]].append(row)
    return groups
