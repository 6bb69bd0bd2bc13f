"""The plots of ``docs/performance.md``, as SVG beside the results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.ticker import StrMethodFormatter

from bench.records import Records

COLOURS = {
    "ours": "#1a7f5a",
    "ours_one_by_one": "#7fb8a0",
    "stock_nameko": "#8a6d3b",
    "faststream": "#35608f",
}
NAMES = {
    "ours": "ours",
    "ours_one_by_one": "ours, one by one",
    "stock_nameko": "stock Nameko",
    "faststream": "FastStream",
}
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "bench",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(records: Records) -> list[str]:
    """One picture for each part that was measured; returns their file names."""
    drawn = []
    with plt.rc_context(STYLE):
        for part, picture in (
            ("stage", _stage), ("lookup", _lookup), ("latency", _latency), ("backlog", _backlog)
        ):  # fmt: skip
            if found := records.read(part):
                figure = picture(found)
                figure.savefig(records.folder / f"{part}.svg", bbox_inches="tight", metadata={"Date": None})
                plt.close(figure)
                drawn.append(f"{part}.svg")
    return drawn


def _stage(found: dict[str, Any]) -> Any:
    figure, axes = plt.subplots(1, 2, figsize=(8, 2.2), layout="constrained")
    _bars(axes[0], found, "per_second", "events a second")
    _bars(axes[1], found, "cpu_us", "CPU for each event, µs")
    return figure


def _latency(found: dict[str, Any]) -> Any:
    figure, axes = plt.subplots(1, 2, figsize=(8, 1.8), layout="constrained")
    _bars(axes[0], found, "median_ms", "one event alone: median, ms", "{:,.1f}")
    _bars(axes[1], found, "p95_ms", "95 of 100 are faster than, ms", "{:,.1f}")
    return figure


def _bars(axes: Any, found: dict[str, Any], value: str, title: str, shown: str = "{:,.0f}") -> None:
    names = list(found)[::-1]
    bars = axes.barh(
        [NAMES[n] for n in names], [found[n][value] for n in names], color=[COLOURS[n] for n in names]
    )
    axes.bar_label(bars, labels=[shown.format(found[n][value]) for n in names], padding=3)
    axes.margins(x=0.15)
    axes.set_title(title, loc="left", fontsize=9)


def _lookup(found: dict[str, Any]) -> Any:
    figure, axes = plt.subplots(1, 2, figsize=(8, 2.6), layout="constrained")
    for panel, value, title in (
        (axes[0], "per_second", "calls a second"), (axes[1], "cpu_us", "CPU for each call, µs")
    ):  # fmt: skip
        for number, name in enumerate(("ours", "stock_nameko")):
            places = [place + 0.4 * number for place in range(len(found))]
            values = [found[in_flight][name][value] for in_flight in found]
            bars = panel.bar(places, values, width=0.38, color=COLOURS[name], label=NAMES[name])
            panel.bar_label(bars, fmt="{:,.0f}", padding=2, fontsize=8)
        panel.set_xticks([place + 0.2 for place in range(len(found))], list(found))
        panel.set_xlabel("calls in flight")
        panel.set_title(title, loc="left", fontsize=9)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def _backlog(found: dict[str, Any]) -> Any:
    figure, axes = plt.subplots(1, 2, figsize=(8, 2.2), layout="constrained")
    sizes = [int(size) for size in found]
    _line(axes[0], sizes, [found[size]["cpu_us"] for size in found], "CPU for each event, µs")
    _line(axes[1], sizes, [found[size]["memory_mib"] for size in found], "most memory of the listener, MiB")
    return figure


def _line(axes: Any, sizes: Sequence[int], values: Sequence[float], title: str) -> None:
    axes.plot(sizes, values, marker="o", color=COLOURS["ours"])
    axes.set_xscale("log")
    axes.set_xticks(sizes)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_ylim(0, max(values) * 1.25)
    axes.set_xlabel("events waiting")
    axes.set_title(title, loc="left", fontsize=9)
