"""``python -m tests.promises list`` prints row → tests; ``… prove G6 F9`` runs the tests of these rows
with their twins; ``… write`` updates the last column of the document. Exits 1 when something is wrong."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path

import click

from tests.promises import document, proofs

ROOT = Path(__file__).resolve().parents[2]


@click.group(help=__doc__)
@click.option("--document", "path", type=click.Path(path_type=Path), default=ROOT / "docs" / "promises.md")
@click.option("--tests", multiple=True, default=("shared", "services", "deploy", "tests"))
@click.pass_context
def main(context: click.Context, path: Path, tests: tuple[str, ...]) -> None:
    os.chdir(ROOT)
    context.obj = (path, list(tests))


@main.command("list")
@click.pass_obj
def list_rows(given: tuple[Path, list[str]]) -> None:
    """Print every row with the tests that prove it and their twins."""
    path, tests = given
    rows, found = document.rows(path), collected(path, tests)
    for row in rows.values():
        click.echo(f"{row.id:<4} {plain(row.promise)}")
        for mark, nodes in (("proves ", found.proves.get(row.id)), ("planted", found.planted.get(row.id))):
            for node in nodes or ():
                click.echo(f"       {mark}  {node}")
    proven = sum(bool(found.proves.get(row)) for row in rows)
    click.echo(f"\n{proven} of {len(rows)} rows have a test.")
    finish(found.faults)


@main.command()
@click.argument("rows", nargs=-1, required=True)
@click.pass_obj
def prove(given: tuple[Path, list[str]], rows: tuple[str, ...]) -> None:
    """Run the tests of these rows, and of an F row its twins."""
    path, tests = given
    chosen = list(dict.fromkeys(row for text in rows for row in text.replace(",", " ").split()))
    try:
        wrong = proofs.prove(chosen, document.rows(path), tests)
    except proofs.CollectionFailed:
        wrong = ["the tests could not be collected"]
    if not wrong:
        click.echo(f"Proven: {' '.join(chosen)}")
    finish(wrong)


@main.command()
@click.pass_obj
def write(given: tuple[Path, list[str]]) -> None:
    """Name the test files in the last column of the document."""
    path, tests = given
    document.write(path, collected(path, tests).files())


def collected(path: Path, tests: list[str]) -> proofs.Proofs:
    """What the tests prove; pytest's own listing is shown only when it failed."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            return proofs.collect(document.rows(path), tests)
    except proofs.CollectionFailed:
        click.echo(said.getvalue())
        finish(["the tests could not be collected"])
        raise


def plain(promise: str) -> str:
    """The promise without Markdown, on one line of a terminal."""
    text = promise.replace("`", "").replace("**", "")
    return text if len(text) <= 100 else text[:99].rsplit(" ", 1)[0] + " …"


def finish(wrong: list[str]) -> None:
    """Say what is wrong, if anything is, and leave with 1."""
    for sentence in wrong:
        click.secho(sentence, fg="red", err=True)
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    main(prog_name="python -m tests.promises")
