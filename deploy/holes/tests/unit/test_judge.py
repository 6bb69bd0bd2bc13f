"""Known holes: clean, holes, or could not ask; an explanation is for one hole and for a time."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from click.testing import CliRunner

from deploy.holes import __main__ as command
from deploy.holes.judge import (
    CLEAN,
    COULD_NOT_ASK,
    HOLES,
    WRONG_CALL,
    AnswerUnreadable,
    ExplanationsWrong,
    explanations_in,
    judged,
)

TODAY = date(2026, 3, 2)
WELL = {"name": "amqp", "version": "5.3.1", "vulns": []}
HOLE = {"id": "PYSEC-2026-7", "aliases": ["CVE-2026-1234"], "fix_versions": ["2.0"], "description": "…"}
WITH_A_HOLE = {"name": "pillow", "version": "1.0", "vulns": [HOLE]}
SKIPPED = {"name": "click", "skip_reason": "Dependency not found on PyPI and could not be audited"}
ROOT = Path(__file__).parents[4]


def answer(*dependencies: dict[str, Any]) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


def explained(id: str = "PYSEC-2026-7", package: str = "pillow", until: str = "2026-03-03") -> str:
    return f'[[hole]]\nid = "{id}"\npackage = "{package}"\nwhy = "never reached"\nuntil = {until}\n'


@pytest.mark.parametrize(
    ("dependencies", "explanations", "code"),
    [
        ([WELL], "", CLEAN),
        ([WELL, WITH_A_HOLE], "", HOLES),
        ([WELL, WITH_A_HOLE], explained(), CLEAN),
        ([WELL, WITH_A_HOLE], explained(id="CVE-2026-1234"), CLEAN),
        ([WITH_A_HOLE], explained(until="2026-03-02"), HOLES),
        ([WITH_A_HOLE], explained(id="CVE-2026-9999"), HOLES),
        ([WITH_A_HOLE], explained(package="pillows"), HOLES),
        ([WELL, SKIPPED], "", COULD_NOT_ASK),
        ([WITH_A_HOLE, SKIPPED], "", HOLES),
        ([WITH_A_HOLE, SKIPPED], explained(), COULD_NOT_ASK),
    ],
)
def test_there_are_three_outcomes(dependencies: list[dict], explanations: str, code: int) -> None:
    assert judged(answer(*dependencies), explanations_in(explanations), TODAY).exit_code == code


def test_an_explanation_of_what_is_no_hole_any_more_is_told() -> None:
    closed = {**WITH_A_HOLE, "vulns": []}
    assert judged(answer(closed), explanations_in(explained()), TODAY).obsolete
    assert not judged(answer(WITH_A_HOLE), explanations_in(explained()), TODAY).obsolete
    not_asked = judged(answer({**SKIPPED, "name": "pillow"}), explanations_in(explained()), TODAY)
    assert not not_asked.obsolete


@pytest.mark.parametrize(
    "printed", ["", "no JSON", "[]", "{}", answer(), '{"dependencies": [{"name": "x"}]}']
)
def test_what_is_no_answer_is_not_clean(printed: str) -> None:
    with pytest.raises(AnswerUnreadable):
        judged(printed, [], TODAY)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[hole", "is no TOML"),
        ("[hole]\nid = 1", "holds tables"),
        ('other = "x"', "holds tables"),
        (explained().replace("why", "because"), "hole 1: has id"),
        (explained() + explained().replace('"never reached"', '" "'), "hole 2: why"),
        (explained(until='"2026-03-03"'), "hole 1: until"),
        (explained(until="2026-03-03T10:00:00"), "hole 1: until"),
    ],
)
def test_explanations_that_are_wrong_are_told_by_number(text: str, says: str) -> None:
    with pytest.raises(ExplanationsWrong, match="^" + says.replace("[", r"\[")):
        explanations_in(text)


@pytest.mark.parametrize(
    ("printed", "explanations", "code", "says"),
    [
        (answer(WELL), "", CLEAN, "no known hole that is not explained"),
        (answer(WITH_A_HOLE), "", HOLES, "HOLE: pillow 1.0 CVE-2026-1234, PYSEC-2026-7; closed in 2.0"),
        (answer(WELL, SKIPPED), "", COULD_NOT_ASK, "could not ask about 1 packages, click among them"),
        ("", "", COULD_NOT_ASK, "could not ask: no route"),
        (answer(WELL), "[[hole", WRONG_CALL, "is no TOML"),
    ],
)
def test_the_command_tells_them_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, printed: str, explanations: str, code: int, says: str
) -> None:
    ended = CompletedProcess([], 1, stdout=printed, stderr="ERROR: …\nno route\n")
    monkeypatch.setattr(command.subprocess, "run", lambda *_arguments, **_options: ended)
    lock, file = tmp_path / "lock", tmp_path / "explained.toml"
    lock.touch()
    file.write_text(explanations)
    done = CliRunner().invoke(command.main, [str(lock), "--explained", str(file)])
    assert (done.exit_code, says in done.output) == (code, True), done.output


def test_the_explanations_that_are_shipped_can_be_read_and_are_for_a_year_at_the_most() -> None:
    text = (ROOT / "explained-holes.toml").read_text("utf-8")
    for explanation in explanations_in(text):
        assert explanation.until < datetime.now(UTC).date() + timedelta(days=366)
