"""A circuit breaker: a party that keeps failing is left alone for a while, then tried by one call."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class CircuitOpen(Exception):
    """The party is being left alone; nothing was sent."""


class Circuit:
    """Closed, open, or half open with one probe out. One per process and party.

    It opens after ``failures_to_open`` failures in a row and stays so for ``open_seconds``; then one call
    is let through, which closes it or opens it again.
    """

    def __init__(
        self, *, failures_to_open: int, open_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._failures_to_open = failures_to_open
        self._open_seconds = open_seconds
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around one call: what it raises counts as a failure. Raises ``CircuitOpen`` instead of calling."""
        probe = self._opened_at is not None
        if probe:
            self._let_probe_pass()
        try:
            yield
        except BaseException:  # also a time-out or a killed green thread: a probe must be given back
            self._note_failure(probe)
            raise
        finally:
            if probe:
                self._probing = False
        self._failures = 0
        self._opened_at = None

    def _let_probe_pass(self) -> None:
        assert self._opened_at is not None
        if self._probing or self._clock() - self._opened_at < self._open_seconds:
            raise CircuitOpen
        self._probing = True

    def _note_failure(self, probe: bool) -> None:
        self._failures += 1
        if probe or self._failures >= self._failures_to_open:
            self._opened_at = self._clock()
