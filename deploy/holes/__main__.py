"""The command line: ``python -m deploy.holes requirements-service.lock --explained explained-holes.toml``."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from deploy.holes.judge import (
    COULD_NOT_ASK,
    AnswerUnreadable,
    ExplanationsWrong,
    Hole,
    Verdict,
    explanations_in,
    judged,
)

AUDIT = (sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--format", "json")
QUIET = ("--progress-spinner", "off")
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("lock", type=FILE)
@click.option("--explained", type=FILE, required=True, help="Why holes that are left do no harm; TOML.")
def main(lock: Path, explained: Path) -> None:
    """Known holes of the packages in LOCK, as PyPI's advisories have them.

    Exit 0: none that is not explained. 1: some are not. 2: a wrong call or file. 3: nobody could tell about
    all of them.
    """
    try:
        explanations = explanations_in(explained.read_text("utf-8"))
    except (ExplanationsWrong, UnicodeDecodeError) as wrong:
        raise click.UsageError(f"{explained}: {wrong}") from None
    done = subprocess.run([*AUDIT, *QUIET, "--requirement", str(lock)], capture_output=True, text=True)
    try:
        verdict = judged(done.stdout, explanations, datetime.now(UTC).date())
    except AnswerUnreadable:
        click.echo(f"could not ask: {_last_line(done.stderr)}", err=True)
        raise SystemExit(COULD_NOT_ASK) from None
    tell(verdict)
    raise SystemExit(verdict.exit_code)


def tell(verdict: Verdict) -> None:
    """What was found, and what to do."""
    for hole, why in verdict.explained:
        click.echo(f"explained: {_named(hole)}: {why.why} (until {why.until})")
    for why in verdict.obsolete:
        click.echo(f"no hole any more: {why.package} {why.id}; take its explanation out")
    for hole in verdict.unexplained:
        click.echo(f"HOLE: {_named(hole)}; {_what_to_do(hole)}", err=True)
    if verdict.not_asked:
        name, reason = next(iter(verdict.not_asked.items()))
        click.echo(
            f"could not ask about {len(verdict.not_asked)} packages, {name} among them: {reason}. "
            "Ask again where PyPI's advisories can be reached",
            err=True,
        )
    elif not verdict.unexplained:
        click.echo("no known hole that is not explained")


def _named(hole: Hole) -> str:
    return f"{hole.package} {hole.version} {', '.join(sorted(hole.ids))}"


def _what_to_do(hole: Hole) -> str:
    if hole.fixed_in:
        return f"closed in {', '.join(hole.fixed_in)}: make lock"
    return "no version closes it: explain why it does no harm here, or do without the package"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["pip-audit said nothing"])[-1]


if __name__ == "__main__":
    main(prog_name="python -m deploy.holes")
