"""Who may call what: the two tables of the page on security, held to the routes and calls that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from services.gateway.app import create
from services.gateway.rpc import CALLS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security.md"
SERVICES = ("registration", "identity", "notification", "history")
ROUTE = re.compile(r"^\| `([A-Z]+ /\S+)` \| ([a-z ]+) \|", re.MULTILINE)
CALL = re.compile(r"^\| `(\w+\.\w+)` \| ([a-z ]+) \| [^|]+ \| ([^|]+) \|", re.MULTILINE)
WHO = {"resume_token": "applicant", "citizen": "citizen", "staff": "officer", "signature": "voice platform"}
OPENED_BY = {
    "citizen": ("self.claims(", "self.parts.tokens.read(", "self.identity.guardian("),
    "officer": ("self.officer(",),
    "applicant": ("self.key(",),
    "voice platform": ("reissue.reissue_by_hotline(",),
}
"""The line with which a call opens the proof itself. Of anybody, a service and an operator there is none."""


def routes() -> dict[str, str]:
    """Route → who may use it, as the gateway says."""
    document: Any = create(None, None).test_client().get("/openapi.json").json  # type: ignore[arg-type]
    return {
        f"{method.upper()} {path}": WHO[next(iter(operation["security"][0]))]
        if operation.get("security")
        else "anybody"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in ("get", "post", "put", "patch", "delete")
    }


def calls() -> dict[str, str]:
    """Call → its source."""
    found = {}
    for service in SERVICES:
        tree = ast.parse((ROOT / "services" / service / "service.py").read_text())
        for method in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            if any(ast.unparse(decorator).split("(")[0] == "rpc" for decorator in method.decorator_list):
                found[f"{service}.{method.name}"] = ast.unparse(method)
    return found


def clients() -> dict[str, set[str]]:
    """Call → the processes that make it."""
    found: dict[str, set[str]] = {call: set() for call in calls()}
    for service, methods in CALLS.items():
        for method in methods:
            found[f"{service}.{method}"].add("gateway")
    for service in SERVICES:
        tree = ast.parse((ROOT / "services" / service / "service.py").read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Client":
                callee, *methods = [ast.literal_eval(argument) for argument in node.args]
                for method in methods:
                    found[f"{callee}.{method}"].add(service)
    return found


def unproven(page: str, sources: dict[str, str]) -> list[str]:
    """Calls that do not open the proof which the page says they do."""
    return [
        call
        for call, who, _ in CALL.findall(page)
        if who in OPENED_BY and not any(line in sources[call] for line in OPENED_BY[who])
    ]


def test_every_route_has_its_row_and_asks_for_the_proof_that_it_says() -> None:
    assert dict(ROUTE.findall(PAGE.read_text())) == routes()


def test_every_call_has_its_row_with_all_who_make_it() -> None:
    told = {
        call: set(callers.strip().replace("–", "").split(", ")) - {""}
        for call, _, callers in CALL.findall(PAGE.read_text())
    }
    assert told == clients()


def test_every_call_opens_its_proof_itself() -> None:
    assert unproven(PAGE.read_text(), calls()) == []


@pytest.mark.parametrize("call", ["identity.export", "identity.photo", "registration.cancel"])
def test_a_call_that_trusts_its_caller_would_be_seen(call: str) -> None:
    trusting = calls() | {call: "def trusting(self, **request): return self.db"}
    assert unproven(PAGE.read_text(), trusting) == [call]


@pytest.mark.parametrize("row", [ROUTE, CALL])
def test_a_row_that_is_missing_would_be_seen(row: re.Pattern[str]) -> None:
    page = PAGE.read_text()
    first = row.search(page)
    assert first is not None
    left = {found[0] for found in row.findall(page.replace(first[0], ""))}
    assert {first[1]} == set(routes() if row is ROUTE else calls()) - left
