"""Shows what a run found: on the screen, and in ``docs/performance.md``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import document, plots
from bench.machine import LIBRARIES
from bench.plots import NAMES
from bench.records import Records
from bench.targets import targets

Row = tuple[str, ...]


def tables(records: Records) -> Iterator[tuple[str, Row, Sequence[Row]]]:
    """Title, head and rows of each."""
    if found := records.read("stage"):
        yield (
            "One event stage",
            ("", "events/s", "CPU, µs each", "memory, MiB", "best setting"),
            [(NAMES[n], *_measured(r), _shown(r)) for n, r in found.items()],
        )
    if found := records.read("lookup"):
        yield (
            "Look-up of ten rows",
            ("in flight", "", "calls/s", "CPU, µs each", "median, ms", "best setting"),
            [
                (in_flight, NAMES[n], *_measured(r)[:2], f"{r['median_ms']:.1f}", _shown(r))
                for in_flight, by_name in found.items()
                for n, r in by_name.items()
            ],
        )
    if found := records.read("latency"):
        yield (
            "One event alone",
            ("", "median, ms", "95 of 100 below, ms", "events"),
            [
                (NAMES[n], f"{r['median_ms']:.1f}", f"{r['p95_ms']:.1f}", f"{r['events']:,}")
                for n, r in found.items()
            ],
        )
    if found := records.read("backlog"):
        yield (
            "Backlog, our listener as it is shipped",
            ("events waiting", "events/s", "CPU, µs each", "memory, MiB", "runs"),
            [(f"{int(size):,}", *_measured(r), str(len(r["runs"]))) for size, r in found.items()],
        )
    if found := records.read("registrations"):
        yield (
            "One registration, on top of earlier ones",
            ("earlier ones", "CPU, ms each", "of it PostgreSQL", "statements each", "blocks each",
             "idle, ms of CPU/s", "large tables scanned"),
            [
                (f"{int(size):,}", f"{r['cpu_ms']:.0f}", f"{r['postgres_ms']:.0f}", f"{r['statements']:.1f}",
                 f"{r['blocks']:.0f}", f"{r['idle_cpu_ms']:.1f}", ", ".join(r["scanned"]) or "none")
                for size, r in found.items()
            ],
        )  # fmt: skip
    if r := records.read("log_ins"):
        yield (
            "Log-ins by HTTP, and argon2id alone",
            ("log-ins/s", "hashes/s alone", "median, ms", "CPU beside the hash, ms each", "hub's lag, ms",
             "beside argon2id alone, ms"),
            [(f"{r['per_second']:.1f}", f"{r['hashes_per_second']:.1f}", f"{r['median_ms']:.0f}",
              f"{r['other_cpu_ms']:.1f}", f"{r['lag_ms']:.0f}", f"{r['lag_beside_hashes_ms']:.0f}")],
        )  # fmt: skip
    if rows := [
        (t.what, f"{t.ratio:.3g}", t.bound, "reached" if t.reached else "not reached")
        for t in targets(records)
    ]:
        yield "Targets", ("", "found", "wanted", ""), rows


def _measured(record: dict[str, Any]) -> Row:
    return f"{record['per_second']:,.0f}", f"{record['cpu_us']:,.0f}", f"{record.get('memory_mib', 0):.0f}"


def _shown(record: dict[str, Any]) -> str:
    return ", ".join(f"{name.lower()} {value}" for name, value in record["setting"].items()) or "–"


def show(records: Records) -> None:
    """On the screen."""
    console = Console()
    for title, head, rows in tables(records):
        table = Table(*head, title=title, title_justify="left")
        for row in rows:
            table.add_row(*row, style="red" if row[-1] == "not reached" else "")
        console.print(table)


def publish(records: Records) -> None:
    """In the document, with plots and the machine's description."""
    drawn = plots.draw(records)
    described = records.read("machine")
    machine = next(iter(described.values()))
    runs = {one["at"]: one for one in described.values()}
    parts = [
        ("Taken in one run. " if len(runs) == 1 else "**The parts were taken in runs of their own.** ")
        + f"On {machine['cores']} cores of {machine['processor']}, "
        f"{machine['memory_gib']} GiB, Linux {machine['kernel']} on {machine['file_system']}; "
        f"Python {machine['python']}, "
        f"RabbitMQ {machine['rabbitmq']}, PostgreSQL {machine['postgresql']} (fsync {machine['fsync']}, "
        f"synchronous_commit {machine['synchronous_commit']}); "
        + ", ".join(f"{library} {machine[library]}" for library in LIBRARIES)
        + ".",
        _markdown(
            ("part", "taken", "load before", ""),
            [
                (part, one["at"], f"{one['load_before']:.1f}", "" if one["quiet"] else "not quiet")
                for part, one in described.items()
            ],
        ),
    ]
    pictures = {
        "One event stage": "stage",
        "Look-up": "lookup",
        "One event alone": "latency",
        "Backlog": "backlog",
    }
    for title, head, rows in tables(records):
        picture = next((part for start, part in pictures.items() if title.startswith(start)), "")
        image = f"\n![{title}](../bench/results/{picture}.svg)\n" if f"{picture}.svg" in drawn else ""
        parts.append(f"### {title}\n{image}\n{_markdown(head, rows)}")
    document.write("results", "\n\n".join(parts))


def _markdown(head: Row, rows: Sequence[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
