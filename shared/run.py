"""Start one service: ``python -m shared.run registration``.

Sets what must be set before anything else is imported: green threads, and a psycopg that waits through them.
"""

import os

os.environ["PSYCOPG_WAIT_FUNC"] = "wait_select"
os.environ["EVENTLET_NO_GREENDNS"] = "yes"  # the system resolver, in a thread: no second one to be imported
import eventlet
import eventlet.debug

eventlet.monkey_patch()
eventlet.debug.hub_exceptions(False)  # they would print values to the log; our threads log by themselves

import gc  # noqa: E402
import importlib  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from typing import Any  # noqa: E402

import nameko  # noqa: E402
from nameko.runners import ServiceRunner  # noqa: E402

from shared import health, logs, metrics, migrate, spans  # noqa: E402
from shared.messaging import topology  # noqa: E402
from shared.messaging.runtime import Runtime  # noqa: E402
from shared.settings import SettingsInvalid, load  # noqa: E402

MAX_WORKERS = 1000
"""Above what prefetch counts and job workers allow together: those are the real limits."""


def resolve(name: str) -> tuple[type, type]:
    """The service class and its settings class: ``registration``, or ``package.module:Class`` whose module
    holds ``Settings``."""
    if ":" in name:
        module_name, _, class_name = name.partition(":")
        module = importlib.import_module(module_name)
        return getattr(module, class_name), module.Settings
    if name not in topology.SERVICES:
        raise SystemExit(f"unknown service; choose one of: {', '.join(topology.SERVICES)}")
    settings = importlib.import_module(f"services.{name}.settings")
    return topology.service_class(name), settings.Settings


def main(arguments: list[str]) -> int:
    """Run until SIGTERM or SIGINT; 2 when the settings are wrong."""
    if len(arguments) != 1:
        print(f"usage: python -m shared.run {'|'.join(topology.SERVICES)}", file=sys.stderr)
        return 2
    service, settings_class = resolve(arguments[0])
    try:
        settings: Any = load(settings_class)
    except SettingsInvalid as error:
        print(error, file=sys.stderr)
        return 2
    name: str = service.name  # type: ignore[attr-defined]
    logs.configure(name, settings.log_level)
    if settings.otel_exporter_otlp_endpoint:
        spans.export(name, settings.otel_exporter_otlp_endpoint)
    nameko.config.setup({"SETTINGS": settings, "max_workers": MAX_WORKERS})
    runner = ServiceRunner()
    runner.add_service(service)
    (container,) = runner.containers
    stop = eventlet.event.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: None if stop.ready() else stop.send())
    eventlet.spawn(_stop_when_told, stop, runner)
    runner.start()
    runtime = next(e for e in container.subextensions if isinstance(e, Runtime))
    health.serve(
        settings.ops_host,
        settings.ops_port,
        {
            "broker": runtime.check_broker,
            "database": runtime.database.ping,
            "migrations": lambda: _check_migrations(name, settings.database_url),
        },
    )
    gc.collect()
    gc.freeze()  # what is there now stays: looking through it again would stop every green thread for 70 ms
    metrics.watch_hub_lag()
    logs.get(__name__).info("started")
    runner.wait()
    spans.stop()
    return 0


def _stop_when_told(stop: Any, runner: ServiceRunner) -> None:
    stop.wait()
    runner.stop()


def _check_migrations(name: str, database_url: str) -> None:
    if name in topology.SERVICES and (waiting := migrate.pending(name, database_url)):
        raise health.NotReady(f"run `python -m shared.migrate {name}`: {len(waiting)} migrations wait")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
