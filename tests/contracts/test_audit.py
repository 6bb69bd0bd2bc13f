"""Nobody of the staff reads or acts without a row in the audit trail: no call can be added that forgets it.

``IdentityService.officer`` is the one way from a token to an officer, and sees to it that a row is there when
the transaction commits. So whoever takes a staff token has to go that way.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from marshmallow import Schema

from services.gateway.resources import staff as staff_routes
from shared.messaging import topology

TOKEN = "sealed_staff_token"
LOGS_IN = {"identity.staff_log_in"}
"""Hands a token out, and writes its row itself."""


def schemas_named_in(source: str, schemas: object) -> Iterator[type[Schema]]:
    for node in ast.walk(ast.parse(textwrap.dedent(source))):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "schemas"
        ):
            named = getattr(schemas, node.attr, None)
            if isinstance(named, type) and issubclass(named, Schema):
                yield named


def forgets_the_officer(source: str, schemas: object) -> bool:
    """Whether an entrypoint with this source takes a staff token, and does not ask ``self.officer`` whose."""
    takes = TOKEN in source or any(
        TOKEN in schema._declared_fields for schema in schemas_named_in(source, schemas)
    )
    asks = any(
        isinstance(node, ast.Call) and ast.unparse(node.func) == "self.officer"
        for node in ast.walk(ast.parse(textwrap.dedent(source)))
    )
    return takes and not asks


def calls_of(service: type) -> Iterator[tuple[str, str]]:
    """The name and the source of every RPC."""
    for name, method in inspect.getmembers(service, lambda member: getattr(member, "is_rpc", False)):
        yield f"{service.name}.{name}", inspect.getsource(method.handler)  # type: ignore[attr-defined]


@pytest.mark.parametrize("service", topology.SERVICES)
def test_whoever_takes_a_staff_token_asks_whose_it_is(service: str) -> None:
    (found,) = [s for s in topology.load_services() if s.name == service]  # type: ignore[attr-defined]
    schemas = getattr(importlib.import_module(found.__module__), "schemas", None)
    forgetful = {name for name, source in calls_of(found) if forgets_the_officer(source, schemas)}
    assert forgetful <= LOGS_IN


def test_a_call_that_forgets_it_is_found() -> None:
    schemas = importlib.import_module("services.identity.schemas")
    forgetful = """
    @rpc
    def case(self, **request):
        asked = schemas.load(schemas.OneCase, request)
        return views.case_view(Storage(tx).case(asked["case_id"]))
    """
    assert forgets_the_officer(forgetful, schemas)
    assert not forgets_the_officer(
        forgetful.replace("Storage(tx)", "self.officer(Storage(tx), asked)"), schemas
    )


def test_every_route_of_the_staff_hands_the_token_on() -> None:
    """The gateway decides nothing: what an officer asks for goes to a call that knows the officer."""
    tree = ast.parse(Path(str(staff_routes.__file__)).read_text())
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("services().call", "services().write")
    ]
    without = {
        ".".join(ast.literal_eval(argument) for argument in call.args[:2])
        for call in calls
        if TOKEN not in [keyword.arg for keyword in call.keywords]
    }
    assert calls
    assert without == LOGS_IN
