"""The texts on personal data that a citizen agrees to, each version in Vietnamese and English.

A text that was ever in force stays as it is: what was agreed to is recorded with its SHA-256.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from services.registration.submission import ConsentText

FOLDER = Path(__file__).with_name("data") / "consent"
LANGUAGES = ("vi", "en")

Texts = dict[str, dict[str, ConsentText]]
"""By version and language."""


def consent_texts(in_force: str) -> Texts:
    """All texts. Raises ``FileNotFoundError`` when the version in force lacks one."""
    versions = {path.name.removesuffix(".vi.txt") for path in FOLDER.glob("*.vi.txt")} | {in_force}
    return {version: {language: _read(version, language) for language in LANGUAGES} for version in versions}


def _read(version: str, language: str) -> ConsentText:
    text = (FOLDER / f"{version}.{language}.txt").read_text(encoding="utf-8")
    return ConsentText(version, language, text, hashlib.sha256(text.encode()).hexdigest())
