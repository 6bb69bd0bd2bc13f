"""The installation of docker-compose.yml, as the container of the demo sees it."""

from __future__ import annotations

import os
from pathlib import Path

from deploy.native.keys import WITH_DATABASE

SECRETS = Path("/run/secrets")


class Containers:
    """What is up already: `docker compose run` waits for nothing, `deploy/docker/up.sh` has waited."""

    def endpoints(self) -> dict[str, object]:
        """Where each thing listens."""
        return {
            "gateway": os.environ["GATEWAY_URL"],
            "sms": "http://smsc:9306/messages",
            "mail": "http://mail_server:9304/messages",
            "register_citizens_file": "/var/lib/vssid/citizens/citizens.jsonl",
            "databases": {name: self.environment(name)["DATABASE_URL"] for name in WITH_DATABASE},
        }

    def environment(self, service: str) -> dict[str, str]:
        """What the commands of a service have to be told."""
        database_url = (SECRETS / f"{service}_database_url").read_text()
        return {"DATABASE_URL": database_url, "TLS_CA_FILE": os.environ.get("TLS_CA_FILE", "")}
