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

import itertools
import threading
import time
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import dict_row

from shared.testing.inbox import Inbox, international
from shared.testing.verdict import Found, Promise, Report, grouped, judge

REGISTRATIONS = """
SELECT id::text, status, declaration_number FROM registrations WHERE id = ANY(%(ids)s::uuid[])
"""
CASES = """
SELECT registration_id::text, status, ended_by IS NOT NULL AS by_officer,
       supplement ->> 'answered_at' IS NOT NULL AS supplemented
  FROM cases WHERE registration_id = ANY(%(ids)s::uuid[])
"""
ACCOUNTS = "SELECT id::text, code, phone FROM accounts WHERE code = ANY(%(codes)s) OR phone = ANY(%(phones)s)"
CREDENTIALS = """
SELECT account_id::text, cause, state, valid_until IS NOT NULL AS issued, delivery, channel
  FROM credentials WHERE account_id = ANY(%(accounts)s::uuid[])
"""
GUARDIANSHIPS = """
SELECT 'identity' AS where, g.account_id::text, a.code
  FROM guardianships g JOIN accounts a ON a.person_id = g.child_person_id
 WHERE g.valid_until > now() AND (a.code = ANY(%(codes)s) OR g.account_id = ANY(%(accounts)s::uuid[]))
"""
GUARDIANSHIPS_HEARD = """
SELECT 'history' AS where, account_id::text, code
  FROM guardianships
 WHERE valid_until > now() AND (code = ANY(%(codes)s) OR account_id = ANY(%(accounts)s::uuid[]))
"""
MESSAGES = """
SELECT recipient, channel, purpose, state, cause_event_id::text, registration_id::text
  FROM message WHERE recipient = ANY(%(recipients)s)
"""
SETTLE_SECONDS = 1.0


class Ledger:
    """What clients were told; may be written from any thread. ``endpoints``: as of ``make endpoints``."""

    def __init__(self, endpoints: Mapping[str, Any]) -> None:
        self._databases: Mapping[str, str] = endpoints["databases"]
        self._inbox = Inbox(endpoints["sms"], endpoints["mail"])
        self._promises: dict[str, Promise] = {}
        self._drafts: set[str] = set()
        self._steps = itertools.count(1)
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
        guardian: str | None = None,
    ) -> None:
        """The gateway answered a submission with 202. The same answer again is the same promise.
        ``guardian``: of a child, the registration with which its guardian was verified."""
        phone = "+" + international(phone)
        promise = Promise(
            registration_id, declaration_number, code, phone, email.lower(), otp_requests, guardian=guardian
        )
        with self._lock:
            known = self._promises.setdefault(registration_id, promise)
        if known.declaration_number != declaration_number:
            raise AssertionError(f"registration {registration_id} was told two declaration numbers")

    def decided(self, registration_id: str, decision: str) -> None:
        """The officer was told that the decision is taken, ``verified`` or ``rejected``; or the citizen saw
        that the deadline has passed, ``expired``, or that the application of a person verified before was
        completed without the desk: ``reused``."""
        with self._lock:
            promise = self._promises[registration_id]
            promise.decision, promise.step = decision, next(self._steps)

    def ended_guardianship(self, registration_id: str) -> None:
        """The officer was told that the guardianship with which this child was verified is over."""
        with self._lock:
            self._promises[registration_id].ended_step = next(self._steps)

    def asked_supplement(self, registration_id: str) -> None:
        """The officer was told that the citizen is asked for something more."""
        with self._lock:
            self._promises[registration_id].supplements_asked += 1

    def sent_supplement(self, registration_id: str) -> None:
        """The citizen was told that it is at the agency."""
        with self._lock:
            self._promises[registration_id].supplements_sent += 1

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

    def on_a_new_device(self, registration_id: str) -> None:
        """Whoever has an account was logged in on another device than before."""
        with self._lock:
            self._promises[registration_id].new_devices += 1

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
        codes = [p.code for p in promises]
        recipients = {p.phone for p in promises} | {p.email for p in promises}
        with psycopg.connect(self._databases["registration"], row_factory=dict_row) as registration:
            registrations = registration.execute(REGISTRATIONS, {"ids": ids}).fetchall()
        with psycopg.connect(self._databases["identity"], row_factory=dict_row) as identity:
            cases = identity.execute(CASES, {"ids": [*ids, *(drafts - set(ids))]}).fetchall()
            people = {"codes": codes, "phones": [p.phone for p in promises]}
            accounts = identity.execute(ACCOUNTS, people).fetchall()
            owned = {"codes": codes, "accounts": [account["id"] for account in accounts]}
            credentials = identity.execute(CREDENTIALS, owned).fetchall()
            guardianships = identity.execute(GUARDIANSHIPS, owned).fetchall()
        with psycopg.connect(self._databases["history"], row_factory=dict_row) as history:
            guardianships += history.execute(GUARDIANSHIPS_HEARD, owned).fetchall()
        with psycopg.connect(self._databases["notification"], row_factory=dict_row) as notification:
            messages = notification.execute(MESSAGES, {"recipients": list(recipients)}).fetchall()
        sms = [{**row, "to": "+" + international(row["to"])} for row in self._inbox.sms()]
        emails = [{**row, "to": row["to"].lower()} for row in self._inbox.emails()]
        return Found(
            registrations={row["id"]: row for row in registrations},
            cases={row["registration_id"]: row for row in cases},
            accounts=accounts,
            credentials=grouped(credentials, "account_id"),
            messages=messages,
            sms=[row for row in sms if row["to"] in recipients],
            emails=[row for row in emails if row["to"] in recipients],
            guardianships=guardianships,
        )
