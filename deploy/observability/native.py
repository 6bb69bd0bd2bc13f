"""Prometheus for a native installation: what it scrapes in the containers, at the ports of this machine."""

from pathlib import Path
from typing import Any

import yaml

from deploy.native.keys import PROCESSES
from deploy.native.layout import Layout

HERE = Path(__file__).parent
PROMETHEUS = "prometheus"
PORTS = {**{name: f"ops_{name}" for name in PROCESSES}, "rabbitmq": "amqp_metrics"}


def configuration(layout: Layout, rules: Path = HERE / "alerts.yml") -> dict[str, Any]:
    """The configuration of Prometheus, with each name in Docker's DNS replaced by a port on loopback."""
    found: dict[str, Any] = yaml.safe_load((HERE / "prometheus.yml").read_text())
    found["rule_files"] = [str(rules)]
    for job in found["scrape_configs"]:
        (name,) = job.pop("dns_sd_configs")[0]["names"]
        job["static_configs"] = [{"targets": [f"127.0.0.1:{layout.ports[PORTS[name]]}"]}]
    return found


def command(folder: Path, found: dict[str, Any], port: int) -> list[str]:
    """Write this configuration into ``folder``; returns the command that runs Prometheus there."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(found, sort_keys=False))
    return [
        PROMETHEUS,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
