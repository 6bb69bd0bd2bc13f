"""What a person sees at the end of a demo: the stages, one citizen's story, and what does not fit."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from deploy.demo.journey import STAGES, Journey
from deploy.demo.scenes import SCENES, Scene
from shared.testing.inbox import Inbox
from shared.testing.ledger import Report

MARKS = {"sms": "📱", "email": "✉️ "}


def stages_table(journeys: Sequence[Journey]) -> Table:
    """Each stage: how many passed it, and how long it took."""
    table = Table(title="Hành trình · The way", title_style="bold", header_style="dim", border_style="dim")
    table.add_column("Chặng · stage")
    for name in ("qua · passed", "p50", "max"):
        table.add_column(name, justify="right")
    for name, words in STAGES.items():
        times = [journey.seconds[name] for journey in journeys if name in journey.seconds]
        style = "green" if len(times) == len(journeys) else "red"
        median, longest = (statistics.median(times), max(times)) if times else (0.0, 0.0)
        table.add_row(
            words, Text(f"{len(times)}/{len(journeys)}", style), f"{median:.2f} s", f"{longest:.2f} s"
        )
    return table


def scenes_table(scenes: Sequence[Scene]) -> Table:
    """Each scene: whether it ended as it should."""
    table = Table(
        title="Trường hợp khác · Other ways", title_style="bold", header_style="dim", border_style="dim"
    )
    table.add_column("Trường hợp · scene")
    table.add_column("kết quả · ended", justify="right")
    for scene in scenes:
        mark = Text("✗", "red") if scene.problem else Text(f"✓ {scene.seconds:.1f} s", "green")
        table.add_row(SCENES[scene.name].words, mark)
    return table


def story(journey: Journey, inbox: Inbox) -> Panel:
    """One citizen's timeline, and what arrived on the phone and in the mailbox. The password stays hidden."""
    citizen = journey.citizen
    lines = [(entry["at"], "  •", entry["step"]) for entry in journey.timeline.get("entries", [])]
    lines += [(sms["at"], MARKS["sms"], hidden(sms["text"])) for sms in inbox.sms(citizen.phone)]
    lines += [(mail["at"], MARKS["email"], mail["subject"]) for mail in inbox.emails(citizen.email)]
    table = Table.grid(padding=(0, 1))
    for at, mark, words in sorted(lines, key=lambda line: datetime.fromisoformat(line[0])):
        table.add_row(Text(f"{datetime.fromisoformat(at).astimezone():%H:%M:%S}", "dim"), mark, words)
    photos = f", ảnh · photos: {', '.join(journey.photos)}" if journey.photos else ""
    months = sum(1 for _ in citizen.participation)
    head = Text(f"{citizen.full_name}{photos}; {months} giai đoạn tham gia · stretches of work\n", "bold")
    return Panel(Group(head, table), title="Một công dân · One citizen", border_style="cyan", expand=False)


def hidden(text: str) -> str:
    """An SMS as it may be shown: the password is not."""
    return re.sub(r"((?:Mat khau|Password): )\S+", r"\1••••••••", text)


def show(
    console: Console, journeys: Sequence[Journey], scenes: Sequence[Scene], report: Report, inbox: Inbox
) -> None:
    """Everything, in order."""
    console.print(stages_table(journeys))
    console.print(scenes_table(scenes))
    told = next((j for j in journeys if j.is_through and len(j.photos) > 1), None)
    told = told or next((j for j in journeys if j.is_through), None)
    if told:
        console.print(story(told, inbox))
    for journey in journeys:
        if journey.problem:
            console.print(f"[red]✗[/red] {journey.registration_id or 'not registered'}: {journey.problem}")
    for scene in scenes:
        if scene.problem:
            console.print(f"[red]✗[/red] {scene.name}: {scene.problem}")
    if report.is_clean:
        console.print("[green]✓[/green] Không mất, không trùng · nothing lost, nothing doubled")
    else:
        console.print(Text(str(report), "red"))


def result(
    journeys: Sequence[Journey], scenes: Sequence[Scene], report: Report, seconds: float
) -> dict[str, Any]:
    """The last line of the demo. What nobody asked for counts as doubled."""
    return {
        "citizens": len(journeys),
        "sms_received": report.sms_received,
        "emails_received": report.emails_received,
        "logged_in": sum("log_in" in journey.seconds for journey in journeys),
        "lookups_ok": sum("look_up" in journey.seconds for journey in journeys),
        "scenes_ok": [scene.name for scene in scenes if not scene.problem],
        "lost": len(report.lost),
        "duplicates": len(report.duplicates) + len(report.unasked),
        "seconds": round(seconds, 1),
    }
