"""A password chosen by a link that came by e-mail: the link's secret and the BHXH code are both needed."""

from __future__ import annotations

from uuid import UUID

from services.identity import use_cases
from services.identity.credentials import Credential, CredentialState
from services.identity.delivery import Way
from services.identity.parts import Parts, new_id, now
from services.identity.password_rules import check_new_password
from services.identity.passwords import common_passwords
from services.identity.refusals import ActivationRefused, TokenInvalid
from services.identity.storage import Storage
from shared.database import Database

NOBODYS = UUID(int=0)


def activate(db: Database, parts: Parts, *, secret: str, code: str, new: str) -> None:
    """The password that was chosen counts from here on; the same request again changes nothing.
    One that is too weak uses up neither the link nor a try. Wrong links are not counted for their address:
    nobody guesses 256 bits, and behind one address of a carrier there are thousands. Raises
    ``PasswordTooWeak``, ``ActivationRefused``."""
    check_new_password(new, common=common_passwords())
    link_id, secret_hash = _link_id(parts, secret), parts.proofs.hash(secret).hex()
    with db.transaction() as tx:
        storage = Storage(tx)
        tried = use_cases.try_link(storage, link_id, secret_hash, code, now())
        own = use_cases.own_data(storage, tried[0]) if tried else None
    if tried is None:
        raise ActivationRefused
    account, before = tried
    if before is not None:
        return _answer_again(db, parts, link_id, before, new)
    check_new_password(new, common=common_passwords(), own=own)
    hashed = parts.passwords.hashed(new)
    chosen = Credential(new_id(), account.id, CredentialState.ACTIVE, hashed, reason=Way.LINK)
    try:
        db.change(lambda tx: use_cases.finish_activation(Storage(tx), account.id, link_id, chosen, now()))
    except ActivationRefused:  # another came first: perhaps this very request, sent twice
        with db.transaction() as tx:
            before = use_cases.chosen_for(Storage(tx), account.id, link_id)
        if before is None:
            raise
        _answer_again(db, parts, link_id, before, new)


def _answer_again(db: Database, parts: Parts, link_id: UUID, before: Credential, new: str) -> None:
    """Whoever knows the password that was chosen is answered as then; another one is a wrong try. A right one
    after the last wrong try is refused: many at once learn no more than one by one."""
    right = parts.passwords.is_right(before.password_hash, new)
    with db.transaction() as tx:
        storage = Storage(tx)
        may_be_tried = storage.link(link_id) is not None
        if not right:
            storage.count_link_try(link_id)
    if not (right and may_be_tried):
        raise ActivationRefused


def _link_id(parts: Parts, secret: str) -> UUID:
    try:
        return parts.proofs.owner(secret)
    except TokenInvalid:
        return NOBODYS
