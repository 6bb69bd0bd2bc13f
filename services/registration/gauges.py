"""What operators see of the applications under way."""

from __future__ import annotations

from prometheus_client import Gauge

from services.registration.storage import Storage
from shared import metrics
from shared.database import Transaction

registrations = Gauge(
    "vssid_registrations",
    "Registrations that have not ended, by status, counted up to 10,000 each",
    ["status"],
    registry=metrics.REGISTRY,
)
registration_unheard_seconds = Gauge(
    "vssid_registration_unheard_seconds",
    "How long ago the oldest registration was submitted of which identity has not said that it has a case",
    registry=metrics.REGISTRY,
)

photos_undeletable = Gauge(
    "vssid_photos_undeletable",
    "Photos whose time has come and that could not be deleted, counted up to 10,000",
    registry=metrics.REGISTRY,
)


def read(tx: Transaction) -> None:
    """Set the gauges."""
    storage = Storage(tx)
    for status, rows in storage.open_by_status().items():
        registrations.labels(status).set(rows)
    registration_unheard_seconds.set(storage.longest_unheard_seconds())
    photos_undeletable.set(storage.undeletable_photos())
