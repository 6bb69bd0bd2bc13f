"""Start the gateway: ``python -m services.gateway``.

granian's main process watches one worker; the worker holds the link to the broker and answers on
threads. Whichever of the two dies takes the other along, so that a supervisor sees one process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import Interfaces, SSLProtocols

from services.gateway.app import create
from services.gateway.rpc import Services
from services.gateway.settings import Settings
from shared import health, logs, metrics, spans
from shared.messaging.calls import RpcClient
from shared.object_settings import objects_of
from shared.sealed import Sealer
from shared.sealed_objects import SealedObjects
from shared.settings import SettingsInvalid, load

PR_SET_PDEATHSIG = 1


def main() -> int:
    """Serve until told to stop; 2 when the settings are wrong, 1 when the worker died."""
    try:
        settings = load(Settings)
    except SettingsInvalid as error:
        print(error, file=sys.stderr)
        return 2
    logs.configure("gateway", settings.log_level)
    server = Granian(
        target="services.gateway",
        address=settings.http_host,
        port=settings.http_port,
        interface=Interfaces.WSGI,
        blocking_threads=settings.http_threads,
        ssl_cert=_file(settings.http_certificate_file),
        ssl_key=_file(settings.http_key_file),
        ssl_protocol_min=SSLProtocols.tls12,
        log_enabled=False,
    )
    server.serve(target_loader=lambda *_: start(settings), wrap_loader=False)
    return 1 if server.interrupt_children else 0


def start(settings: Settings) -> Any:
    """In the worker: the link to the broker, the ops port, the application."""
    _die_with_parent()
    if settings.otel_exporter_otlp_endpoint:
        spans.export("gateway", settings.otel_exporter_otlp_endpoint)
    client = RpcClient(settings.amqp_url, "gateway")
    client.start()
    metrics.broker_connected.set_function(lambda: float(client.is_up))
    health.serve(settings.ops_host, settings.ops_port, {"broker": lambda: _check(client)})
    services = Services(
        client,
        Sealer.from_settings(settings),
        deadline_seconds=settings.deadline_seconds,
        address_key=settings.seal_private.encode(),
    )
    objects = SealedObjects(
        objects_of(settings, settings.objects_dir), public={"quarantine": settings.quarantine_public}
    )
    return create(
        services,
        objects,
        photo_max_bytes=settings.photo_max_bytes,
        trusted_proxies=settings.trusted_proxies,
    )


def _file(name: str) -> Path | None:
    return Path(name) if name else None


def _check(client: RpcClient) -> None:
    if not client.is_up:
        raise ConnectionError("the broker is not connected")


def _die_with_parent() -> None:
    """Linux: be killed when the main process is, whatever way it ended."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
