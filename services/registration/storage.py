"""Registrations, claims and places in PostgreSQL: the only place that knows the tables.

An application is one row, read and written whole. What it holds, its phone and its numbers, are rows of
``claimed``: each value once for an application and once for an account (``claims.py`` says whose).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from services.registration.address import Address, AdministrativeUnit
from services.registration.agency import Agency
from services.registration.artefacts import Artefacts
from services.registration.claims import Claim
from services.registration.declaration import Birth, Declaration, Document, Guardian
from services.registration.domain import Check, EmailOtp, Photo, Registration, Supplement
from services.registration.submission import ConsentGiven, Names, Submission
from services.registration.timeline import Entry, Progress, Status

ADD = """
INSERT INTO registrations (id, status, language, token_hash, timeline)
VALUES (%(id)s, %(status)s, %(language)s, %(token_hash)s, %(timeline)s)
"""
FIND = """
SELECT id, status, language, token_hash, declaration, warnings, register_check, photos, agency_code, email,
       email_verified, email_otp, declaration_number, submitted_at, deadline, consent_version, consent_text,
       declared_names, close_requested, timeline, supplement, guardian, erased_at
FROM registrations WHERE id = %(id)s
"""
PROGRESS = """
SELECT r.id, r.language, r.token_hash, r.status, r.timeline, r.deadline, r.close_requested,
       a.code AS agency_code, a.name AS agency_name, r.guardian IS NOT NULL AS is_childs,
       r.submitted_at IS NOT NULL AND r.declaration IS NULL AS is_emptied
FROM registrations r LEFT JOIN agencies a ON a.code = r.agency_code
WHERE r.id = ANY(%(ids)s)
"""
FIND_TO_CHANGE = FIND + " FOR UPDATE"
SAVE = """
UPDATE registrations SET
    status = %(status)s, declaration = %(declaration)s, warnings = %(warnings)s,
    register_check = %(register_check)s, photos = %(photos)s, agency_code = %(agency_code)s,
    email = %(email)s, email_verified = %(email_verified)s, email_otp = %(email_otp)s,
    declaration_number = %(declaration_number)s, submitted_at = %(submitted_at)s,
    deadline = %(deadline)s, consent_version = %(consent_version)s, consent_text = %(consent_text)s,
    declared_names = %(declared_names)s, close_requested = %(close_requested)s, timeline = %(timeline)s,
    supplement = %(supplement)s, guardian = %(guardian)s, erased_at = %(erased_at)s, changed_at = now()
WHERE id = %(id)s
"""
OPEN = """
SELECT wanted.status,
       (SELECT count(*) FROM (SELECT FROM registrations
                              WHERE status = wanted.status
                                AND status IN ('draft', 'submitted', 'awaiting_visit', 'supplement_requested',
                                               'verified')
                              ORDER BY submitted_at LIMIT 10000) AS first_rows) AS rows
FROM unnest(ARRAY['draft', 'submitted', 'awaiting_visit', 'supplement_requested', 'verified'])
     AS wanted (status)
"""
UNHEARD_SECONDS = """
SELECT extract(epoch FROM now() - submitted_at)::float8 AS seconds FROM registrations
WHERE status = 'submitted' ORDER BY submitted_at LIMIT 1
"""
LOCK_CLAIMED = """
SELECT pg_advisory_xact_lock(hashtextextended(value, 0)) FROM unnest(%(values)s::text[]) AS wanted (value)
"""
CLAIMS_ON = """
SELECT registration_id, value, verified FROM claimed
WHERE registration_id IN (SELECT registration_id FROM claimed WHERE value = ANY(%(values)s))
"""
CLAIM_OF = "SELECT registration_id, value, verified FROM claimed WHERE registration_id = %(id)s"
CLAIM = """
INSERT INTO claimed (value, verified, registration_id)
SELECT value, %(verified)s, %(id)s FROM unnest(%(values)s::text[]) AS wanted (value)
"""
FREE = "DELETE FROM claimed WHERE registration_id = %(id)s"
NEXT_DECLARATION = "SELECT nextval('declaration_numbers') AS number"
AGENCY_COLUMNS = """code, name, province_code, commune_code, address, latitude, longitude, opening_hours,
    valid_from, valid_to, successor"""
AGENCY = f"SELECT {AGENCY_COLUMNS} FROM agencies WHERE code = %(code)s"
AGENCIES = f"""
SELECT {AGENCY_COLUMNS} FROM agencies
WHERE (%(province_code)s::text IS NULL OR province_code = %(province_code)s)
  AND (%(part)s::text IS NULL OR strpos(searched_name, %(part)s) > 0)
  AND (valid_from IS NULL OR valid_from <= %(on)s) AND (valid_to IS NULL OR valid_to >= %(on)s)
ORDER BY code
"""
UNITS_OF_THE_DAY = """
SELECT code, name, kind, parent, valid_from, valid_to, '{}'::text[] AS successors, latitude, longitude
FROM administrative_units
WHERE valid_from <= %(on)s AND (valid_to IS NULL OR valid_to >= %(on)s) AND
"""
FORMER_UNITS_OF_THE_DAY = """
SELECT code, name, kind, parent, valid_from, valid_to, successors, NULL::float8, NULL::float8
FROM former_units WHERE (valid_from IS NULL OR valid_from <= %(on)s) AND valid_to >= %(on)s AND
"""
UNIT = f"""
{UNITS_OF_THE_DAY} code = %(code)s UNION ALL {FORMER_UNITS_OF_THE_DAY} code = %(code)s
ORDER BY valid_to LIMIT 1
"""
SUBMITTED_AFTER = """
SELECT id, status, close_requested, declaration IS NULL AS is_emptied FROM registrations
WHERE id > %(after)s AND submitted_at <= %(until)s ORDER BY id LIMIT %(limit)s
"""
SUBMITTED_OF = "SELECT id FROM registrations WHERE id = ANY(%(ids)s) AND submitted_at IS NOT NULL"
FORGET_REMINDERS = "DELETE FROM jobs WHERE kind = 'remind' AND due_at <= now()"
SKIP_NUMBERS = "SELECT setval('declaration_numbers', nextval('declaration_numbers') + %(count)s)"
UNITS = f"""
{UNITS_OF_THE_DAY} parent IS NOT DISTINCT FROM %(parent)s
UNION ALL {FORMER_UNITS_OF_THE_DAY} parent IS NOT DISTINCT FROM %(parent)s
ORDER BY code
"""


class Storage(Artefacts):
    """``use_cases.Storage`` on the service's own database."""

    def add(self, registration: Registration) -> None:
        self.tx.run(ADD, row_of(registration))

    def find(self, registration_id: UUID, *, to_change: bool = False) -> Registration | None:
        row = self.tx.one(FIND_TO_CHANGE if to_change else FIND, {"id": registration_id})
        return None if row is None else registration_of(row)

    def save(self, registration: Registration) -> None:
        self.tx.run(SAVE, row_of(registration))
        if registration.photos or registration.supplement:
            self.note_photos(registration)

    def progress(self, ids: Sequence[UUID]) -> dict[UUID, Progress]:
        """What the timelines of these are made of, by one statement."""
        return {row["id"]: progress_of(row) for row in self.tx.all(PROGRESS, {"ids": list(ids)})}

    def open_by_status(self) -> dict[str, int]:
        """How many have not ended, by status, counted up to 10,000 each."""
        return {row["status"]: row["rows"] for row in self.tx.all(OPEN)}

    def longest_unheard_seconds(self) -> float:
        """How long ago the oldest was submitted of which no case is known; 0 when there is none."""
        row = self.tx.one(UNHEARD_SECONDS)
        return row["seconds"] if row else 0.0

    def lock_claimed(self, values: Sequence[str]) -> None:
        self.tx.all(LOCK_CLAIMED, {"values": list(values)})

    def claims_on(self, values: Sequence[str]) -> list[Claim]:
        return claims_of(self.tx.all(CLAIMS_ON, {"values": list(values)}))

    def claim_of(self, registration_id: UUID) -> Claim | None:
        found = claims_of(self.tx.all(CLAIM_OF, {"id": registration_id}))
        return found[0] if found else None

    def save_claim(self, claim: Claim) -> None:
        self.free_claims(claim.registration_id)
        row = {"id": claim.registration_id, "verified": claim.is_verified, "values": list(claim.values)}
        self.tx.run(CLAIM, row)

    def free_claims(self, registration_id: UUID) -> None:
        self.tx.run(FREE, {"id": registration_id})

    def next_declaration(self) -> int:
        row = self.tx.one(NEXT_DECLARATION)
        assert row is not None
        return int(row["number"])

    def skip_declarations(self, count: int) -> None:
        """Leave out as many numbers."""
        self.tx.one(SKIP_NUMBERS, {"count": count})

    def forget_reminders(self) -> None:
        """Those that have fallen due."""
        self.tx.run(FORGET_REMINDERS)

    def submitted_after(self, after: UUID, *, until: datetime, limit: int) -> list[dict[str, Any]]:
        """Those submitted until then, in order of id after ``after``: ``id, status, close_requested,
        is_emptied``."""
        return self.tx.all(SUBMITTED_AFTER, {"after": after, "until": until, "limit": limit})

    def submitted_of(self, ids: Sequence[UUID]) -> set[UUID]:
        """Which of these are known and were submitted."""
        return {row["id"] for row in self.tx.all(SUBMITTED_OF, {"ids": list(ids)})}

    def agency(self, code: str) -> Agency | None:
        row = self.tx.one(AGENCY, {"code": code})
        return None if row is None else Agency(**row)

    def agencies(self, *, province_code: str | None, name_part: str | None, on: date) -> list[Agency]:
        part = None if name_part is None else plain(name_part)
        found = self.tx.all(AGENCIES, {"province_code": province_code, "part": part, "on": on})
        return [Agency(**row) for row in found]

    def administrative_units(self, *, parent: str | None, on: date) -> list[AdministrativeUnit]:
        return [unit_of(row) for row in self.tx.all(UNITS, {"parent": parent, "on": on})]

    def administrative_unit(self, code: str, *, on: date) -> AdministrativeUnit | None:
        row = self.tx.one(UNIT, {"code": code, "on": on})
        return None if row is None else unit_of(row)


def plain(text: str) -> str:
    """A name as it is searched for: lower case, no diacritics, single spaces: ``Đống Đa`` is ``dong da``."""
    letters = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    kept = "".join(c for c in letters if c.isprintable() and unicodedata.category(c) != "Mn")
    return " ".join(kept.split())


def unit_of(row: dict[str, Any]) -> AdministrativeUnit:
    return AdministrativeUnit(**{**row, "successors": tuple(row["successors"])})


def claims_of(rows: list[dict[str, Any]]) -> list[Claim]:
    """The claims in rows of ``claimed``; the value that begins with ``+`` is the phone."""
    values: dict[tuple[UUID, bool], set[str]] = {}
    for row in rows:
        values.setdefault((row["registration_id"], row["verified"]), set()).add(row["value"])
    return [
        Claim(
            registration_id,
            phone=next((value for value in held if value.startswith("+")), ""),
            numbers=frozenset(value for value in held if not value.startswith("+")),
            is_verified=verified,
        )
        for (registration_id, verified), held in values.items()
    ]


def dumps(kept: Any) -> str:
    """JSON with times as texts."""
    return json.dumps(kept, default=str, ensure_ascii=False)


def supplement_of(kept: dict[str, Any]) -> Supplement:
    answered_at = kept["answered_at"]
    return Supplement(
        items=tuple(kept["items"]),
        note=kept["note"],
        asked_at=datetime.fromisoformat(kept["asked_at"]),
        photos=tuple(Photo(**photo) for photo in kept["photos"]),
        replaced=tuple(Photo(**photo) for photo in kept["replaced"]),
        answered_at=answered_at and datetime.fromisoformat(answered_at),
    )


def guardian_of(kept: dict[str, Any]) -> Guardian:
    return Guardian(**{**kept, "account_id": UUID(kept["account_id"])})


def row_of(registration: Registration) -> dict[str, Any]:
    """The columns of a registration."""
    held, submission = registration, registration.submission
    return {
        "id": held.id,
        "status": held.status.value,
        "language": held.language,
        "token_hash": held.token_hash,
        "declaration": held.declaration and Jsonb(declaration_json(held.declaration)),
        "warnings": Jsonb(held.warnings),
        "register_check": held.check
        and Jsonb({"request_id": str(held.check.request_id), "outcome": held.check.outcome}),
        "photos": Jsonb([vars(photo) for photo in held.photos]),
        "agency_code": held.agency_code,
        "email": held.email,
        "email_verified": held.email_verified,
        "email_otp": held.email_otp
        and Jsonb({**vars(held.email_otp), "valid_until": held.email_otp.valid_until.isoformat()}),
        "declaration_number": submission and submission.declaration_number,
        "submitted_at": submission and submission.at,
        "deadline": submission and submission.deadline,
        "consent_version": submission and submission.consent_version,
        "consent_text": submission and submission.consent_text and Jsonb(vars(submission.consent_text)),
        "declared_names": submission and submission.names and Jsonb(vars(submission.names)),
        "close_requested": held.close_requested,
        "supplement": held.supplement and Jsonb(asdict(held.supplement), dumps=dumps),
        "guardian": held.guardian and Jsonb(asdict(held.guardian), dumps=dumps),
        "erased_at": held.erased_at,
        "timeline": Jsonb([entry_json(entry) for entry in held.timeline]),
    }


def declaration_json(declaration: Declaration) -> dict[str, Any]:
    return asdict(declaration)


def registration_of(row: dict[str, Any]) -> Registration:
    """The registration in a row."""
    check, otp = row["register_check"], row["email_otp"]
    return Registration(
        id=row["id"],
        language=row["language"],
        token_hash=bytes(row["token_hash"]),
        status=Status(row["status"]),
        declaration=row["declaration"] and declaration_of(row["declaration"]),
        warnings=tuple(row["warnings"]),
        check=check and Check(UUID(check["request_id"]), check["outcome"]),
        photos=tuple(Photo(**photo) for photo in row["photos"]),
        agency_code=row["agency_code"],
        email=row["email"],
        email_verified=row["email_verified"],
        email_otp=otp and EmailOtp(**{**otp, "valid_until": datetime.fromisoformat(otp["valid_until"])}),
        submission=row["declaration_number"] and submission_of(row),
        close_requested=row["close_requested"],
        supplement=row["supplement"] and supplement_of(row["supplement"]),
        guardian=row["guardian"] and guardian_of(row["guardian"]),
        timeline=entries_of(row["timeline"]),
        erased_at=row["erased_at"],
    )


def submission_of(row: dict[str, Any]) -> Submission:
    consent, names = row["consent_text"], row["declared_names"]
    return Submission(
        row["declaration_number"],
        row["submitted_at"],
        row["deadline"],
        row["consent_version"],
        consent and ConsentGiven(**consent),
        names and Names(**names),
    )


def entry_json(entry: Entry) -> dict[str, Any]:
    kept = {"step": entry.step, "at": entry.at.isoformat(), "detail": entry.detail}
    if entry.credential_id is not None:
        kept["credential_id"] = str(entry.credential_id)
    if entry.valid_until is not None:
        kept["valid_until"] = entry.valid_until.isoformat()
    return kept


def entries_of(kept: list[dict[str, Any]]) -> tuple[Entry, ...]:
    """The lines of a timeline; those from before passwords were told apart have no credential, others from
    before no end of it."""
    return tuple(
        Entry(
            line["step"],
            datetime.fromisoformat(line["at"]),
            line["detail"],
            UUID(line["credential_id"]) if "credential_id" in line else None,
            datetime.fromisoformat(line["valid_until"]) if "valid_until" in line else None,
        )
        for line in kept
    )


def progress_of(row: dict[str, Any]) -> Progress:
    agency = f"({row['agency_code']}) {row['agency_name']}" if row["agency_code"] else None
    return Progress(
        id=row["id"],
        language=row["language"],
        token_hash=bytes(row["token_hash"]),
        status=Status(row["status"]),
        entries=entries_of(row["timeline"]),
        deadline=row["deadline"],
        close_requested=row["close_requested"],
        agency=agency,
        is_childs=row["is_childs"],
        is_emptied=row["is_emptied"],
    )


def declaration_of(kept: dict[str, Any]) -> Declaration:
    return Declaration(
        **{
            **kept,
            "birth": Birth(**kept["birth"]),
            "document": Document(**kept["document"]),
            "address": Address.of(kept["address"]),
        }
    )
