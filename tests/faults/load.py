"""Callers that have a stage accept items without a pause, and the ledger of what they were told."""

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from shared.messaging.calls import CallFailed
from shared.testing.processes import until
from shared.testing.stage import Stage


class Load:
    """``with Load(stage, "prefix-") as load``: callers that repeat a call, under the same key, until there is
    an answer. When the block ends each still sees its last item accepted.

    ``accepted`` is the ledger. ``failures`` counts the calls that ended with an error, ``longest_seconds`` is
    how long the slowest of all calls took to end.
    """

    def __init__(
        self,
        stage: Stage,
        prefix: str,
        *,
        callers: int = 4,
        pause_seconds: float = 0.05,
        deadline_seconds: float = 2.0,
        slow_seconds: float = 0.0,
        patience_seconds: float = 300.0,
    ) -> None:
        """``slow_seconds``: how long each call is inside the service before it is committed."""
        self.accepted: list[str] = []
        self.failures = 0
        self.longest_seconds = 0.0
        self.deadline_seconds = deadline_seconds
        self._slow_seconds = slow_seconds
        self._patience_seconds = patience_seconds
        self._stage = stage
        self._prefix = prefix
        self._pause_seconds = pause_seconds
        self._stopping = threading.Event()
        self._callers = callers
        self._threads = ThreadPoolExecutor(callers)
        self._working: list[Future[None]] = []

    def __enter__(self) -> Self:
        self._working = [self._threads.submit(self._accept, number) for number in range(self._callers)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._threads.shutdown()
        if error is None:
            for working in self._working:
                working.result()

    def until_accepted(self, more: int, within_seconds: float = 60.0) -> None:
        """Wait until ``more`` items than now are accepted."""
        wanted = len(self.accepted) + more
        until(lambda: len(self.accepted) >= wanted, within_seconds, "nothing is accepted any more")

    def _accept(self, caller: int) -> None:
        number = 0
        while not self._stopping.wait(self._pause_seconds):
            number += 1
            item = f"{self._prefix}{caller}-{number}"
            self._accept_surely(item)
            self.accepted.append(item)

    def _accept_surely(self, item: str) -> None:
        key = str(uuid.uuid4())
        gives_up_at = time.monotonic() + self._patience_seconds
        while not self._called(item, key):
            if time.monotonic() > gives_up_at:
                raise AssertionError(f"{item} was not accepted in {self._patience_seconds:g} s")
            time.sleep(0.1)

    def _called(self, item: str, key: str) -> bool:
        started = time.monotonic()
        try:
            arguments = {"item": item, "seconds": self._slow_seconds}
            self._stage.client.call("first", "accept_slowly", arguments, self.deadline_seconds, key)
            return True
        except CallFailed:
            self.failures += 1
            return False
        finally:
            self.longest_seconds = max(self.longest_seconds, time.monotonic() - started)
