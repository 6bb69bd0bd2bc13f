"""The broker: its queues, limits and permissions against the code, its alarms, its clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deploy.vssid.broker import Broker, Depth, broker
from deploy.vssid.findings import Finding, clock, note, well, wrong
from shared.messaging import permissions, topology

BROKER_CLOCK_SECONDS = 3.0
"""It tells its time in whole seconds."""
FEW_DESCRIPTORS = 0.9

APPLY_TOPOLOGY = "python -m shared.messaging.topology apply"
APPLY_PERMISSIONS = "python -m shared.messaging.permissions apply"


def broker_checks() -> Iterator[Finding]:
    """Raises ``httpx.HTTPError`` and ``OSError`` when it does not answer."""
    ours = broker()
    overview = ours.ask("overview")
    yield well("broker", f"RabbitMQ {overview['rabbitmq_version']}")
    yield clock("clock of the broker", ours.clock_difference_seconds(), BROKER_CLOCK_SECONDS)
    yield from alarms(ours.ask("nodes"))
    yield from queues(ours)
    yield limits(ours.ask("policies/<vhost>"))
    yield from rights(ours)


def alarms(nodes: list[dict[str, Any]]) -> Iterator[Finding]:
    """Short of memory, disk or descriptors, or apart from each other."""
    for node in nodes:
        name = f"node {node['name']}"
        if not node.get("running"):
            yield wrong(name, "is down", "start it; quorum queues need more than half of the nodes")
            continue
        if node.get("partitions"):
            yield wrong(name, "does not see the other nodes", "mend the network, then restart this node")
        for alarm, to_do in (
            ("mem_alarm", "give it memory, or find the queue that grows: vssid queues"),
            ("disk_free_alarm", "make room on its disk: until then nothing is published"),
        ):
            if node.get(alarm):
                yield wrong(name, alarm, to_do)
        used, total = node.get("fd_used", 0), node.get("fd_total", 0)
        if total and used > FEW_DESCRIPTORS * total:
            yield wrong(name, f"{used} of {total} file descriptors", "raise the limit of open files")


def queues(ours: Broker) -> Iterator[Finding]:
    """Every queue is there in the right shape, is listened to, and has no dead letters."""
    present = {row["name"]: row for row in ours.ask("queues/<vhost>")}
    bindings = {
        (row["source"], row["destination"], row["routing_key"]) for row in ours.ask("bindings/<vhost>")
    }
    wanted = topology.queues()
    odd = False
    for queue in wanted:
        row = present.get(queue.name)
        if row is None:
            odd = True
            yield wrong(f"queue {queue.name}", "is missing", APPLY_TOPOLOGY)
            continue
        if any(row["arguments"].get(name) != value for name, value in queue.arguments.items()):
            odd = True
            yield wrong(
                f"queue {queue.name}", "has another shape", "empty it, delete it, then " + APPLY_TOPOLOGY
            )
        if any((exchange, queue.name, key) not in bindings for exchange, key in queue.bindings):
            odd = True
            yield wrong(f"queue {queue.name}", "lacks bindings", APPLY_TOPOLOGY)
        if queue.name.endswith(".dead") and row.get("messages"):
            listener = queue.name.removesuffix(".dead")
            yield note(
                f"listener {listener}",
                f"{row['messages']} dead letters",
                f"vssid dead-letters show {listener}",
            )
    strangers = sorted(
        name for name in set(present) - {queue.name for queue in wanted} if _is_kept(present[name])
    )
    for name in strangers:
        yield note(f"queue {name}", "is not in the code", "of an earlier version? empty it, then delete it")
    if not odd:
        yield well("queues", f"{len(wanted)} as declared")
    yield from listening(ours.depths())


def listening(depths: list[Depth]) -> Iterator[Finding]:
    """Each service consumes its queues."""
    for service in topology.SERVICES:
        own = [d for d in depths if d.name == f"rpc-{service}" or d.name.startswith(f"{service}.")]
        unheard = [d.name for d in own if not d.consumers and not d.name.endswith(".dead")]
        if unheard:
            yield wrong(
                f"service {service}", f"nobody listens to {', '.join(unheard)}", "start it; see its log"
            )


def _is_kept(row: dict[str, Any]) -> bool:
    """Not the queue of somebody's replies, which goes with its connection."""
    return not row.get("auto_delete") and not row.get("exclusive")


def limits(policies: list[dict[str, Any]]) -> Finding:
    """The delivery limits."""
    wanted = topology.policies()
    present = {policy["name"]: policy for policy in policies}
    for name, policy in wanted.items():
        if not policy.items() <= present.get(name, {}).items():
            return wrong("delivery limits", f"policy {name} is not the one in the code", APPLY_TOPOLOGY)
    return well("delivery limits", f"{topology.DELIVERY_LIMIT}, of dead letters none")


def rights(ours: Broker) -> Iterator[Finding]:
    """Each process's user may do what its code declares, no more and no less."""
    granted = {row["user"]: row for row in ours.ask("vhosts/<vhost>/permissions")}
    topics: dict[str, dict[str, tuple[str, str]]] = {}
    for row in ours.ask("vhosts/<vhost>/topic-permissions"):
        topics.setdefault(row["user"], {})[row["exchange"]] = (row["write"], row["read"])
    odd = False
    for user, grant in permissions.grants().items():
        row = granted.get(user)
        if row is None:
            odd = True
            yield wrong(f"broker user {user}", "has no rights", APPLY_PERMISSIONS)
            continue
        same = (row["configure"], row["write"], row["read"]) == (grant.configure, grant.write, grant.read)
        nothing = (permissions.NOTHING, permissions.NOTHING)
        on_topics = all(
            topics.get(user, {}).get(exchange) == grant.topics.get(exchange, nothing)
            for exchange, kind in topology.EXCHANGES.items()
            if kind == "topic"
        )
        if not (same and on_topics):
            odd = True
            yield wrong(
                f"broker user {user}", "may do something else than its code declares", APPLY_PERMISSIONS
            )
    if not odd:
        yield well("broker users", "may do what their code declares")
