"""A client of the gateway, as citizens and officers have one in the demo, the tests and the bench.

Each call is patient: it repeats itself, with the same idempotency key, while the gateway is away or
answers 503, so that a journey goes on while services are being killed.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

PAUSE_SECONDS = 0.3


class ProblemSeen(Exception):
    """The gateway refused. ``problem`` is the problem+json, ``name`` the last part of its type."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.problem = problem
        self.name = str(problem.get("type", "")).rsplit("/", 1)[-1]
        fields = ", ".join(self.fields)
        super().__init__(f"{status} {self.name} {fields}".strip())

    @property
    def fields(self) -> list[str]:
        """The fields that were refused."""
        return [error["field"] for error in self.problem.get("errors", [])]


class NotInTime(Exception):
    """Something awaited did not come within its bound."""


@dataclass
class Session:
    """One HTTP client of the gateway. ``patience_seconds`` bounds the repeating of one call."""

    base_url: str
    patience_seconds: float = 60.0
    language: str = "vi"
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    retries: int = 0
    transport: httpx.BaseTransport | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._http = httpx.Client(base_url=self.base_url, timeout=15.0, transport=self.transport)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request, as it is answered; repeated while the gateway or a service is away."""
        headers = {"Accept-Language": self.language, **self.headers, **options.pop("headers", {})}
        if method == "POST":
            headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
        give_up_at = time.monotonic() + self.patience_seconds
        while True:
            try:
                response = self._http.request(method, path, headers=headers, **options)
                if response.status_code != 503 or time.monotonic() > give_up_at:
                    return response
            except (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError):
                if time.monotonic() > give_up_at:
                    raise
            self.retries += 1
            time.sleep(PAUSE_SECONDS)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of a good answer. Raises ``ProblemSeen`` otherwise."""
        response = self.send(method, path, **options)
        if response.status_code >= 400:
            raise ProblemSeen(response.status_code, json_of(response))
        return None if response.status_code == 204 else json_of(response)


def json_of(response: httpx.Response) -> Any:
    """The JSON of an answer; of one that is none, a problem with the beginning of its text."""
    try:
        return response.json()
    except ValueError:
        return {"type": "", "title": response.text[:200], "status": response.status_code}


def tries_within(seconds: float) -> Iterator[int]:
    """Count while the time lasts, pausing between."""
    end, count = time.monotonic() + seconds, 0
    while count == 0 or time.monotonic() < end:
        yield count
        count += 1
        time.sleep(PAUSE_SECONDS)
