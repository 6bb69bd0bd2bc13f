"""Faults on request: what a stand-in does wrong is a frozen dataclass, changed over HTTP while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any, Generic, TypeVar

from deploy.stand_ins.http_api import Reply, Request, Route, WrongRequest

Settings = TypeVar("Settings")


class Control(Generic[Settings]):
    """Holds the settings in force in ``now``. A restart brings back those the program was started with."""

    def __init__(self, start: Settings) -> None:
        self.now: Settings = start
        self._examples = {field.name: getattr(start, field.name) for field in fields(start)}  # type: ignore[arg-type]

    def change(self, wishes: Mapping[str, Any]) -> None:
        """Set the named settings, leave the others. Raises ``WrongRequest`` and changes nothing
        when a name is unknown or a value is of the wrong type, negative or refused by the dataclass."""
        for name, value in wishes.items():
            if name not in self._examples:
                raise WrongRequest(f"no setting is called {name}; there are {', '.join(self._examples)}")
            if not _fits(value, self._examples[name]):
                raise WrongRequest(f"{name} takes a value like {self._examples[name]!r}")
        try:
            self.now = replace(self.now, **wishes)  # type: ignore[type-var]
        except ValueError as error:
            raise WrongRequest(str(error)) from error

    def routes(self) -> dict[tuple[str, str], Route]:
        """``GET`` and ``PUT /control``."""
        return {("GET", "/control"): self._show, ("PUT", "/control"): self._put}

    def _show(self, request: Request) -> Reply:
        return Reply(200, asdict(self.now))  # type: ignore[call-overload]

    def _put(self, request: Request) -> Reply:
        wishes = request.json()
        if not isinstance(wishes, dict):
            raise WrongRequest("a JSON object is wanted")
        self.change(wishes)
        return self._show(request)


def _fits(value: object, example: object) -> bool:
    if isinstance(example, bool) or isinstance(value, bool):
        return isinstance(example, bool) and isinstance(value, bool)
    if isinstance(example, float):
        return isinstance(value, int | float) and value >= 0
    if isinstance(example, int):
        return isinstance(value, int) and value >= 0
    return isinstance(value, type(example))
