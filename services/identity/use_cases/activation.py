"""A link by e-mail to choose a password, for whom no SMS has reached."""

from __future__ import annotations

import hmac
from datetime import datetime
from uuid import UUID

from services.identity.credentials import Credential, CredentialState
from services.identity.domain import Account
from services.identity.refusals import ActivationRefused
from services.identity.use_cases.accounts import DELIVERED, chosen_for
from services.identity.use_cases.everywhere import end_everywhere
from services.identity.use_cases.ports import Storage
from services.identity.use_cases.telling import tell_followed, tell_notice


def try_link(
    storage: Storage, link_id: UUID, secret_hash: str, code: str, now: datetime
) -> tuple[Account, Credential | None] | None:
    """Whose link it is, and what it let them choose before, while that is in use; when its secret and the
    holder's BHXH code or personal number fit, in time, while its contact is not in doubt. A wrong code of
    a right secret is counted. The same questions are asked of the database whether there is such a link or
    not."""
    link = storage.link(link_id)
    account = storage.account(link.account_id if link else link_id)
    people = storage.people_with([account.code if account else ""])
    in_doubt = storage.is_contact_in_doubt(account.id if account else link_id, now)
    chosen = chosen_for(storage, account.id if account else link_id, link_id)
    fits = hmac.compare_digest(link.password_hash if link else "", secret_hash)
    if link is None or account is None or not fits or in_doubt or _is_late(link, now):
        return None
    if not any("".join(code.split()) in person.numbers for person in people):
        storage.count_link_try(link.id)
        return None
    if link.state is CredentialState.ISSUED:
        return account, None
    return (account, chosen) if chosen else None


def _is_late(link: Credential, now: datetime) -> bool:
    return link.valid_until is not None and now >= link.valid_until


def finish_activation(
    storage: Storage, account_id: UUID, link_id: UUID, new: Credential, now: datetime
) -> None:
    """The password that was chosen is the account's from here on: every earlier one, every session and
    device, and the link end, and the holder is told by SMS, as the link came by e-mail.

    Raises ``ActivationRefused`` when the link was used or replaced since it was tried, or the contact has
    come into doubt.
    """
    storage.lock_account(account_id)
    account, found = storage.account(account_id), storage.cause_of(link_id)
    live = [credential.id for credential in storage.live_credentials(account_id)]
    if account is None or found is None or link_id not in live:
        raise ActivationRefused
    if storage.is_contact_in_doubt(account_id, now):
        raise ActivationRefused
    storage.note_delivery(link_id, DELIVERED)
    storage.end_credentials(live, now)
    storage.add_credential(new, str(link_id), now)
    end_everywhere(storage, account_id, now)
    tell_followed(storage, account_id, link_id, found[1], "activated", now)
    tell_notice(storage, account, "password_changed", now, phones=[account.phone])
