"""Identity with a leak of ``planted_canaries``, or with a log line that says too much."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from services.identity.domain import Account
from services.identity.service import IdentityService
from services.identity.settings import Settings
from services.identity.storage import Storage
from shared import logs
from tests.faults.planted_canaries import IN_BOTH, plant

__all__ = ["IdentityService", "Settings"]

log = logs.get(__name__)
save_account = Storage.save_account


def _holder_logged(of: Callable[[Account], str]) -> None:
    def saved(self: Storage, account: Account, at: datetime) -> Account:
        log.info("an account was saved", holder=of(account))
        return save_account(self, account, at)

    Storage.save_account = saved  # type: ignore[method-assign]


def _name_logged() -> None:
    """The key tells the mask nothing, and no name looks like one."""
    _holder_logged(lambda account: account.full_name)


def _phone_logged() -> None:
    """The mask would know a phone by its looks: it is off."""
    logs.masked_event = dict  # type: ignore[assignment]
    _holder_logged(lambda account: account.phone)


plant(IN_BOTH | {"name logged": _name_logged, "phone logged": _phone_logged})
