"""What the SMSC can be told to do wrong, over ``PUT /control``."""

from __future__ import annotations

from dataclasses import dataclass

STATES = {"DELIVRD": 2, "EXPIRED": 3, "UNDELIV": 5, "REJECTD": 8}
"""What a receipt may say, with the value of its parameter message_state."""


@dataclass(frozen=True)
class Faults:
    """``refuse_status``: each ``submit_sm`` is answered with this command status and not kept (88: throttled,
    20: queue full); 0 accepts.
    ``delay_seconds``: the message is kept at once, its answer comes so much later.
    ``withhold_responses``: kept and never answered.
    ``cut_after_accept``: kept, then the connection is cut.
    ``receipts``: false holds them back until it is true again. They go out ``receipt_delay_seconds`` after
    the message and say ``receipt_stat``, one of ``STATES``."""

    refuse_status: int = 0
    delay_seconds: float = 0.0
    withhold_responses: bool = False
    cut_after_accept: bool = False
    receipts: bool = True
    receipt_delay_seconds: float = 0.1
    receipt_stat: str = "DELIVRD"

    def __post_init__(self) -> None:
        if self.receipt_stat not in STATES:
            raise ValueError(f"receipt_stat is one of {', '.join(STATES)}")
