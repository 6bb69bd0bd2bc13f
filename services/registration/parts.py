"""What registration is composed of besides its tables: made once a process from the settings."""

from __future__ import annotations

from dataclasses import dataclass

from services.registration.consent import Texts, consent_texts
from services.registration.photos import Inspection
from services.registration.retention import Terms
from services.registration.settings import Settings
from shared.cache import Limiter
from shared.database import Database
from shared.object_settings import objects_of
from shared.objects import Objects
from shared.pdf import Printer
from shared.sealed import SealBroken, Sealer
from shared.sealed_objects import SealedObjects


@dataclass(frozen=True)
class Parts:
    """The keys, the counters and the photo inspection, ready for any number of workers at once."""

    settings: Settings
    sealer: Sealer
    limiter: Limiter
    inspection: Inspection
    store: Objects
    terms: Terms
    consents: Texts
    printer: Printer

    def opened(self, sealed: str) -> str:
        """What was sealed to registration; nothing, where that cannot be opened."""
        try:
            return self.sealer.open(sealed)
        except SealBroken:
            return ""


def parts_of(settings: Settings, _database: Database) -> Parts:
    """The parts of a process. Raises ``SealKeyInvalid`` for keys that are none, and
    ``FileNotFoundError`` where the consent in force has no text."""
    store = objects_of(settings, settings.objects_dir)
    return Parts(
        settings=settings,
        sealer=Sealer.from_settings(settings),
        limiter=Limiter(settings.redis_url, hash_key=settings.seal_private),
        inspection=Inspection(
            SealedObjects(
                store,
                public={"photos": settings.photos_public},
                private={"quarantine": settings.quarantine_private},
            ),
            max_bytes=settings.photo_max_bytes,
            at_once=settings.photo_inspectors,
        ),
        store=store,
        terms=Terms(
            settings.photo_verified_days,
            closed_days=settings.photo_closed_days,
            replaced_days=settings.photo_replaced_days,
            application_closed_days=settings.application_closed_days,
            draft_days=settings.draft_days,
        ),
        consents=consent_texts(settings.consent_version),
        printer=Printer(),
    )
