"""Logs: one JSON line per event, whoever wrote it, without personal data."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator

import psycopg
import pytest

from shared import logs, tracing

Read = Callable[[], list[dict[str, object]]]
CANARIES = ("0912345678", "Trần Thị Hoàng Yến", "079201001234")
DETAIL = (
    f"duplicate key value\nDETAIL:  Key (phone, full_name)=({CANARIES[0]}, {CANARIES[1]}) already exists."
)


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Read]:
    """Configured for the service "example"; returns what was written, raw text checked for canaries."""
    root = logging.getLogger()
    before = root.handlers, root.level, sys.excepthook, sys.unraisablehook, threading.excepthook
    logs.configure("example")

    def read() -> list[dict[str, object]]:
        out, err = capsys.readouterr()
        assert err == ""
        assert not [canary for canary in CANARIES if canary in out]
        return [json.loads(line) for line in out.splitlines()]

    yield read
    logging.captureWarnings(False)
    root.handlers, _, sys.excepthook, sys.unraisablehook, threading.excepthook = before
    root.setLevel(before[1])


def violate() -> None:
    full_name = CANARIES[1]
    raise psycopg.errors.UniqueViolation(DETAIL, full_name)


def test_a_line_says_when_what_where_and_in_which_trace(lines: Read) -> None:
    with tracing.start(None) as context, logs.bind(correlation_id="c-1"):
        logs.get("services.example").info("case opened", case_id="i-1")
    (line,) = lines()
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {
        "level": "info",
        "event": "case opened",
        "service": "example",
        "logger": "services.example",
        "trace_id": context.trace_id,
        "correlation_id": "c-1",
        "case_id": "i-1",
    }


def test_bound_ids_end_with_their_block(lines: Read) -> None:
    log = logs.get(__name__)
    with logs.bind(job_key="outer"):
        with logs.bind(job_key="inner"):
            log.info("one")
        log.info("two")
    log.info("three")
    assert [line.get("job_key") for line in lines()] == ["inner", "outer", None]


def test_lines_of_libraries_look_the_same_and_carry_the_ids(lines: Read) -> None:
    with logs.bind(correlation_id="c-1"):
        logging.getLogger("kombu.connection").warning("lost %s after %d tries", "link", 3)
    (line,) = lines()
    assert (line["event"], line["logger"], line["correlation_id"]) == (
        "lost link after 3 tries",
        "kombu.connection",
        "c-1",
    )
    assert line["level"] == "warning"


def test_a_loggers_own_handlers_give_way(lines: Read) -> None:
    library = logging.getLogger("some_library_with_a_handler")
    library.addHandler(logging.StreamHandler(sys.stdout))
    library.propagate = False
    logs.configure("example")
    library.warning("once")
    assert [line["event"] for line in lines()] == ["once"]


def test_an_unexpected_error_is_its_type_and_place_and_never_its_message(lines: Read) -> None:
    for write in (logs.get(__name__).exception, logging.getLogger("psycopg").exception):
        try:
            violate()
        except psycopg.Error:
            write("writing failed")
    for line in lines():
        exception = line["exception"]
        assert isinstance(exception, dict)
        assert exception["type"] == "psycopg.errors.UniqueViolation"
        assert exception["sqlstate"] == "23505"
        assert [frame.split()[1] for frame in exception["stack"]] == [
            "test_an_unexpected_error_is_its_type_and_place_and_never_its_message",
            "violate",
        ]
        assert all(".py:" in frame for frame in exception["stack"])
        assert line["level"] == "error"


def test_causes_are_named_in_order(lines: Read) -> None:
    try:
        try:
            violate()
        except psycopg.Error as error:
            raise RuntimeError(CANARIES[1]) from error
    except RuntimeError as error:
        logs.get(__name__).error("failed", exc_info=error)
    (line,) = lines()
    exception = line["exception"]
    assert isinstance(exception, dict)
    assert [exception["type"], *(cause["type"] for cause in exception["causes"])] == [
        "RuntimeError",
        "psycopg.errors.UniqueViolation",
    ]


def test_an_error_given_as_an_argument_is_its_type(lines: Read) -> None:
    error = psycopg.errors.UniqueViolation(DETAIL)
    logging.getLogger("nameko").error("error handling worker %s: %s", object(), error)
    logging.getLogger("nameko").error("%(error)s", {"error": error})
    logging.getLogger("nameko").error(error)
    logs.get(__name__).error("failed: %s", error)
    assert [line["event"] for line in lines()] == [
        "error handling worker <object>: psycopg.errors.UniqueViolation",
        "psycopg.errors.UniqueViolation",
        "psycopg.errors.UniqueViolation",
        "failed: psycopg.errors.UniqueViolation",
    ]


def test_personal_values_are_masked_in_every_part_of_a_line(lines: Read) -> None:
    log = logs.get(__name__)
    log.info(f"sent to {CANARIES[0]}", full_name=CANARIES[1], facts={"document": {"number": CANARIES[2]}})
    with logs.bind(phone=CANARIES[0], subject=CANARIES[2]):
        log.info("bound")
        logging.getLogger("smpplib").warning("to %s", CANARIES[0])
    first, *_ = lines()
    assert (first["event"], first["full_name"], first["facts"]) == ("sent to ***", "***", {"document": "***"})


def test_what_another_handler_sees_is_masked_too(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        logs.get("unconfigured").info("hello", phone="x", event_note=CANARIES[0])
    assert "***" in str(caplog.records[0].msg)
    assert CANARIES[0] not in str(caplog.records[0].msg)


def test_a_line_that_cannot_be_formatted_is_told_by_its_place(lines: Read) -> None:
    logs.configure("example")  # again: pytest's own handler, added since, would raise
    logging.getLogger("kombu").warning("%d tries", CANARIES[1])
    (line,) = lines()
    assert line["event"] == "a log line could not be formatted"
    assert "test_logs.py:" in str(line["place"])


def test_warnings_and_errors_that_nobody_caught_are_lines_as_well(lines: Read) -> None:
    thread = threading.Thread(target=violate)
    thread.start()
    thread.join()
    warnings.warn("old way", stacklevel=1)
    uncaught, warning = lines()
    assert (uncaught["level"], uncaught["event"]) == ("critical", "uncaught exception")
    assert warning["logger"] == "py.warnings"


def test_an_uncaught_error_ends_the_process_with_one_json_line() -> None:
    program = f"from shared import logs; logs.configure('example'); raise ValueError({CANARIES[1]!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == ""
    assert json.loads(done.stdout)["exception"]["type"] == "ValueError"


def test_the_level_holds_and_chatty_libraries_stay_quiet(lines: Read) -> None:
    logs.configure("example", "DEBUG")
    for name in ("own", "amqp", "smpplib"):
        logging.getLogger(name).debug("frame")
    assert [line["logger"] for line in lines()] == ["own"]
    logs.configure("example", "ERROR")
    logs.get("own").warning("hidden")
    logging.getLogger("kombu").warning("hidden")
    assert lines() == []


def test_a_new_line_in_a_text_does_not_make_a_new_line_in_the_log(lines: Read) -> None:
    logs.get(__name__).info('forged"}\n{"event": "login"')
    assert len(lines()) == 1
