import configparser
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.native.keys import Keys
from deploy.native.layout import Layout
from deploy.native.ports import NAMES
from deploy.native.programs import GROUPS, Program, programs
from deploy.native.supervision import MARK, Supervision, end_strays, strays


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    run = tmp_path / "50 % of a run"
    (run / "postgres" / "data").mkdir(parents=True)
    return Layout(run, {name: 20_000 + at for at, name in enumerate(NAMES)}, Keys.kept_in(run / "secrets"))


def sleeper(run: Path) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={MARK: str(run)})


def test_a_program_gets_its_settings_letter_by_letter(tmp_path):
    value = """{"quotes": "' and \\" and $HOME and `date` and\nlines"}"""
    show = [sys.executable, "-c", "import os; print(os.environ['SETTING'] + '|' + os.getcwd(), end='')"]
    program = Program("show", show, {"SETTING": value}, folder=tmp_path)

    done = subprocess.run(["sh"], input=program.script(), capture_output=True, text=True, check=True)

    assert done.stdout == f"{value}|{tmp_path}"


def test_a_program_is_replaced_by_its_command_so_that_signals_reach_it(tmp_path):
    program = Program("show", [sys.executable, "-c", "import os; print(os.getpid())"])
    script = tmp_path / "show.sh"
    script.write_text(program.script())

    with subprocess.Popen(["sh", str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert int(process.communicate()[0]) == process.pid


def test_every_program_stops_in_some_group():
    named = [name for names in GROUPS.values() for name in names]

    assert len(named) == len(set(named))


def test_the_configuration_names_every_program_once(layout):
    text = Supervision(layout)._configuration(programs(layout))
    parsed = configparser.RawConfigParser()
    parsed.read_string(text)

    configured = {name.removeprefix("program:") for name in parsed.sections() if name.startswith("program:")}

    assert configured == {name for names in GROUPS.values() for name in names}
    assert "50 %% of a run" in parsed["program:redis"]["command"]


def test_what_carries_the_mark_of_a_run_is_found_and_ended(tmp_path):
    ours, others = sleeper(tmp_path / ".run"), sleeper(tmp_path / ".run" / "test")
    try:
        assert strays(tmp_path / ".run") == [ours.pid]

        end_strays(tmp_path / ".run")

        assert ours.wait(timeout=5) < 0
        assert strays(tmp_path / ".run" / "test") == [others.pid]
        os.kill(others.pid, 0)
    finally:
        for process in (ours, others):
            process.kill()
            process.communicate()
