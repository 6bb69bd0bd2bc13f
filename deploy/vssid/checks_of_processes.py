"""The processes: each replica is ready by its own account, and what only they know of the outside."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
from prometheus_client.parser import text_string_to_metric_families

from deploy.vssid.findings import Finding, not_looked_at, well, wrong
from deploy.vssid.where import PROCESSES, ProcessSettings, load

SECONDS = 5.0
BOUND = "vssid_smsc_bound"


def process_checks() -> Iterator[Finding]:
    """Every replica of every process whose ops page is known here."""
    pages = load(ProcessSettings)
    for name in PROCESSES:
        what, page = f"process {name}", pages.of(name)
        if not page:
            variable = f"{name.upper()}_OPS_URL"
            yield not_looked_at(what, f"{variable} is not told here", f"{variable}=http://host:port")
            continue
        yield from replicas(what, page)
    yield from session(pages.of("notification"))


def replicas(what: str, page: str) -> Iterator[Finding]:
    """What ``/readyz`` says at every address that the name of the page has."""
    try:
        addresses = addresses_of(page)
    except OSError:
        to_do = "no replica runs, or its name is wrong: start it; see its log"
        yield wrong(what, f"{urlsplit(page).hostname} is not known", to_do)
        return
    for address in addresses:
        where = what if len(addresses) == 1 else f"{what} at {address}"
        try:
            answer = httpx.get(f"{address}/readyz", timeout=SECONDS)
            missing = answer.json()["not_ready"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            to_do = "start it; see its log. One that hangs: restart it, what was in its hands is done again"
            yield wrong(where, f"does not say whether it is ready: {type(error).__name__}", to_do)
            continue
        if missing:
            said = "; ".join(f"{part}: {problem}" for part, problem in missing.items())
            yield wrong(where, f"not ready: {said}", "bring up what it names; it goes on by itself")
        else:
            yield well(where, "ready")


def session(page: str) -> Iterator[Finding]:
    """Whether notification has its session with the SMS centre: another one from here would take a place."""
    what = "session with the SMS centre"
    if not page:
        yield not_looked_at(what, "only notification knows", "NOTIFICATION_OPS_URL=http://host:port")
        return
    try:
        bound = [metric(address, BOUND) for address in addresses_of(page)]
    except (httpx.HTTPError, OSError, ValueError):
        yield not_looked_at(what, "notification does not answer", "start notification first")
        return
    if all(bound):
        yield well(what, f"bound, {len(bound)} replicas of notification")
    else:
        to_do = "line, SMPP_HOST, SMPP_SYSTEM_ID, smpp_password; `no session with the SMSC` in its log"
        yield wrong(what, f"{bound.count(0.0)} of {len(bound)} replicas of notification have none", to_do)


def addresses_of(page: str) -> list[str]:
    """The page at every address of its host: one for each replica. Raises ``OSError``."""
    parts = urlsplit(page)
    host, port = parts.hostname or "", parts.port or 80
    found = sorted({str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    return [f"http://[{ip}]:{port}" if ":" in ip else f"http://{ip}:{port}" for ip in found]


def metric(address: str, name: str) -> float:
    """The value of a gauge without labels. Raises ``httpx.HTTPError``, ``ValueError``."""
    text = httpx.get(f"{address}/metrics", timeout=SECONDS).raise_for_status().text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name:
                return float(sample.value)
    raise ValueError(name)
