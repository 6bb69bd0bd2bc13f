"""(e) One registration, from the first step to the password by SMS, on top of few and of many others."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg.rows import dict_row

from bench import earlier
from bench.earlier import SERVICES, Original
from deploy.demo.world import add_officer, write_register
from deploy.native.instance import Instance
from shared.testing.citizen_client import AGENCY_CODE, CitizenClient
from shared.testing.citizens import Citizen, generate
from shared.testing.inbox import Inbox
from shared.testing.officer_client import OfficerClient
from shared.testing.processes import ServiceProcess, until
from tests.fixtures import migrate

TICKS = 100
"""A second of CPU in ``/proc/<pid>/stat``, on every Linux of today."""
IDLE_SECONDS = 20.0
WARM_UP = 5
SETTLED_SECONDS = 2.0
"""For the last acknowledgement, and for PostgreSQL's counters, which are told with a delay."""
LARGE_ROWS = 500
"""A table with more rows may not be read from one end to the other."""

SEEN = """
SELECT sum(calls)::bigint AS statements, sum(shared_blks_hit + shared_blks_read)::bigint AS blocks
FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid JOIN pg_roles r ON r.oid = s.userid
WHERE d.datname = ANY(%(databases)s) AND r.rolname = ANY(%(services)s)
"""
BACKENDS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = ANY(%(databases)s) AND usename = ANY(%(services)s)"
)
SCANS = "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE n_live_tup > %(rows)s"
STATUS = "SELECT status FROM registrations WHERE id = %(id)s"


@dataclass(frozen=True)
class Cost:
    """What so much work took: CPU of the services and of PostgreSQL, statements, blocks of tables touched."""

    services_ms: float
    postgres_ms: float
    statements: float
    blocks: float

    @property
    def cpu_ms(self) -> float:
        return self.services_ms + self.postgres_ms

    def less(self, idle: Cost, times: float) -> Cost:
        """Without what would have been spent anyway."""
        return Cost(*(mine - times * its for mine, its in zip(self._all, idle._all, strict=True)))

    def over(self, count: float) -> Cost:
        """For one of so many."""
        return Cost(*(mine / count for mine in self._all))

    @property
    def _all(self) -> tuple[float, ...]:
        return self.services_ms, self.postgres_ms, self.statements, self.blocks


@dataclass(frozen=True)
class RegistrationRun:
    """One run: the cost of a registration, that of an idle second, and the large tables that were scanned."""

    each: Cost
    idle: Cost
    scanned: tuple[str, ...]

    @property
    def shown(self) -> str:
        """On one line."""
        each = self.each
        return (
            f"{each.services_ms:.0f} + {each.postgres_ms:.0f} ms of CPU, {each.statements:.1f} statements,"
            f" {each.blocks:.0f} blocks; {self.idle.cpu_ms:.1f} ms a second when idle;"
            f" scanned: {', '.join(self.scanned) or 'nothing'}"
        )


class Size:
    """The product on databases with so many earlier registrations."""

    def __init__(self, servers: Instance, earlier_ones: int) -> None:
        self.earlier = earlier_ones
        self._servers = servers
        self._endpoints: dict[str, Any] = servers.endpoints()
        self._databases = [f"{service}_{earlier_ones}" for service in SERVICES]
        self._inbox = Inbox(self._endpoints["sms"], self._endpoints["mail"])
        self._register = Path(self._endpoints["register_citizens_file"])
        self._processes: dict[str, ServiceProcess] = {}

    # -- an installation, as ``deploy.demo.world`` takes one --

    def endpoints(self) -> dict[str, object]:
        """Where each thing listens."""
        return self._endpoints

    def environment(self, service: str) -> dict[str, str]:
        """The settings of a process, on this size's databases."""
        known = self._servers.environment(service)
        own = (
            {"DATABASE_URL": earlier.dsn(self._servers, service, self.earlier)} if service in SERVICES else {}
        )
        return known | own

    # -- making and measuring --

    def make(self) -> None:
        """Empty databases, then the originals, then their copies."""
        earlier.make(self._servers, self.earlier)
        for service in SERVICES:
            migrate(service, self.environment(service)["DATABASE_URL"])
        with self.running() as officer:
            originals = {
                status: self._original(officer, status) for status in ("completed", "awaiting_visit")
            }
        earlier.fill(self._servers, self.earlier, originals)

    def measure(self, count: int) -> RegistrationRun:
        """The cost of ``count`` registrations, one after the other, less that of idling as long."""
        with self.running() as officer:
            people = iter(self._newcomers(WARM_UP + count))
            for _ in range(WARM_UP):
                self._register_one(next(people), officer)
            idle = self._cost_of(lambda: time.sleep(IDLE_SECONDS))
            scans = self._scans()
            work = self._cost_of(lambda: [self._register_one(citizen, officer) for citizen in people])
            scanned = tuple(sorted(t for t, times in self._scans().items() if times > scans.get(t, 0)))
            idle_second = idle[0].over(idle[1])
            return RegistrationRun(work[0].less(idle_second, work[1]).over(count), idle_second, scanned)

    @contextmanager
    def running(self) -> Iterator[OfficerClient]:
        """The services on these databases, and an officer at the desk, in the block."""
        with ExitStack() as ending:
            for service in SERVICES:
                log = self._servers.run / f"{service}_{self.earlier}.log"
                process = ServiceProcess(service, self.environment(service), log)
                ending.callback(process.stop)
                process.start()
                self._processes[service] = process
            for process in self._processes.values():
                process.wait_ready()
            with redis.Redis.from_url(self._endpoints["redis"]) as cache:
                cache.flushdb()  # what one network address may do in an hour
            yield add_officer(self, self._endpoints["gateway"], f"bench-{time.time_ns()}", AGENCY_CODE)

    def _original(self, officer: OfficerClient, status: str) -> Original:
        (citizen,) = self._newcomers(1)
        client = CitizenClient(self._endpoints["gateway"])
        accepted = client.register(citizen, self._otp, AGENCY_CODE)
        client.wait_for("awaiting_visit")
        if status == "completed":
            officer.confirm(officer.find(accepted.declaration_number)["id"])
            client.wait_for("completed")
            time.sleep(SETTLED_SECONDS)
        client.close()
        return Original(citizen, accepted, status)

    def _newcomers(self, count: int) -> list[Citizen]:
        """New people, in the population register; nobody whose phone or code a copy may have."""
        made = generate(2 * count, seed=time.time_ns())
        people = [one for one in made if not one.phone.startswith("0900") and not one.code.startswith("700")]
        people = people[:count]
        write_register(self._register, [citizen.register_row() for citizen in people])
        return people

    def _register_one(self, citizen: Citizen, officer: OfficerClient) -> None:
        """The whole way, with as many requests each time: what is waited for is looked up by PostgreSQL's
        owner, whom nobody counts."""
        client = CitizenClient(self._endpoints["gateway"])
        accepted = client.register(citizen, self._otp, AGENCY_CODE)
        self._until(accepted.registration_id, "awaiting_visit")
        client.timeline()
        next(officer.cases())  # the first page: the oldest fifty
        (found,) = officer.cases(q=accepted.declaration_number)
        case = officer.case(found["id"])
        officer.photo(case["id"], "portrait")
        officer.confirm(case["id"])
        self._until(accepted.registration_id, "completed")
        client.timeline()
        client.close()

    def _otp(self, address: str) -> str:
        return self._inbox.wait_for_otp(address)

    def _until(self, registration_id: str, status: str) -> None:
        with psycopg.connect(self._admin("registration"), autocommit=True) as connection:
            until(
                lambda: connection.execute(STATUS, {"id": registration_id}).fetchone() == (status,),
                60.0,
                f"a registration does not become {status}",
            )

    # -- counting --

    def _cost_of(self, work: Callable[[], Any]) -> tuple[Cost, float]:
        """What it took, and how many seconds."""
        time.sleep(SETTLED_SECONDS)
        before, started = self._counted(), time.monotonic()
        work()
        time.sleep(SETTLED_SECONDS)
        seconds, after = time.monotonic() - started, self._counted()
        postgres = sum(ms - before[1].get(pid, 0.0) for pid, ms in after[1].items())
        statements, blocks = (after[2][n] - before[2][n] for n in range(2))
        return Cost(after[0] - before[0], postgres, statements, blocks), seconds

    def _counted(self) -> tuple[float, dict[int, float], tuple[int, int]]:
        known = {"databases": self._databases, "services": list(SERVICES)}
        with psycopg.connect(self._admin("postgres"), autocommit=True) as connection:
            backends = [pid for (pid,) in connection.execute(BACKENDS, known)]
            row = connection.execute(SEEN, known).fetchone()
        assert row is not None
        services = [*(p.pid for p in self._processes.values()), self._servers.pids()["gateway"]]
        return sum(map(cpu_ms, services)), {pid: cpu_ms(pid) for pid in backends}, row

    def _scans(self) -> dict[str, int]:
        """How often each large table was read from one end to the other."""
        found: dict[str, int] = {}
        for service in SERVICES:
            with psycopg.connect(
                self._admin(f"{service}_{self.earlier}"), row_factory=dict_row
            ) as connection:
                rows = connection.execute(SCANS, {"rows": min(LARGE_ROWS, self.earlier // 2)})
                found |= {f"{service}.{row['relname']}": row["seq_scan"] for row in rows}
        return found

    def _admin(self, database: str) -> str:
        name = f"{database}_{self.earlier}" if database in SERVICES else database
        return str(self._endpoints["postgres"]).rsplit("/", 1)[0] + f"/{name}"


@contextmanager
def product(run: Path) -> Iterator[Instance]:
    """Servers, stand-ins and gateway of this part's own; PostgreSQL counts statements. The services' own
    processes are stopped: others take their place."""
    servers = Instance(run)
    servers.up("servers")
    with psycopg.connect(str(servers.endpoints()["postgres"]), autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET shared_preload_libraries = pg_stat_statements")
    servers.supervision.stop(["postgres"])
    servers.up("all")
    with psycopg.connect(str(servers.endpoints()["postgres"]), autocommit=True) as admin:
        admin.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    servers.supervision.stop(list(SERVICES))
    try:
        yield servers
    finally:
        servers.down()


def of_runs(runs: Sequence[RegistrationRun]) -> dict[str, Any]:
    """Medians, and what they were taken from."""

    def median(of: Callable[[RegistrationRun], float]) -> float:
        return round(statistics.median(map(of, runs)), 2)

    return {
        "cpu_ms": median(lambda run: run.each.cpu_ms),
        "services_ms": median(lambda run: run.each.services_ms),
        "postgres_ms": median(lambda run: run.each.postgres_ms),
        "statements": median(lambda run: run.each.statements),
        "blocks": median(lambda run: run.each.blocks),
        "idle_cpu_ms": median(lambda run: run.idle.cpu_ms),
        "scanned": sorted({table for run in runs for table in run.scanned}),
        "runs": [[round(run.each.cpu_ms, 2), round(run.each.statements, 2)] for run in runs],
    }


def cpu_ms(pid: int) -> float:
    """User and system time of a process, of its children that live and of those that it has waited for."""
    found = 0.0
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        found = sum(map(int, fields[11:15])) * 1e3 / TICKS
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return found
    return found + sum(cpu_ms(int(child)) for child in children)
