"""What operators see of the cases at the desks, and of the audit trail."""

from __future__ import annotations

from prometheus_client import Gauge

from services.identity.storage import Storage
from shared import metrics
from shared.database import Transaction

cases_waiting = Gauge(
    "vssid_cases_waiting", "Cases that wait for an officer, counted up to 10,000", registry=metrics.REGISTRY
)
case_oldest_waiting_seconds = Gauge(
    "vssid_case_oldest_waiting_seconds",
    "How long the oldest case has waited for an officer",
    registry=metrics.REGISTRY,
)
requests_overdue_seconds = Gauge(
    "vssid_person_requests_overdue_seconds",
    "How long the oldest request about personal data is overdue",
    registry=metrics.REGISTRY,
)
audit_unsealed_seconds = Gauge(
    "vssid_audit_unsealed_seconds",
    "Age of the oldest row of the audit trail that no seal covers",
    registry=metrics.REGISTRY,
)
audit_anchored_sequence = Gauge(
    "vssid_audit_anchored_sequence",
    "The last seal of the audit trail that this process anchored",
    registry=metrics.REGISTRY,
)


def read(tx: Transaction) -> None:
    """Set the gauges."""
    waiting, oldest_seconds = Storage(tx).waiting_cases()
    cases_waiting.set(waiting)
    case_oldest_waiting_seconds.set(oldest_seconds)
    requests_overdue_seconds.set(Storage(tx).overdue_seconds())
    audit_unsealed_seconds.set(Storage(tx).unsealed_seconds())
