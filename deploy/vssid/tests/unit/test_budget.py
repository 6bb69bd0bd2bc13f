"""The doctor on the budget of database connections."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import pytest

from deploy.vssid import checks_of_databases
from shared.messaging.topology import SERVICES
from shared.settings import describe

REPLICAS = {"registration": 2, "identity": 3, "notification": 1, "history": 1}


@pytest.mark.parametrize("service", SERVICES)
def test_the_pool_of_every_service_can_be_set(service: str) -> None:
    settings = importlib.import_module(f"services.{service}.settings").Settings
    assert "DATABASE_POOL_SIZE" in {row.variable for row in describe(settings)}


@pytest.mark.parametrize(("pool", "state"), [(10, "well"), (12, "well"), (13, "wrong")])
def test_the_budget_counts_every_replica_with_the_pool_that_is_set(
    monkeypatch: pytest.MonkeyPatch, pool: int, state: str
) -> None:
    depths = [SimpleNamespace(name=f"rpc-{name}", consumers=count) for name, count in REPLICAS.items()]
    monkeypatch.setattr(checks_of_databases, "broker", lambda: SimpleNamespace(depths=lambda: depths))
    monkeypatch.delenv("RUN", raising=False)
    monkeypatch.setenv("DATABASE_POOL_SIZE", str(pool))
    (found,) = checks_of_databases.budget({"postgres:5432": list(SERVICES)}, {"postgres:5432": 100})
    assert (found.state, f"{7 * pool} of 100" in found.found) == (state, True)
