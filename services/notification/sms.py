"""The SMSC: a session per process, kept up, over which messages leave and receipts come.

Uses threads of the standard library, which are green in a patched process.
"""

from __future__ import annotations

import functools
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable

from prometheus_client import Gauge
from smpplib import consts

from services.notification.domain import Declined, Outcome, Receipt, Sent, Unknown
from services.notification.smpp_link import Link, LinkLost, Smsc
from services.notification.sms_text import split
from shared import logs, metrics

log = logs.get(__name__)

RECONNECT_SECONDS = (0.2, 5.0)
BIND_WAIT_SECONDS = 3.0
RECEIPTS_AT_ONCE = 100
Arrived = tuple[Link, int, Receipt]
"""A receipt, and where and by which number it is acknowledged."""

smsc_bound = Gauge(
    "vssid_smsc_bound", "1 while there is a session with the SMSC, else 0", registry=metrics.REGISTRY
)


class SmsChannel:
    """Keeps a ``Link`` up, sends over it, and hands receipts on.

    ``on_receipts(receipts)`` is called in a thread of its own; when it raises, it is called with each of them
    alone, and those of which it raises then the SMSC is asked to deliver again.
    """

    def __init__(self, smsc: Smsc, on_receipts: Callable[[list[Receipt]], None]) -> None:
        self._smsc = smsc
        self._on_receipts = on_receipts
        self._link: Link | None = None
        self._bound = threading.Event()
        self._stopping = threading.Event()
        self._receipts: deque[Arrived] = deque()
        self._receipts_came = threading.Event()
        self._references = itertools.count()

    def start(self) -> None:
        """Connect in the background, and stay connected."""
        threading.Thread(target=self._keep_up, name="smpp", daemon=True).start()
        threading.Thread(target=self._pass_on, name="smpp-receipts", daemon=True).start()

    def stop(self) -> None:
        """Unbind and stop."""
        self._stopping.set()
        self._receipts_came.set()
        link = self._link
        if link is not None:
            try:
                link.unbind()
            except Exception as error:
                log.info("unbinding failed", error=type(error).__name__)

    @property
    def is_bound(self) -> bool:
        """Whether there is a session now."""
        return self._bound.is_set()

    def send(self, to: str, text: str, begin: Callable[[], None]) -> Outcome:
        """Send ``text`` to ``to`` (E.164). ``begin`` is called just before the first byte leaves; what it
        raises ends the sending. A refusal of the first part is definite, of a later one is not."""
        parts = split(text, next(self._references))
        if not self._bound.wait(BIND_WAIT_SECONDS):
            return Declined("smsc_unreachable")
        link = self._link
        if link is None:
            return Declined("smsc_unreachable")
        begin()
        answered_by = time.monotonic() + self._smsc.response_seconds  # all parts, within the job's lease
        taken: tuple[str, ...] = ()
        for body in parts.bodies:
            try:
                outcome = link.submit(to, parts, body).outcome(max(0.0, answered_by - time.monotonic()))
            except LinkLost:
                outcome = Declined("smsc_unreachable")
            if isinstance(outcome, Sent):
                taken += outcome.provider_ids
            elif taken:
                return Unknown(outcome.reason, taken)
            else:
                return outcome
        return Sent(taken)

    def _keep_up(self) -> None:
        pause, longest = RECONNECT_SECONDS
        while not self._stopping.is_set():
            link = None
            try:
                link = Link(self._smsc)
                self._link = link
                self._bound.set()
                smsc_bound.set(1)
                pause = RECONNECT_SECONDS[0]
                log.info("bound to the SMSC")
                link.read(functools.partial(self._receive, link), self._stopping)
            except Exception as error:
                log.warning("no session with the SMSC", error=type(error).__name__)
            finally:
                self._bound.clear()
                smsc_bound.set(0)
                self._link = None
                if link is not None:
                    link.close()
            self._stopping.wait(pause)
            pause = min(2 * pause, longest)

    def _receive(self, link: Link, sequence: int, receipt: Receipt) -> None:
        self._receipts.append((link, sequence, receipt))
        self._receipts_came.set()

    def _pass_on(self) -> None:
        while not self._stopping.is_set():
            self._receipts_came.wait()
            self._receipts_came.clear()
            while self._receipts and not self._stopping.is_set():
                some = [self._receipts.popleft() for _ in range(min(len(self._receipts), RECEIPTS_AT_ONCE))]
                if self._are_recorded(some):
                    self._acknowledge(some, consts.SMPP_ESME_ROK)
                else:
                    self._pass_on_singly(some)

    def _pass_on_singly(self, some: list[Arrived]) -> None:
        """One that cannot be recorded is refused by itself, not each time with a hundred others."""
        for one in some:
            is_recorded = len(some) > 1 and self._are_recorded([one])
            status = consts.SMPP_ESME_ROK if is_recorded else consts.SMPP_ESME_RX_T_APPN
            self._acknowledge([one], status)

    def _are_recorded(self, some: list[Arrived]) -> bool:
        try:
            self._on_receipts([receipt for _, _, receipt in some])
        except Exception as error:
            log.error("receipts were not recorded", error=type(error).__name__, count=len(some))
            return False
        return True

    @staticmethod
    def _acknowledge(some: list[Arrived], status: int) -> None:
        for link, sequence, _ in some:
            try:
                link.acknowledge(sequence, status)
            except Exception as error:  # the SMSC will deliver it again, to another session
                log.info("a receipt was not acknowledged", error=type(error).__name__)
