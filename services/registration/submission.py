"""What a citizen agrees to and is promised at submission.

Part of the domain: standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True)
class ConsentText:
    """A text on personal data that a citizen can agree to, and its SHA-256 in hexadecimal."""

    version: str
    language: str
    text: str = field(repr=False)
    sha256: str


@dataclass(frozen=True)
class ConsentGiven:
    """Which text was agreed to: its language and its SHA-256."""

    language: str
    sha256: str


@dataclass(frozen=True)
class Names:
    """What the agency and the address were called at submission; ``former_address`` is what was declared of
    an address from before July 2025."""

    agency: str
    address: str
    former_address: str | None = None


@dataclass(frozen=True)
class Submission:
    """What was promised to the citizen at submission, and agreed to. ``deadline`` is the last moment of the
    visit. Submissions from before they were kept have neither ``consent_text`` nor ``names``."""

    declaration_number: str
    at: datetime
    deadline: datetime
    consent_version: str
    consent_text: ConsentGiven | None = None
    names: Names | None = None


def declaration_number(sequence: int, year: int) -> str:
    """As printed on the declaration: ``TK-2026-000000123``."""
    return f"TK-{year}-{sequence:09d}"


def visit_deadline(now: datetime, visit_deadline_days: int) -> datetime:
    return now + timedelta(days=visit_deadline_days)
