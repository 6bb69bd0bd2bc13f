"""What identity publishes about an account: a reset by e-mail, a notice to its holder, sessions
ended, requests about personal data; what is to be erased on request."""

from __future__ import annotations

from shared.events import parts
from shared.events.envelope import EventType
from shared.events.fields import Id, Moment, Several, Text

RESET_REQUESTED = EventType(
    "account.reset_requested.v1",
    {
        "account_id": Id(),
        "email": Text(longest=320),
        "sealed_otp": Text(),
        "valid_until": Moment(),
        "language": parts.language(),
    },
)

LOG_IN_OTP_REQUESTED = EventType(
    "account.log_in_otp_requested.v1",
    {
        "account_id": Id(),
        "phone": Text(longest=20),
        "sealed_otp": Text(),
        "valid_until": Moment(),
        "language": parts.language(),
    },
)
"""A log-in with a password that was read aloud waits for a code by SMS."""

NOTICE_DUE = EventType(
    "account.notice_due.v1",
    {
        "account_id": Id(),
        "kind": Text(one_of=("password_changed", "reissued", "new_device", "contact_changed", "throttled")),
        "exact_kind": Text(longest=40, optional=True),
        "channels": parts.channels(),
        "language": parts.language(),
    },
)
"""``kind`` is what every version knows; it gets no further values. What has a name since then is told as the
kind that comes nearest, and in ``exact_kind``: a listener that does not know that one goes by ``kind``."""

REQUEST_ANSWERED = EventType(
    "account.request_answered.v1",
    {
        "account_id": Id(),
        "request_kind": Text(one_of=("export", "correction", "erasure", "withdrawal")),
        "outcome": Text(one_of=("granted", "refused")),
        "answer": Text(longest=1000),
        "channels": parts.channels(),
        "language": parts.language(),
    },
)
"""What came of something that a person asked about the own data."""

ERASURE_DUE = EventType(
    "account.erasure_due.v1",
    {
        "account_id": Id(),
        "request_id": Id(),
        "numbers": Several(Text(longest=12)),
        "births": Several(Text(longest=10)),
        "verified_ids": Several(Id()),
        "closed_ids": Several(Id()),
        "open_ids": Several(Id(), optional=True),
    },
)
"""Somebody has asked to have erased what no duty keeps. Applications by their ids: those that were verified,
those that came to nothing, and those under way, which go when they come to nothing; drafts are found by the
person's numbers and birth dates as declared."""

SESSIONS_ENDED = EventType(
    "account.sessions_ended.v1",
    {"account_id": Id(), "issued_before": Moment()},
)
