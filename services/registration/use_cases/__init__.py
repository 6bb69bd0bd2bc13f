"""What can be done with a registration, one function per intention.

Each runs inside the caller's transaction, which ``storage`` holds. Time, ids and secrets are arguments.
"""

from __future__ import annotations

from services.registration.use_cases.ending import (
    CLOSED,
    cancel,
    claim_phone,
    pass_deadline,
    remind,
)
from services.registration.use_cases.form import (
    EMAIL_OTP_TRIES,
    answer_known,
    attach_photo,
    choose_agency,
    confirm_email_otp,
    find_agencies,
    read_declaration,
    request_email_otp,
    save_declaration,
    start,
    start_for_child,
)
from services.registration.use_cases.holding import Key, hold, read_timelines
from services.registration.use_cases.outcomes import (
    note_check,
    note_closed,
    note_followed,
    note_issued,
    note_message,
    note_reissued,
    note_rejected,
    note_supplement,
    note_verified,
)
from services.registration.use_cases.ports import Storage
from services.registration.use_cases.restore import (
    ask_to_close_again,
    end_emptied,
    take_back,
    tell_submitted_again,
)
from services.registration.use_cases.submission import (
    EXPIRY_JOB,
    REMINDER_JOB,
    VIETNAM,
    claim_of,
    read_submitted,
    send_supplement,
    submit,
)

__all__ = [
    "CLOSED",
    "EMAIL_OTP_TRIES",
    "EXPIRY_JOB",
    "REMINDER_JOB",
    "VIETNAM",
    "Key",
    "Storage",
    "answer_known",
    "ask_to_close_again",
    "attach_photo",
    "cancel",
    "choose_agency",
    "claim_of",
    "claim_phone",
    "confirm_email_otp",
    "end_emptied",
    "find_agencies",
    "hold",
    "note_check",
    "note_closed",
    "note_followed",
    "note_issued",
    "note_message",
    "note_reissued",
    "note_rejected",
    "note_supplement",
    "note_verified",
    "pass_deadline",
    "read_declaration",
    "read_submitted",
    "read_timelines",
    "remind",
    "request_email_otp",
    "save_declaration",
    "send_supplement",
    "start",
    "start_for_child",
    "submit",
    "take_back",
    "tell_submitted_again",
]
