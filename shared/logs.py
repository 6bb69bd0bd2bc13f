"""JSON logs on stdout, one line per event, that carry ids and never personal data.

Two defences: callers log ids only, and a guard masks what looks personal anyway, in our own lines and in
those of libraries (``shared/masking.py``). Exceptions are logged as type and place: their messages carry
data (a unique violation quotes the row).
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, MutableMapping
from contextlib import AbstractContextManager
from typing import Any, TextIO

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.typing import EventDict

from shared.masking import described, masked_event, safe

# Their debug lines hold frames, addresses or whole messages.
QUIET = {
    "amqp": logging.WARNING,
    "httpcore": logging.WARNING,
    "httpx": logging.WARNING,
    "kombu": logging.INFO,
    "mail.log": logging.WARNING,
    "opentelemetry": logging.WARNING,
    "smpplib": logging.INFO,
    "sqlparse": logging.WARNING,
    "urllib3": logging.WARNING,
}


def configure(service: str, level: str = "INFO") -> None:
    """Send all logs of this process, the standard library's too, to stdout as JSON. Can be called again."""
    handler = _Stdout()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[merge_contextvars, _name_exception],
            processors=[
                _frame(service),
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    handler.addFilter(_without_arguments)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    logging.captureWarnings(True)
    _log_what_nobody_caught()


def get(name: str) -> Any:
    """The logger of a module: ``log = logs.get(__name__)``, then ``log.info("case opened", case_id=…)``."""
    return structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            merge_contextvars,
            _safe_arguments,
            structlog.stdlib.PositionalArgumentsFormatter(),
            _name_exception,
            _mask,  # here as well as in the formatter: nothing personal may reach another handler either
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        cache_logger_on_first_use=True,
    )


def bind(**ids: object) -> AbstractContextManager[None]:
    """Put ``ids`` on every line logged in the block: ``with logs.bind(correlation_id=…):``."""
    return bound_contextvars(**ids)


class _Stdout(logging.StreamHandler[TextIO]):
    """Writes to what ``sys.stdout`` is at that moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stdout

    def handleError(self, record: logging.LogRecord) -> None:
        """A line that cannot be formatted is still told, by its place: the default prints its arguments."""
        if record.name != __name__:
            place = f"{record.pathname}:{record.lineno}"
            get(__name__).error("a log line could not be formatted", place=place)


def _frame(service: str) -> Callable[[Any, str, EventDict], dict[str, Any]]:
    """The last step: the fields that every line has, first and in the same order."""
    timestamp = structlog.processors.TimeStamper(fmt="iso", utc=True)

    def frame(logger: Any, method: str, event: EventDict) -> dict[str, Any]:
        record: logging.LogRecord = event.pop("_record")
        if not event.pop("_from_structlog"):
            event = masked_event(event)
        return {
            "timestamp": timestamp(logger, method, {})["timestamp"],
            "level": record.levelname.lower(),
            "event": event.pop("event", ""),
            "service": service,
            "logger": record.name,
            "trace_id": event.pop("trace_id", None),
            "correlation_id": event.pop("correlation_id", None),
            **event,
        }

    return frame


def _mask(logger: Any, method: str, event: EventDict) -> EventDict:
    return masked_event(event)


def _safe_arguments(logger: Any, method: str, event: EventDict) -> EventDict:
    if "positional_args" in event:
        event["positional_args"] = tuple(safe(value) for value in event["positional_args"])
    return event


def _name_exception(logger: Any, method: str, event: EventDict) -> EventDict:
    exc_info = event.pop("exc_info", None)
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    elif exc_info and not isinstance(exc_info, BaseException):
        exc_info = sys.exc_info()[1]
    if exc_info:
        event["exception"] = described(exc_info)
    return event


def _without_arguments(record: logging.LogRecord) -> bool:
    """Libraries' arguments are reduced to what is safe to format: no messages of exceptions, no objects."""
    if not isinstance(record.msg, MutableMapping):
        if isinstance(record.args, MutableMapping):
            record.args = {key: safe(value) for key, value in record.args.items()}
        elif record.args:
            record.args = tuple(safe(value) for value in record.args)
        record.msg = record.msg if isinstance(record.msg, str) else safe(record.msg)
        record.exc_text = None
        record.stack_info = None
    return True


def _log_what_nobody_caught() -> None:
    """Python would print the message and the source line to stderr."""
    log = get("uncaught")

    def report(exception: BaseException | None) -> None:
        if exception is not None and not isinstance(exception, KeyboardInterrupt | SystemExit):
            log.critical("uncaught exception", exc_info=exception)

    sys.excepthook = lambda kind, exception, traceback: report(exception)
    sys.unraisablehook = lambda unraisable: report(unraisable.exc_value)
    threading.excepthook = lambda args: report(args.exc_value)
