"""Which passwords a citizen may choose: long enough, not guessed from what is known of the person, not one
that everybody uses. No rule of composition: any letters, signs, spaces and emoji, typed or pasted.

Part of the domain: standard library only. NIST SP 800-63B-4 §3.1.1.2, OWASP ASVS 5.0 §6.2.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from services.identity.domain import Account, folded
from shared.refusals import FieldProblem, Refused

SHORTEST, LONGEST = 8, 128
UNTYPED = ("Cc", "Zl", "Zp")
"""Kinds of signs that a field of one line never gives, though a paste into another one may hold them."""
LEFT_AT_LEAST = 4
"""Letters and digits beside the person's own data, and different signs in all."""
SHORTEST_WORD = 3
"""Of a name, to be looked for in a password."""
SERVICE = ("baohiemxahoivietnam", "baohiemxahoi", "baohiem", "vssid", "bhxh", "bhyt")
"""Words that belong to this service, which everybody thinks of."""


class PasswordTooWeak(Refused):
    """The new password would not protect the account."""

    vi = "Mật khẩu mới chưa đủ an toàn."
    en = "The new password is not safe enough."


def normalised(password: str) -> str:
    """The same letters typed on another phone are the same password: NFC, and every kind of space is a space
    (RFC 8265 §4.2.2, OpaqueString). Nothing is cut off or folded."""
    spaced = "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in password)
    return unicodedata.normalize("NFC", spaced)


@dataclass(frozen=True, repr=False)
class OwnData:
    """What a stranger who knows the citizen tries first: letters and digits, unmarked, the longest first."""

    pieces: tuple[str, ...]

    @classmethod
    def of(cls, account: Account, numbers: Collection[str]) -> Self:
        """Of an account, and of every number that stands for its person (code, personal number)."""
        local = account.phone.removeprefix("+84")
        words = folded(account.full_name).split()
        birth = account.birth_value.split("-")
        day_first = birth[::-1]
        pieces = {
            account.code,
            *numbers,
            local,
            "0" + local,
            "84" + local,
            _letters(account.email.partition("@")[0]),
            "".join(words),
            "".join(words[::-1]),
            "".join(words[-2:]),
            words[-1] + words[0] if words else "",
            *words,
            "".join(birth),
            "".join(day_first),
            "".join(day_first[:2]) + birth[0][2:],
            birth[0],
        }
        known = {piece for piece in map(_letters, pieces) if len(piece) >= SHORTEST_WORD}
        return cls(tuple(sorted(known, key=lambda piece: (-len(piece), piece))))

    def makes_up(self, plain: str) -> bool:
        """Whether hardly anything is left of a password without them."""
        left = plain
        for piece in self.pieces:
            left = left.replace(piece, " ")
        is_touched = left != plain
        return is_touched and len(left.replace(" ", "")) < LEFT_AT_LEAST


def check_new_password(
    new: str, *, common: Collection[str], old: str | None = None, own: OwnData | None = None
) -> None:
    """Raises ``PasswordTooWeak`` with what would be right: 8 to 128 characters of one line, not the old one,
    not made of the person's own data, not one that is tried first. ``common``: in lower case."""
    problem = _weakness(normalised(new), old if old is None else normalised(old), common, own)
    if problem:
        vi, en = problem
        raise PasswordTooWeak(FieldProblem("new_password", vi, en))


def _weakness(
    new: str, old: str | None, common: Collection[str], own: OwnData | None
) -> tuple[str, str] | None:
    if len(new) < SHORTEST:
        return (
            f"Mật khẩu cần ít nhất {SHORTEST} ký tự, nên từ 15 ký tự. Có thể ghép vài từ không liên quan,"
            " kể cả dấu cách.",
            f"A password needs at least {SHORTEST} characters, better 15. A few words that have nothing to do"
            " with each other will do, with spaces.",
        )
    if len(new) > LONGEST:
        return (
            f"Mật khẩu dài nhất {LONGEST} ký tự.",
            f"A password has {LONGEST} characters at the most.",
        )
    if any(unicodedata.category(sign) in UNTYPED for sign in new):
        return (
            "Mật khẩu không được có dấu xuống dòng, dấu tab hay ký tự điều khiển khác; có thể đã dán thừa.",
            "A password has no line break, tab or other control character; one may have come with a paste.",
        )
    if new == old:
        return "Mật khẩu mới phải khác mật khẩu cũ.", "The new password must differ from the old one."
    plain = _letters(new)
    if own is not None and own.makes_up(plain):
        return (
            "Không dùng mã số, số điện thoại, e-mail, họ tên hay ngày sinh làm mật khẩu. Hãy ghép vài từ"
            " không liên quan đến bản thân.",
            "Your code, phone, e-mail, name or birth date cannot be the password. Put together a few words"
            " that have nothing to do with you.",
        )
    tries = (new.casefold(), plain, _without_service(plain))
    if (
        any(tried in common for tried in tries)
        or len(set(new.casefold())) < LEFT_AT_LEAST
        or _is_service(plain)
    ):
        return (
            "Mật khẩu này quá dễ đoán. Hãy ghép vài từ không liên quan, nên từ 15 ký tự.",
            "This password is too easy to guess. Put together a few words that have nothing to do with each"
            " other, better 15 characters.",
        )
    return None


def _letters(text: str) -> str:
    """Letters and digits only, unmarked and in lower case: ``Trần An 1990`` is ``tranan1990``."""
    wide = unicodedata.normalize("NFKC", text)
    return "".join(sign for sign in folded(wide) if sign.isalnum())


def _without_service(plain: str) -> str:
    for word in SERVICE:
        plain = plain.replace(word, "")
    return plain


def _is_service(plain: str) -> bool:
    left = _without_service(plain)
    return left != plain and len(left) < LEFT_AT_LEAST
