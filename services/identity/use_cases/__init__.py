"""What identity does, one function per intention. Each runs inside the caller's transaction."""

from __future__ import annotations

from services.identity.use_cases.accounts import (
    DELIVERED,
    FAILED,
    ISSUE_CREDENTIAL,
    FirstPassword,
    issue_credential,
    note_delivery,
    open_account,
    replace_password,
)
from services.identity.use_cases.cases import close_case, open_case
from services.identity.use_cases.desk import (
    PAGE_SIZE,
    Page,
    confirm_case,
    disable_staff,
    list_cases,
    officer_of,
    own_case,
    read_case,
    read_photo,
    reject_case,
    start_staff_session,
)
from services.identity.use_cases.log_in import (
    Candidate,
    change_password,
    find_account,
    find_repeated_change,
    live_session,
    log_in,
)
from services.identity.use_cases.ports import Position, Storage
from services.identity.use_cases.register import (
    CHECK_REGISTER,
    LONGEST_BACK_OFF,
    begin_register_check,
    find_case_to_check,
    finish_register_check,
    question_of,
    record_register_answer,
)
from services.identity.use_cases.restore import (
    issue_anew,
    replace_unheard,
    submission_of,
    tell_case_again,
    tell_sessions_ended_again,
)

__all__ = [
    "CHECK_REGISTER",
    "DELIVERED",
    "FAILED",
    "ISSUE_CREDENTIAL",
    "LONGEST_BACK_OFF",
    "PAGE_SIZE",
    "Candidate",
    "FirstPassword",
    "Page",
    "Position",
    "Storage",
    "begin_register_check",
    "change_password",
    "close_case",
    "confirm_case",
    "disable_staff",
    "find_account",
    "find_case_to_check",
    "find_repeated_change",
    "finish_register_check",
    "issue_anew",
    "issue_credential",
    "list_cases",
    "live_session",
    "log_in",
    "note_delivery",
    "officer_of",
    "open_account",
    "open_case",
    "own_case",
    "question_of",
    "read_case",
    "read_photo",
    "record_register_answer",
    "reject_case",
    "replace_password",
    "replace_unheard",
    "start_staff_session",
    "submission_of",
    "tell_case_again",
    "tell_sessions_ended_again",
]
