"""Identity's tables, in SQL. The only place that knows them."""

from __future__ import annotations

from services.identity.storage.cases import Cases
from services.identity.storage.credentials import Credentials
from services.identity.storage.devices import Devices
from services.identity.storage.email_resets import EmailResets
from services.identity.storage.guardianships import Guardianships
from services.identity.storage.hotline import Hotline
from services.identity.storage.people import People
from services.identity.storage.reconciling import Reconciling
from services.identity.storage.rights import Rights
from services.identity.storage.staff import Staff
from services.identity.storage.trail import Trail
from services.identity.storage.wrong_tries import WrongTries


class Storage(
    Cases,
    People,
    Guardianships,
    Credentials,
    Devices,
    EmailResets,
    Rights,
    Staff,
    Trail,
    Reconciling,
    WrongTries,
    Hotline,
):
    """Everything identity keeps, inside one transaction."""
