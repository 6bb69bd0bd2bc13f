"""Each alert in Prometheus' own time: quiet while all is well, firing in its time, over when it is mended."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.observability.prometheus import RULES

BAD_FROM, GOOD_FROM, END = 20, 60, 100
"""Minutes: all is well, then something is wrong, then it is mended."""
ALERTS = {rule["alert"]: rule for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]}

Values = Callable[[], list[float]]


def is_bad(minute: int) -> bool:
    return BAD_FROM <= minute < GOOD_FROM


def gauge(good: float, bad: float) -> list[float]:
    return [bad if is_bad(minute) else good for minute in range(END + 1)]


def gone() -> list[float]:
    """A target that is up, and meanwhile is not known at all."""
    return [math.nan if is_bad(minute) else 1.0 for minute in range(END + 1)]


def counter(good: float, bad: float) -> list[float]:
    """One that grows by so much a minute."""
    values = [0.0]
    for minute in range(1, END + 1):
        values.append(values[-1] + (bad if is_bad(minute) else good))
    return values


def clock(_good: float = 0, _bad: float = 0) -> list[float]:
    """The time in seconds, which stands still meanwhile."""
    return [60.0 * (BAD_FROM if is_bad(minute) else minute) + 1 for minute in range(END + 1)]


def slow(name: str, labels: str, fine_below: str, above: str) -> dict[str, list[float]]:
    """A histogram with ten a minute, all below one bound, meanwhile all below the other only."""
    return {
        f'{name}_bucket{{{labels}le="{fine_below}"}}': counter(10, 0),
        f'{name}_bucket{{{labels}le="{above}"}}': counter(10, 10),
        f'{name}_bucket{{{labels}le="+Inf"}}': counter(10, 10),
    }


def share(good_series: str, bad_series: str) -> dict[str, list[float]]:
    """Ten a minute, of which meanwhile most go wrong."""
    return {good_series: counter(10, 1), bad_series: counter(0, 9)}


@dataclass(frozen=True)
class Story:
    """The series of one alert, and the labels that it fires with."""

    series: dict[str, list[float]]
    labels: dict[str, str]


UP = {
    f'up{{job="{job}"}}': gauge(1, 1)
    for job in ("registration", "identity", "notification", "history", "gateway", "rabbitmq")
}
STORIES = {
    "ProcessDown": Story(UP | {'up{job="identity"}': gauge(1, 0)}, {"job": "identity"}),
    "ReplicaMissing": Story(
        {
            'replicas_wanted{job="identity"}': gauge(2, 2),
            'up{job="identity",instance="a"}': gauge(1, 1),
            'up{job="identity",instance="b"}': gone(),
            'replicas_wanted{job="gateway"}': gauge(1, 1),
            'up{job="gateway",instance="c"}': gauge(1, 1),
        },
        {"job": "identity"},
    ),
    "BrokerDisconnected": Story({'vssid_broker_connected{job="identity"}': gauge(1, 0)}, {"job": "identity"}),
    "BrokerAlarm": Story({"rabbitmq_alarms_free_disk_space_watermark": gauge(0, 1)}, {}),
    "DatabaseAway": Story(
        {
            'vssid_gauges_refreshed_timestamp_seconds{job="identity"}': clock(),
            'vssid_gauges_refreshed_timestamp_seconds{job="gateway"}': gauge(0, 0),
        },
        {"job": "identity"},
    ),
    "PoolShort": Story(
        {'vssid_database_wait_seconds_total{job="identity"}': counter(0, 60)}, {"job": "identity"}
    ),
    "OutboxStuck": Story(
        {
            'vssid_outbox_oldest_seconds{job="identity",instance="a"}': gauge(0, 900),
            'vssid_outbox_oldest_seconds{job="identity",instance="b"}': gauge(0, 890),
        },
        {"job": "identity"},
    ),
    "QueueLong": Story(
        {
            'rabbitmq_detailed_queue_messages{queue="identity.open_case"}': gauge(0, 20_000),
            'rabbitmq_detailed_queue_messages{queue="vssid.wait.5s"}': gauge(20_000, 20_000),
        },
        {"queue": "identity.open_case"},
    ),
    "EventsLate": Story(
        slow("vssid_event_age_seconds", 'listener="identity.open_case",', "60.0", "300.0"),
        {"listener": "identity.open_case"},
    ),
    "NobodyListens": Story(
        {
            'rabbitmq_detailed_queue_consumers{queue="identity.open_case"}': gauge(1, 0),
            'rabbitmq_detailed_queue_consumers{queue="identity.open_case.dead"}': gauge(0, 0),
            'rabbitmq_detailed_queue_consumers{queue="vssid.wait.5s"}': gauge(0, 0),
        },
        {"queue": "identity.open_case"},
    ),
    "EventsPutOff": Story(
        {'vssid_events_handled_total{listener="identity.open_case",outcome="put_off"}': counter(0, 1)},
        {"listener": "identity.open_case"},
    ),
    "DeadLetters": Story(
        {
            'rabbitmq_detailed_queue_messages{queue="identity.open_case.dead"}': gauge(0, 1),
            'rabbitmq_detailed_queue_messages{queue="identity.open_case"}': gauge(5, 5),
        },
        {"queue": "identity.open_case.dead"},
    ),
    "JobsLate": Story(
        {'vssid_jobs_oldest_seconds{job="notification",kind="send_sms"}': gauge(2, 900)},
        {"job": "notification", "kind": "send_sms"},
    ),
    "JobsGivenUp": Story(
        {'vssid_jobs_given_up{job="notification",kind="send_sms"}': gauge(0, 1)},
        {"job": "notification", "kind": "send_sms"},
    ),
    "CallsFail": Story(
        share(
            'vssid_rpc_requests_total{method="identity.me",outcome="ok"}',
            'vssid_rpc_requests_total{method="identity.me",outcome="failed"}',
        ),
        {"method": "identity.me"},
    ),
    "CallsUnanswered": Story(
        share(
            'vssid_rpc_calls_total{job="gateway",method="identity.me",outcome="ok"}',
            'vssid_rpc_calls_total{job="gateway",method="identity.me",outcome="timeout"}',
        ),
        {"job": "gateway", "method": "identity.me"},
    ),
    "CallsSlow": Story(
        slow("vssid_rpc_seconds", 'method="identity.me",', "0.5", "5.0"), {"method": "identity.me"}
    ),
    "HttpFails": Story(
        share('vssid_http_seconds_count{status="200"}', 'vssid_http_seconds_count{status="503"}'), {}
    ),
    "HttpSlow": Story(slow("vssid_http_seconds", "", "0.5", "5.0"), {}),
    "HubBlocked": Story({'vssid_hub_lag_seconds{job="identity"}': gauge(0.02, 2)}, {"job": "identity"}),
    "RegistrationsStall": Story({"vssid_registration_unheard_seconds": gauge(3, 900)}, {}),
    "CasesWait": Story({"vssid_case_oldest_waiting_seconds": gauge(29 * 86_400, 36 * 86_400)}, {}),
    "RequestsOverdue": Story({"vssid_person_requests_overdue_seconds": gauge(0, 3600)}, {}),
    "PhotosUndeletable": Story({"vssid_photos_undeletable": gauge(0, 3)}, {}),
    "AuditUnsealed": Story({"vssid_audit_unsealed_seconds": gauge(50, 3600)}, {}),
    "MessagesFail": Story(
        share(
            'vssid_messages_total{provider="smsc",outcome="sent",reason=""}',
            'vssid_messages_total{provider="smsc",outcome="declined",reason="smsc_status_88"}',
        ),
        {"provider": "smsc"},
    ),
    "ReceiptsFail": Story(
        share(
            'vssid_receipts_total{provider="smsc",outcome="delivered"}',
            'vssid_receipts_total{provider="smsc",outcome="failed"}',
        ),
        {"provider": "smsc"},
    ),
    "SmsParked": Story({'vssid_sms_parked_total{quota="day"}': counter(0, 5)}, {}),
    "SmscUnbound": Story({'vssid_smsc_bound{job="notification"}': gauge(1, 0)}, {"job": "notification"}),
    "RegisterAway": Story(
        share(
            'vssid_register_answers_total{outcome="matched"}',
            'vssid_register_answers_total{outcome="unavailable"}',
        ),
        {},
    ),
    "PasswordsGuessed": Story(
        {
            'vssid_log_ins_total{who="citizen",outcome="right"}': counter(100, 100),
            'vssid_log_ins_total{who="citizen",outcome="LogInFailed"}': counter(10, 600),
            'vssid_log_ins_total{who="citizen",outcome="TooManyTries"}': counter(0, 600),
            'vssid_log_ins_total{who="staff",outcome="right"}': counter(100, 100),
        },
        {},
    ),
    "StaffPasswordsGuessed": Story(
        {
            'vssid_log_ins_total{who="staff",outcome="right"}': counter(10, 1),
            'vssid_log_ins_total{who="staff",outcome="LogInFailed"}': counter(4, 4),
            'vssid_log_ins_total{who="staff",outcome="TotpWrong"}': counter(0, 2),
            'vssid_log_ins_total{who="citizen",outcome="right"}': counter(1000, 1000),
        },
        {},
    ),
    "HotlineSignaturesRefused": Story(
        share(
            'vssid_hotline_calls_total{outcome="issued"}',
            'vssid_hotline_calls_total{outcome="SignatureInvalid"}',
        ),
        {},
    ),
}


def fires(alert: str, minute: int, labels: dict[str, str] | None) -> dict[str, Any]:
    """That the alert fires then with these labels, or with ``None`` that it does not."""
    sample = {"alertname": alert, "alertstate": "firing", "severity": ALERTS[alert]["labels"]["severity"]}
    inside = ", ".join(f'{name}="{value}"' for name, value in {**sample, **(labels or {})}.items())
    return {
        "expr": f'ALERTS{{alertname="{alert}", alertstate="firing"}}',
        "eval_time": f"{minute}m",
        "exp_samples": [] if labels is None else [{"labels": f"ALERTS{{{inside}}}", "value": 1}],
    }


def written(value: float) -> str:
    return "stale" if math.isnan(value) else f"{value:g}"


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_quiet_fires_in_its_time_and_clears(alert: str, tmp_path: Path) -> None:
    story = STORIES[alert]
    minutes = int(ALERTS[alert]["for"].removesuffix("m"))
    checks = [
        fires(alert, BAD_FROM - 1, None),
        fires(alert, GOOD_FROM - 1, story.labels),
        fires(alert, END, None),
    ]
    if minutes:
        checks.append(fires(alert, BAD_FROM + minutes - 1, None))
    series = [
        {"series": name, "values": " ".join(map(written, values))} for name, values in story.series.items()
    ]
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": checks}],
    }
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump(test))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_story() -> None:
    assert set(STORIES) == set(ALERTS)


def test_prometheus_accepts_the_rules_and_the_configuration() -> None:
    for what, file in (("rules", RULES), ("config", RULES.with_name("prometheus.yml"))):
        done = subprocess.run(["promtool", "check", what, str(file)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
