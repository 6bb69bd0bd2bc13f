import json
import re
import subprocess
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from deploy.native.keys import PROCESSES, Keys
from deploy.native.layout import ROOT, Layout
from deploy.native.ports import NAMES
from deploy.observability import native
from shared import metrics
from shared.testing.pretended import few_commands, pretend

HERE = native.HERE
ALERTS = yaml.safe_load((HERE / "alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARDS = sorted((HERE / "grafana/dashboards").glob("*.json"))
MEASURING = (
    "services.gateway.app",
    "services.identity.gauges",
    "services.identity.guessing",
    "services.identity.population_register",
    "services.identity.reissue",
    "services.notification.jobs",
    "services.notification.sms",
    "services.registration.gauges",
)
"""Modules that measure something of their own."""


@pytest.fixture(scope="module")
def known() -> set[str]:
    """The names of all series that some process of ours can show."""
    for module in MEASURING:
        import_module(module)
    families = [*metrics.REGISTRY.collect(), *metrics.PoolCollector(dict).collect()]
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
    return {family.name + end for family in families for end in suffixes.get(family.type, ("",))}


def asked_for(text: str) -> set[str]:
    return set(re.findall(r"vssid_\w+", text))


def questions(dashboard: Path) -> list[str]:
    return [
        target["expr"] for panel in json.loads(dashboard.read_text())["panels"] for target in panel["targets"]
    ]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_asks_for_metrics_that_exist(alert, known):
    assert asked_for(alert["expr"]) <= known


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_what_is_wrong_and_where_it_stands_what_to_do(alert):
    file, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^#+ (\w+)$", (ROOT / file).read_text(), re.M)

    assert anchor in {heading.lower() for heading in headings}
    assert alert["annotations"]["summary"].endswith(".")
    assert alert["labels"]["severity"] in ("page", "ticket")


def test_the_runbook_holds_no_alert_that_is_gone():
    section = (ROOT / "docs/operations.md").read_text().partition("\n## Alerts\n")[2].partition("\n## ")[0]

    assert re.findall(r"^### (\w+)$", section, re.M) == [alert["alert"] for alert in ALERTS]


def test_every_metric_stands_in_the_table_of_questions(known):
    of_the_process = re.compile(r"vssid_process_|python_")
    measured = {re.sub(r"_(bucket|sum|count)$", "", name) for name in known if not of_the_process.match(name)}

    assert measured - asked_for((ROOT / "docs/operations.md").read_text()) == set()


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda file: file.stem)
def test_a_dashboard_asks_for_metrics_that_exist(dashboard, known):
    assert asked_for(" ".join(questions(dashboard))) <= known


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda file: file.stem)
def test_no_panel_lies_on_another(dashboard):
    cells = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in json.loads(dashboard.read_text())["panels"]
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_a_native_installation_is_scraped_at_its_own_ports(tmp_path):
    layout = Layout(tmp_path, {name: 20_000 + at for at, name in enumerate(NAMES)}, Keys({}))

    found = native.configuration(layout)

    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in found["scrape_configs"]}
    assert set(targets) == {*PROCESSES, "rabbitmq", "rabbitmq_queues"}
    assert targets["identity"] == [f"127.0.0.1:{layout.ports['ops_identity']}"]
    assert targets["rabbitmq_queues"] == [f"127.0.0.1:{layout.ports['amqp_metrics']}"]


def test_prometheus_is_told_how_many_replicas_there_ought_to_be(tmp_path):
    commands = few_commands(tmp_path / "bin", ("sh",))
    pretend(commands, "prometheus", 'echo "$*"')
    container = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["prometheus"]
    assert set(container["environment"]) == {f"{name.upper()}_REPLICAS" for name in PROCESSES}

    done = subprocess.run(
        ["sh", HERE / "start.sh", tmp_path, *container["command"]],
        env={"PATH": str(commands), "IDENTITY_REPLICAS": "3", "GATEWAY_REPLICAS": ""},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == container["command"]
    (group,) = yaml.safe_load((tmp_path / "wanted.yml").read_text())["groups"]
    wanted = {rule["labels"]["job"]: rule["expr"] for rule in group["rules"]}
    assert wanted == dict.fromkeys(PROCESSES, "vector(1)") | {"identity": "vector(3)"}
    assert {rule["record"] for rule in group["rules"]} == {"replicas_wanted"}


def test_every_process_of_the_product_is_missed_when_it_is_gone():
    (expression,) = (alert["expr"] for alert in ALERTS if alert["alert"] == "ProcessDown")

    assert set(re.findall(r'absent\(up\{job="(\w+)"', expression)) == {*PROCESSES, "rabbitmq"}
