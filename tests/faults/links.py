"""A proxy on each link of a stage: each service's to the broker and to its database, and the callers' own."""

from __future__ import annotations

from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from shared.messaging.calls import RpcClient
from shared.testing.stage import Stage
from tests.faults.proxy import Proxy


class Links:
    """``broker["first"]``, ``database["second"]``, ``callers``: the proxies; made before the stage is up."""

    def __init__(self, stage: Stage) -> None:
        self.broker = {service: proxy_of(stage.vhost.amqp_url) for service in stage.databases}
        self.database = {service: proxy_of(dsn) for service, dsn in stage.databases.items()}
        self.callers = proxy_of(stage.vhost.amqp_url)
        for service, dsn in stage.databases.items():
            stage.environments.setdefault(service, {}).update(
                AMQP_URL=through(self.broker[service], stage.vhost.amqp_url),
                DATABASE_URL=through(self.database[service], dsn),
            )
        stage.client = RpcClient(through(self.callers, stage.vhost.amqp_url), "test-callers")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for proxy in self.all():
            proxy.close()

    def all(self) -> list[Proxy]:
        """Every proxy."""
        return [*self.broker.values(), *self.database.values(), self.callers]


def proxy_of(url: str) -> Proxy:
    """A proxy to where the URL points."""
    target = urlsplit(url)
    assert target.hostname is not None
    assert target.port is not None
    return Proxy(target.hostname, target.port)


def through(proxy: Proxy, url: str) -> str:
    """The URL, leading through the proxy."""
    return url.replace(f"127.0.0.1:{urlsplit(url).port}", f"127.0.0.1:{proxy.port}")
