"""The form, step by step, until it is submitted."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

from services.registration.agency import Agency, Point, metres_between
from services.registration.declaration import Declaration, Guardian, declare, warnings_of
from services.registration.domain import Check, EmailOtp, Photo, Registration
from services.registration.refusals import (
    AgencyClosed,
    AgencyUnknown,
)
from services.registration.use_cases.holding import Key, hold
from services.registration.use_cases.ports import Storage
from shared.events import registration as events
from shared.messaging import outbox
from shared.refusals import Refused

EMAIL_OTP_TRIES = 5
NEAREST = 20
"""As many agencies are told of a place."""


def start(
    storage: Storage, *, registration_id: UUID, token_hash: bytes, language: str, now: datetime
) -> Registration:
    """Step 1: an empty draft."""
    draft = Registration(id=registration_id, language=language, token_hash=token_hash).entry("started", now)
    storage.add(draft)
    return draft


def start_for_child(
    storage: Storage,
    *,
    guardian: Guardian,
    email: str,
    registration_id: UUID,
    token_hash: bytes,
    language: str,
    now: datetime,
) -> Registration:
    """Step 1 for a child: messages go to the guardian's phone and e-mail, which were verified with the
    guardian's account."""
    draft = start(storage, registration_id=registration_id, token_hash=token_hash, language=language, now=now)
    childs = replace(draft, guardian=guardian, email=email, email_verified=True)
    storage.save(childs)
    return childs


def read_declaration(
    storage: Storage, key: Key, raw: object, *, today: date, phone_range_known: Callable[[str], bool]
) -> tuple[Registration, Declaration, tuple[str, ...]]:
    """Step 2, first half: the draft, what was declared, every field looked at, and what the officer should
    look at. Changes nothing.

    Raises ``DeclarationInvalid``.
    """
    draft = hold(storage, key).in_draft()
    declaration = declare(raw, today=today, places=storage, guardian=draft.guardian)
    known = draft.guardian is not None or phone_range_known(declaration.phone)
    return draft, declaration, warnings_of(declaration, phone_range_known=known, places=storage)


def answer_known(draft: Registration, declaration: Declaration) -> Check | None:
    """The register's answer, if it gave one and is not asked anything new by ``declaration``."""
    if draft.declaration is None or draft.check is None or draft.check.outcome == "unavailable":
        return None
    return draft.check if draft.declaration.checked_part == declaration.checked_part else None


def save_declaration(
    storage: Storage, key: Key, declaration: Declaration, *, check: Check, warnings: tuple[str, ...]
) -> Registration:
    """Step 2, second half: the declaration and the register's answer to it, kept together."""
    draft = hold(storage, key, to_change=True).declared(declaration, check, warnings)
    storage.save(draft)
    return draft


def attach_photo(storage: Storage, key: Key, photo: Photo) -> tuple[Registration, str | None]:
    """Step 3: the registration with the photo, and the reference of the one it replaces; attached again,
    it replaces none."""
    draft = hold(storage, key, to_change=True)
    before = (p for p in draft.photos_being_taken if p.kind == photo.kind and p.ref != photo.ref)
    replaced = next((p.ref for p in before), None)
    draft = draft.with_photo(photo)
    storage.save(draft)
    return draft, replaced


def choose_agency(storage: Storage, key: Key, *, agency_code: str, email: str, today: date) -> Registration:
    """Step 4: where the papers will be shown, and the e-mail; a child's stays its guardian's.

    Raises ``AgencyUnknown``, ``AgencyClosed``.
    """
    draft = hold(storage, key, to_change=True)
    see_that_it_is_offered(storage, agency_code, today)
    draft = draft.with_agency(agency_code, email if draft.guardian is None else draft.email or "")
    storage.save(draft)
    return draft


def see_that_it_is_offered(storage: Storage, agency_code: str, today: date) -> None:
    """Raises ``AgencyUnknown``, and ``AgencyClosed`` naming the agency that took over."""
    agency = storage.agency(agency_code)
    if agency is None:
        raise AgencyUnknown()
    if not agency.is_offered(today):
        successor = storage.agency(agency.successor) if agency.successor else None
        raise AgencyClosed(successor.display_name if successor else None)


def find_agencies(
    storage: Storage,
    *,
    province_code: str | None,
    commune_code: str | None,
    name_part: str | None,
    near: Point | None,
    today: date,
) -> list[tuple[Agency, int | None]]:
    """The agencies offered, each with its distance in metres from ``near``, nearest first, or in order of
    code where there is no such place. Of a commune: those of its province, from its middle."""
    if commune_code is not None:
        commune = storage.administrative_unit(commune_code, on=today)
        if commune is None or province_code not in (None, commune.parent):
            return []
        province_code = commune.parent or commune.code
        if near is None and commune.latitude is not None and commune.longitude is not None:
            near = Point(commune.latitude, commune.longitude)
    found = storage.agencies(province_code=province_code, name_part=name_part, on=today)
    if near is None:
        return [(agency, None) for agency in found]
    away = sorted((metres_between(near, agency.point), agency.code, agency) for agency in found)
    return [(agency, metres) for metres, _, agency in away[:NEAREST]]


def request_email_otp(
    storage: Storage, key: Key, *, otp: EmailOtp, sealed_otp: str, now: datetime
) -> Registration:
    """A new code is on its way to the e-mail; the one before it is void.

    ``otp.email`` is the address it was made for; raises ``StepOutOfOrder`` when the draft has another by now.
    """
    draft = hold(storage, key, to_change=True).with_otp(otp)
    storage.save(draft)
    outbox.add(
        storage.tx,
        events.EMAIL_OTP_REQUESTED.event(
            subject=draft.id,
            correlation_id=draft.id,
            at=now,
            data={
                "registration_id": draft.id,
                "email": otp.email,
                "sealed_otp": sealed_otp,
                "valid_until": otp.valid_until,
                "language": draft.language,
            },
        ),
    )
    return draft


def confirm_email_otp(
    storage: Storage, key: Key, *, keyed_hash: str, now: datetime
) -> tuple[Registration, Refused | None]:
    """One try of the code. The refusal is returned, so that the try is kept with the commit."""
    draft = hold(storage, key, to_change=True)
    expected = draft.email_otp.keyed_hash if draft.email_otp else ""
    draft, refusal = draft.try_otp(hmac.compare_digest(expected, keyed_hash), now)
    storage.save(draft)
    return draft, refusal
