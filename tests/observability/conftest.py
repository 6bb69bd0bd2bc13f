"""One installation for all tests of this folder: its processes send their traces, a Prometheus scrapes it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.native.instance import Instance
from shared.testing.collector import Collector, collector
from tests.e2e.conftest import client, crowd, gateway, inbox, new_citizen, new_client, officer, seed
from tests.observability.prometheus import Prometheus, prometheus

__all__ = ["client", "crowd", "gateway", "inbox", "new_citizen", "new_client", "officer", "seed"]

RUN = ".run/test-observability"


@pytest.fixture(scope="session")
def traces() -> Iterator[Collector]:
    """Where the traces of the product go."""
    with collector() as running:
        yield running


@pytest.fixture(scope="session")
def product(traces: Collector) -> Iterator[Instance]:
    """Everything is up, in a folder of its own, and is stopped at the end."""
    instance = Instance(RUN)
    with pytest.MonkeyPatch.context() as told:
        told.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", traces.endpoint)
        instance.down()  # what an interrupted run has left knows another collector
        instance.up()
        yield instance
        instance.down()


@pytest.fixture(scope="session")
def watching(product: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that scrapes it."""
    with prometheus(product.layout, tmp_path_factory.mktemp("prometheus")) as running:
        yield running
