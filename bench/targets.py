"""What is to be reached, and whether it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.records import Records


@dataclass(frozen=True)
class Target:
    """``ratio`` is what was found, ``wanted`` the bound; ``at_least`` says on which side of it to be."""

    what: str
    ratio: float
    wanted: float
    at_least: bool

    @property
    def reached(self) -> bool:
        return self.ratio >= self.wanted if self.at_least else self.ratio <= self.wanted

    @property
    def bound(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.wanted:.3g}"


def targets(records: Records) -> Iterator[Target]:
    """Those whose parts were measured."""
    if stage := records.read("stage"):
        for ours in filter(stage.get, ("ours", "ours_one_by_one")):
            how = " one by one" if ours == "ours_one_by_one" else ""
            for peer, times in (("stock_nameko", 6.0), ("faststream", 8.0)):
                ratio = stage[ours]["per_second"] / stage[peer]["per_second"]
                yield Target(f"stage{how}: events a second, times {peer}", ratio, times, at_least=True)
            for peer in ("stock_nameko", "faststream"):
                ratio = stage[ours]["cpu_us"] / stage[peer]["cpu_us"]
                yield Target(f"stage{how}: CPU for each event, of {peer}'s", ratio, 1 / 6, at_least=False)
    if lookup := records.read("lookup"):
        at_100 = lookup["100"]
        ratio = at_100["ours"]["cpu_us"] / at_100["stock_nameko"]["cpu_us"]
        yield Target(
            "look-up, 100 in flight: CPU for each call, of stock_nameko's", ratio, 1 / 3, at_least=False
        )
    if latency := records.read("latency"):
        ratio = latency["ours"]["median_ms"] / latency["stock_nameko"]["median_ms"]
        yield Target("one event alone: median, of stock_nameko's", ratio, 1.0, at_least=False)
    if backlog := records.read("backlog"):
        smallest, largest = (pick(backlog, key=int) for pick in (min, max))
        # Of the first runs, which follow each other: the largest is measured once, and machines change pace.
        for what, cost in (
            ("time", lambda size: 1 / backlog[size]["runs"][0][0]),
            ("CPU", lambda size: backlog[size]["runs"][0][1]),
        ):
            yield Target(
                f"backlog: {what} for each event at {int(largest):,}, of that at {int(smallest):,}",
                cost(largest) / cost(smallest),
                1.15,
                at_least=False,
            )
    if registrations := records.read("registrations"):
        smallest, largest = (pick(registrations, key=int) for pick in (min, max))
        for what, name in (("CPU", "cpu_ms"), ("statements", "statements")):
            yield Target(
                f"a registration: {what} on top of {int(largest):,}, of that on top of {int(smallest):,}",
                registrations[largest][name] / registrations[smallest][name],
                1.15,
                at_least=False,
            )
        scanned = len(registrations[largest]["scanned"])
        yield Target(
            f"a registration on top of {int(largest):,}: large tables scanned", scanned, 0, at_least=False
        )
    if found := records.read("log_ins"):
        yield Target(
            "log-ins a second, of argon2id's hashes a second",
            found["per_second"] / found["hashes_per_second"],
            0.7,
            at_least=True,
        )
        yield Target(
            "log-ins: identity's hub at the worst, ms later than beside argon2id alone",
            found["lag_ms"] - found["lag_beside_hashes_ms"],
            100.0,
            at_least=False,
        )
