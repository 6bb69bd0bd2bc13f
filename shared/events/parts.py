"""What several events have in common: the person, the document, the photos, the channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shared.events.fields import Id, Moment, Part, Several, Text

PHOTO_KINDS = ("portrait", "id_front", "id_back")
BIRTH_CERTIFICATE = "birth_certificate"
OUTCOMES = ("matched", "photos_needed", "unavailable")
"""What the register check may say: never which field was wrong."""


def language() -> Text:
    """The language in which the citizen is spoken to."""
    return Text(one_of=("vi", "en"))


def birth() -> Part:
    """A birth date as exact as it is known: ``1990-05-17``, ``1990-05`` or ``1990``."""
    return Part("Birth", {"precision": Text(one_of=("day", "month", "year")), "value": Text(longest=10)})


def person() -> Part:
    """Who registers. ``code`` is the BHXH code, ``personal_number`` the 12 digits that replace it."""
    return Part(
        "Person",
        {
            "code": Text(longest=12),
            "personal_number": Text(longest=12, optional=True),
            "full_name": Text(longest=200),
            "birth": birth(),
            "sex": Text(one_of=("male", "female"), optional=True),
        },
    )


def document() -> Part:
    """The paper that the citizen will bring; of a child, which has none, ``document_told``."""
    return Part("Document", {"kind": Text(one_of=("cccd", "cmnd", "passport")), "number": Text(longest=20)})


def document_told(kind: str, number: str, *, child_number: str) -> dict[str, str]:
    """A document as the field ``document``, which was published as one that is always there: in place of a
    birth certificate stands the number of the child's first ID card to come, as far as it is known."""
    if kind == BIRTH_CERTIFICATE:
        return {"kind": "cccd", "number": child_number}
    return {"kind": kind, "number": number}


def document_heard(data: Mapping[str, Any]) -> tuple[str, str]:
    """Kind and number of the document in an event's data; a child's is its birth certificate."""
    if data["guardian"] is not None:
        return BIRTH_CERTIFICATE, ""
    return data["document"]["kind"], data["document"]["number"]


def address() -> Part:
    """Where the citizen lives; ``text`` is how people write it. What was declared of an address from before
    July 2025: ``district_name``, in ``former`` its codes, of which five islands have no commune, and their
    names in ``former_text``."""
    former = {
        "province_code": Text(longest=10),
        "district_code": Text(longest=10),
        "commune_code": Text(longest=10, optional=True),
    }
    return Part(
        "Address",
        {
            "province_code": Text(longest=10),
            "commune_code": Text(longest=10),
            "district_name": Text(longest=200, optional=True),
            "street": Text(longest=500),
            "former": Part("FormerAddress", former, optional=True),
            "text": Text(optional=True),
            "former_text": Text(optional=True),
        },
    )


def photos() -> Several:
    """The cleaned photos, by reference into the object store."""
    photo = {"kind": Text(one_of=PHOTO_KINDS), "ref": Text(longest=200), "sha256": Text(longest=64)}
    return Several(Part("Photo", photo))


def birth_certificate() -> Part:
    """A child's, as a cleaned photo: a field of its own, since the kinds of ``photos`` were published."""
    return Part("BirthCertificate", {"ref": Text(longest=200), "sha256": Text(longest=64)}, optional=True)


def photos_told(photos: Iterable[Any]) -> dict[str, Any]:
    """Photos (``kind``, ``ref``, ``sha256``) as the fields ``photos`` and ``birth_certificate``."""
    told = {photo.kind: {"ref": photo.ref, "sha256": photo.sha256} for photo in photos}
    certificate = told.pop(BIRTH_CERTIFICATE, None)
    return {
        "photos": [{"kind": kind, **photo} for kind, photo in told.items()],
        BIRTH_CERTIFICATE: certificate,
    }


def photos_heard(data: Mapping[str, Any]) -> list[dict[str, str]]:
    """The photos in an event's data, each ``kind``, ``ref``, ``sha256``."""
    certificate = data.get(BIRTH_CERTIFICATE)
    return [*data["photos"], *([{"kind": BIRTH_CERTIFICATE, **certificate}] if certificate else [])]


def register_check() -> Part:
    """The check against the population register, as it stood when the declaration was made."""
    return Part("RegisterCheck", {"request_id": Id(), "outcome": Text(one_of=OUTCOMES)})


def consent() -> Part:
    """To which version of the text the citizen agreed, and when."""
    return Part("Consent", {"version": Text(longest=20), "at": Moment()})


def guardian() -> Part:
    """The parent or guardian who registers a child, holder of a verified account."""
    return Part(
        "Guardian",
        {"account_id": Id(), "code": Text(longest=12), "relation": Text(one_of=("parent", "guardian"))},
        optional=True,
    )


def agency() -> Part:
    """The agency to visit, as a citizen reads it."""
    return Part(
        "Agency",
        {"code": Text(longest=20), "display_name": Text(longest=300), "address": Text(longest=500)},
    )


def channels() -> Several:
    """Where a message goes: a phone in E.164 for ``sms``, an address for ``email``."""
    return Several(Part("Channel", {"kind": Text(one_of=("sms", "email")), "to": Text(longest=320)}))
