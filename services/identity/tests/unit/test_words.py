"""What a refused log-in says: where to go, in the words that stand at the field."""

from __future__ import annotations

import pytest

from services.identity import refusals
from services.identity.email_reset import ResetRefused
from services.identity.log_in_otp import OtpWrong
from shared.refusals import Refused


def test_who_has_an_expired_password_reads_where_another_is_issued() -> None:
    for words in (refusals.FirstPasswordExpired.vi, refusals.FirstPasswordExpired.en):
        assert all(way in words for way in ("e-mail", "1900 9068"))


def test_a_wrong_log_in_speaks_of_the_user_name_which_officers_have_too() -> None:
    assert refusals.LogInFailed.vi == "Tên đăng nhập hoặc mật khẩu không đúng."


@pytest.mark.parametrize(
    ("refused", "field"),
    [
        (refusals.OldPasswordWrong(), "old_password"),
        (refusals.OldPasswordWrong("password"), "password"),
        (refusals.PapersNotChecked(), "papers_checked"),
        (ResetRefused(), "otp"),
        (OtpWrong(tries_left=4), "otp"),
    ],
)
def test_a_refusal_about_one_field_names_it(refused: Refused, field: str) -> None:
    assert [problem.field for problem in refused.problems] == [field]
