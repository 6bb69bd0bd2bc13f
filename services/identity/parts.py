"""What identity is composed of besides its tables: made once a process from the settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import uuid_utils

from services.identity.anchors import Anchors
from services.identity.circuit import Circuit
from services.identity.delivery import Policy
from services.identity.devices import Lifetimes
from services.identity.passwords import Passwords
from services.identity.population_register import CallerCodes, PopulationRegister
from services.identity.refusals import PhotoUnknown, RequestInvalid
from services.identity.settings import Settings
from services.identity.throttle import Throttle
from services.identity.tokens import ProofTokens, Tokens
from services.identity.wrong_tries import WrongTries
from shared import logs
from shared.cache import Limiter
from shared.database import Database
from shared.object_settings import objects_of
from shared.objects import ObjectUnknown
from shared.off_hub import own_threads
from shared.pdf import Printer
from shared.sealed import SealBroken, Sealer
from shared.sealed_objects import ObjectBroken, SealedObjects

log = logs.get(__name__)


@dataclass(frozen=True)
class Parts:
    """The outside parties and the secrets, ready for use by any number of workers at once."""

    settings: Settings
    register: PopulationRegister
    passwords: Passwords
    tokens: Tokens
    proofs: ProofTokens
    lifetimes: Lifetimes
    sealer: Sealer
    limiter: Limiter
    throttle: Throttle
    anchors: Anchors | None
    photos: SealedObjects
    printer: Printer

    def opened(self, sealed: str) -> str:
        """A secret that was sealed to identity. Raises ``RequestInvalid`` for anything else."""
        try:
            return self.sealer.open(sealed)
        except SealBroken:
            pass
        raise RequestInvalid

    @property
    def delivery(self) -> Policy:
        """Which ways a first password takes."""
        sms = 1 + self.settings.first_password_replacements
        pauses = [timedelta(minutes=minutes) for minutes in self.settings.first_password_pauses]
        return Policy(sms=sms, link=self.settings.activation_by_email, pauses=pauses)

    def photo_key(self, ref: str) -> bytes:
        """The key of this one photo. Raises ``PhotoUnknown`` where none lies that can be opened,
        ``ObjectsAway``."""
        try:
            return self.photos.key_of(ref)
        except ObjectUnknown:
            pass
        except ObjectBroken:
            log.error("a photo cannot be opened: changed, or sealed to another key", ref=ref)
        raise PhotoUnknown


def parts_of(settings: Settings, database: Database) -> Parts:
    """The parts of a process. Raises ``SealKeyInvalid`` or ``ValueError`` for keys that are none."""
    circuit = Circuit(
        failures_to_open=settings.register_failures_to_open, open_seconds=settings.register_open_seconds
    )
    register = PopulationRegister(
        settings.population_register_url,
        settings.population_register_token,
        CallerCodes(
            settings.register_service_code, settings.register_unit_code, settings.register_officer_code
        ),
        circuit,
        timeout_seconds=settings.register_timeout_seconds,
    )
    limiter = Limiter(settings.redis_url)
    return Parts(
        settings=settings,
        register=register,
        passwords=Passwords(own_threads(settings.hashes_at_once)),
        tokens=Tokens(
            settings.token_signing_key,
            settings.token_public_keys,
            lifetime_seconds=settings.access_token_minutes * 60,
        ),
        proofs=ProofTokens(settings.seal_private.encode()),
        lifetimes=Lifetimes(
            timedelta(days=settings.session_idle_days), timedelta(days=settings.session_longest_days)
        ),
        sealer=Sealer.from_settings(settings),
        limiter=limiter,
        throttle=Throttle(limiter, WrongTries(database, settings.seal_private.encode())),
        anchors=Anchors(settings.audit_anchors_dir, settings.audit_public_keys, settings.audit_signing_key)
        if settings.audit_anchors_dir
        else None,
        photos=SealedObjects(
            objects_of(settings, settings.objects_dir), private={"photos": settings.photos_private}
        ),
        printer=Printer(),
    )


def now() -> datetime:
    """The clock, read at the edge only."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """A UUIDv7: later ids sort later."""
    return UUID(bytes=uuid_utils.uuid7().bytes)
