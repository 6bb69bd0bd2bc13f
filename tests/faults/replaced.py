"""Services of the product run in another way, and the population register in the hands of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from deploy.native.instance import Instance
from shared.testing.processes import ServiceProcess


@contextmanager
def instead(product: Instance, target: str, folder: Path, **environment: str) -> Iterator[ServiceProcess]:
    """``target`` (``registration``, or ``module:Class`` with a defect planted) runs with these settings in
    place of the product's own process, until the end of the block."""
    service = _service(target)
    process = ServiceProcess(
        target, product.environment(service) | environment, folder / f"{service}_instead.log"
    )
    with ExitStack() as ending:
        product.supervision.stop([service])
        ending.callback(product.up)
        ending.callback(process.kill)
        process.start()
        process.wait_ready()
        yield process


def _service(target: str) -> str:
    return target.rsplit(":", 1)[-1].removesuffix("Service").lower()


@contextmanager
def register(product: Instance, **faults: Any) -> Iterator[None]:
    """The population register does these things wrong, until the end of the block."""
    address = f"{product.endpoints()['register']}/control"
    before = httpx.get(address).raise_for_status().json()
    httpx.put(address, json=faults).raise_for_status()
    try:
        yield
    finally:
        httpx.put(address, json=before).raise_for_status()


def asked_of_register(product: Instance, number: str) -> list[dict[str, Any]]:
    """What the population register was asked about a number, oldest first."""
    rows = httpx.get(f"{product.endpoints()['register']}/requests").raise_for_status().json()
    return [row for row in rows if number in row["asked"].values()]
