"""A gateway over a scripted RPC client: what was called is kept, what is answered is given."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from nacl.public import PrivateKey

from services.gateway.app import create
from services.gateway.rpc import Services
from shared.objects import FolderObjects
from shared.sealed import Sealer, generate_keypair
from shared.sealed_objects import SealedObjects


def _text(key: Any) -> str:
    return base64.b64encode(bytes(key)).decode()


@dataclass
class Called:
    """One call that the gateway made."""

    service: str
    method: str
    kwargs: dict[str, Any]
    idempotency_key: str | None


@dataclass
class ScriptedRpc:
    """Stands where RpcClient stands. ``answers`` by ``service.method``: a value, or an error to raise."""

    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[Called] = field(default_factory=list)

    def call(
        self,
        service: str,
        method: str,
        kwargs: dict[str, Any],
        deadline_seconds: float = 5.0,
        idempotency_key: str | None = None,
    ) -> Any:
        self.calls.append(Called(service, method, kwargs, idempotency_key))
        answer = self.answers[f"{service}.{method}"]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @property
    def last(self) -> Called:
        """The latest call."""
        return self.calls[-1]


PLACES = {place: generate_keypair() for place in ("quarantine", "photos")}
PUBLIC = {place: key.public for place, key in PLACES.items()}


class Keys:
    """Key pairs of everyone, so that a test can open what the gateway sealed."""

    def __init__(self) -> None:
        self._private = {
            name: PrivateKey.generate() for name in ("gateway", "identity", "registration", "history")
        }

    def sealer(self, name: str) -> Sealer:
        """The sealer of one service."""
        publics = {f"seal_public_{n}": _text(k.public_key) for n, k in self._private.items()}
        return Sealer.from_settings(SimpleNamespace(seal_private=_text(self._private[name]), **publics))


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def rpc() -> ScriptedRpc:
    return ScriptedRpc()


@pytest.fixture
def opens(tmp_path) -> SealedObjects:
    """The store as the services have it, which open what the gateway cannot."""
    return SealedObjects(
        FolderObjects(tmp_path), public=PUBLIC, private={place: key.private for place, key in PLACES.items()}
    )


@pytest.fixture
def objects(tmp_path) -> SealedObjects:
    return SealedObjects(FolderObjects(tmp_path), public={"quarantine": PUBLIC["quarantine"]})


@pytest.fixture
def app(rpc, keys, objects):
    services = Services(rpc, keys.sealer("gateway"), deadline_seconds=5.0, address_key=b"test")
    return create(services, objects, photo_max_bytes=200 * 1024)


@pytest.fixture
def http(app) -> FlaskClient:
    return app.test_client()
