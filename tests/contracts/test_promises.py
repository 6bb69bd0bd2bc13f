"""``make promises`` and ``make prove``: a promise is proven only when its tests and twins ran and passed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.promises import document, proofs
from tests.promises.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
PROMISES = ROOT / "docs" / "promises.md"

DOCUMENT = "| row | promise | where |\n| --- | --- | --- |\n" + "".join(
    f"| {row} | the promise {row} | later |\n" for row in ("G1", "G2", "G3", "F1", "F2", "F3", "F4")
)

TESTS = """
import pytest

@pytest.mark.proves("G1")
@pytest.mark.parametrize("case", ["a [b::c]", "đ"])
def test_good(case): pass

@pytest.mark.proves("G2")
def test_bad(): assert False

@pytest.mark.proves("F1")
def test_fault(): pass

@pytest.mark.planted("F1")
def test_twin(): pass

@pytest.mark.proves("F2")
def test_without_twin(): pass

@pytest.mark.proves("F3")
def test_proof(): pass

@pytest.mark.planted("F3")
def test_twin_that_sees_nothing():
    with pytest.raises(AssertionError): pass

def test_of_nothing(): assert False, "not asked for"
"""


def ask(folder: Path, *arguments: str, tests: str = TESTS) -> Result:
    """Run the command on a document and tests of its own."""
    (folder / "promises.md").write_text(DOCUMENT)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:pytest_nameko\n")
    (folder / f"test_{folder.name}.py").write_text(tests)  # another name each time: pytest imports it
    options = ["--document", str(folder / "promises.md"), "--tests", str(folder)]
    return CliRunner().invoke(main, [*options, *arguments])


def test_rows_with_passing_tests_and_twins_are_proven(tmp_path):
    done = ask(tmp_path, "prove", "G1", "F1")
    assert done.exit_code == 0, done.stdout + done.stderr
    assert "Proven: G1 F1" in done.stdout
    assert "4 passed" in done.stdout  # two cases, one fault, its twin, and nothing else


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("G2", "test_bad: failed"),
        ("G3", "G3 has no test"),
        ("F2", "F2 has no twin that plants a defect"),
        ("F3", "test_twin_that_sees_nothing: failed"),
        ("F4", "F4 has no test"),
        ("G9", "G9 is no row of the document"),
        ("G1 G3", "G3 has no test"),
    ],
)
def test_a_row_that_is_not_proven_is_said_and_fails(tmp_path, rows, said):
    done = ask(tmp_path, "prove", *rows.split())
    assert done.exit_code == 1
    assert said in done.stderr


@pytest.mark.parametrize(
    ("body", "ending"),
    [
        ("pytest.skip('not today')", "skipped"),
        ("pytest.xfail('known')", "expected to fail"),
        ("raise KeyboardInterrupt", "could not be collected"),
    ],
)
def test_a_test_that_did_not_run_to_its_end_proves_nothing(tmp_path, body, ending):
    tests = f"import pytest\n@pytest.mark.proves('G1')\ndef test_it(): {body}\n"
    done = ask(tmp_path, "prove", "G1", tests=tests)
    assert done.exit_code != 0
    assert ending in done.stderr or "KeyboardInterrupt" in done.stdout + done.stderr


@pytest.mark.parametrize("mark", ["skip", "skipif(True, reason='no')", "xfail"])
def test_a_mark_that_excuses_a_test_proves_nothing(tmp_path, mark):
    tests = f"import pytest\n@pytest.mark.{mark}\n@pytest.mark.proves('G1')\ndef test_it(): pass\n"
    assert ask(tmp_path, "prove", "G1", tests=tests).exit_code == 1


def test_a_failing_fixture_proves_nothing(tmp_path):
    tests = (
        "import pytest\n@pytest.fixture\ndef it():\n    yield\n    assert False\n"
        "@pytest.mark.proves('G1')\ndef test_it(it): pass\n"
    )
    assert ask(tmp_path, "prove", "G1", tests=tests).exit_code == 1


@pytest.mark.parametrize("command", [("list",), ("prove", "G1")])
def test_tests_that_cannot_be_imported_are_an_error_never_a_gap(tmp_path, command):
    done = ask(tmp_path, *command, tests="import nothing_of_that_name")
    assert done.exit_code == 1
    assert "could not be collected" in done.stderr


def test_the_list_names_rows_tests_and_twins(tmp_path):
    done = ask(tmp_path, "list")
    assert done.exit_code == 0
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "F1 the promise F1" in lines
    assert any(line.startswith("proves") and line.endswith("::test_fault") for line in lines)
    assert any(line.startswith("planted") and line.endswith("::test_twin") for line in lines)
    assert "5 of 7 rows have a test." in lines


@pytest.mark.parametrize("marks", ["proves('G99')", "proves('G1')\n@pytest.mark.planted('F1')"])
def test_a_mark_that_cannot_be_right_is_an_error(tmp_path, marks):
    done = ask(tmp_path, "list", tests=f"import pytest\n@pytest.mark.{marks}\ndef test_it(): pass\n")
    assert done.exit_code == 1
    assert "test_it: " in done.stderr


def test_the_last_column_is_written_from_the_marks(tmp_path):
    assert ask(tmp_path, "write").exit_code == 0
    stands = {row.id: row.stands for row in document.rows(tmp_path / "promises.md").values()}
    assert stands["G3"] == "later"
    assert stands["G1"].endswith(f"test_{tmp_path.name}.py`")


# --- the document itself -------------------------------------------------------------------------


def test_the_document_lists_every_row_of_the_guide_and_of_the_faults_once():
    expected = [f"G{number}" for number in range(1, 17)] + [f"F{number}" for number in range(1, 26)]
    assert list(document.rows(PROMISES)) == expected


def test_the_document_names_where_each_row_stands(tmp_path):
    """When this fails: ``python -m tests.promises write``."""
    written = tmp_path / "promises.md"
    shutil.copy(PROMISES, written)
    command = [sys.executable, "-m", "tests.promises", "--document", str(written), "write"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert written.read_text() == PROMISES.read_text()


def test_a_row_that_stands_twice_is_refused(tmp_path):
    (tmp_path / "promises.md").write_text(DOCUMENT + "| G1 | again | later |\n")
    with pytest.raises(ValueError, match="twice"):
        document.rows(tmp_path / "promises.md")


def test_a_promise_without_rows_asked_for_is_not_proven():
    assert proofs.Proofs().missing(["G1"], {"G1": document.Row("G1", "p", "later")}) == ["G1 has no test"]
