"""A private Prometheus for tests, on loopback, with data of its own."""

from __future__ import annotations

import copy
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from deploy.observability import native
from shared.testing.processes import free_port, until

RULES = native.HERE / "alerts.yml"
EVERY = "1s"
WINDOW = "10s"
"""Stands for every ``[5m]`` where rules are sped up."""


class Prometheus:
    """One that runs, at ``url``."""

    def __init__(self, url: str) -> None:
        self.url = url

    def is_ready(self) -> bool:
        """Whether it answers questions."""
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=5.0).status_code == 200
        except httpx.HTTPError:
            return False

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """The samples that an expression has now."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=5.0).json()
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def firing(self, alert: str) -> list[dict[str, str]]:
        """The labels of each firing alert of that name."""
        samples = self.ask(f'ALERTS{{alertname="{alert}", alertstate="firing"}}')
        return [sample["metric"] for sample in samples]


def sped_up(rules: dict[str, Any]) -> dict[str, Any]:
    """The same rules, which fire at once and look back for ``WINDOW`` only. Thresholds stay as they are."""
    quick = copy.deepcopy(rules)
    for rule in quick["groups"][0]["rules"]:
        rule["for"] = "0s"
        rule["expr"] = re.sub(r"\[\d+m\]", f"[{WINDOW}]", rule["expr"])
    return quick


@contextmanager
def prometheus(layout: Any, folder: Path) -> Iterator[Prometheus]:
    """Scrapes the installation every second and evaluates the rules as often."""
    folder.mkdir(parents=True, exist_ok=True)
    rules = folder / "alerts.yml"
    rules.write_text(yaml.safe_dump(sped_up(yaml.safe_load(RULES.read_text()))))
    found = native.configuration(layout, rules)
    found["global"] = {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY}
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(native.command(folder, found, port), cwd=folder, stdout=log, stderr=log)
    running = Prometheus(f"http://127.0.0.1:{port}")
    try:
        until(running.is_ready, 30.0, lambda: (folder / "log").read_text()[-2000:])
        yield running
    finally:
        process.terminate()
        process.wait(20)
