"""What callers may send."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from services.identity import schemas
from services.identity.devices import device_name
from services.identity.refusals import RequestInvalid

CHECK: dict[str, Any] = {
    "request_id": str(uuid4()),
    "registration_id": str(uuid4()),
    "purpose": "registration",
    "personal_number": None,
    "document": {"kind": "cccd", "number": "001190000001"},
    "full_name": "Nguyễn Thị Thử",
    "birth": {"precision": "day", "value": "1990-05-17"},
}


def test_every_wrong_field_is_named_at_once_and_its_value_is_not() -> None:
    wrong = {**CHECK, "request_id": "7", "document": {"kind": "library card"}, "full_name": "x" * 201}
    with pytest.raises(RequestInvalid) as refused:
        schemas.load(schemas.CheckCitizen, wrong)
    fields = [problem.field for problem in refused.value.problems]
    assert fields == ["document.kind", "document.number", "full_name", "request_id"]
    assert "library" not in repr([vars(problem) for problem in refused.value.problems])


def test_a_text_that_is_too_long_is_told_how_long_it_may_be() -> None:
    request = {"user": "0123456789", "sealed_password": "x", "device_name": "x" * 101}
    with pytest.raises(RequestInvalid) as refused:
        schemas.load(schemas.LogIn, request)
    (problem,) = refused.value.problems
    assert (problem.field, problem.vi) == ("device_name", "Nhập từ 1 đến 100 ký tự.")
    assert problem.en == "Enter 1 to 100 characters."
    assert schemas.load(schemas.LogIn, {**request, "device_name": "x" * 100})["device_name"] == "x" * 100


def test_no_name_of_a_device_that_is_accepted_is_cut() -> None:
    """Neither at the first step nor at the second."""
    name = "ộ" * 100
    second = {"sealed_log_in_token": "x", "sealed_otp": "x"}
    first = {"user": "0123456789", "sealed_password": "x"}
    for schema, request in ((schemas.LogIn, first), (schemas.ConfirmLogIn, second)):
        assert device_name(schemas.load(schema, {**request, "device_name": name})["device_name"]) == name
        with pytest.raises(RequestInvalid) as refused:
            schemas.load(schema, {**request, "device_name": name + "x"})
        assert [problem.field for problem in refused.value.problems] == ["device_name"]


@pytest.mark.parametrize("schema", [schemas.LogIn, schemas.StaffLogIn])
@pytest.mark.parametrize("user", ["", " ", " \t\u00a0\n", "x" * 61])
def test_a_user_who_is_blank_or_too_long_is_named(schema: Any, user: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        schemas.load(schema, {"user": user, "sealed_password": ""})
    assert [problem.field for problem in refused.value.problems] == ["sealed_password", "user"]
    assert refused.value.problems[1].vi == "Nhập từ 1 đến 60 ký tự."


def test_unknown_fields_of_a_newer_caller_are_ignored() -> None:
    assert schemas.load(schemas.CheckCitizen, {**CHECK, "later": 1})["purpose"] == "registration"


@pytest.mark.parametrize("papers_checked", ["true", 1, 1.0, "yes", None])
def test_only_a_plain_true_says_that_the_papers_were_checked(papers_checked: Any) -> None:
    request = {"sealed_staff_token": "x", "case_id": str(uuid4()), "papers_checked": papers_checked}
    assert schemas.load(schemas.Confirmation, request)["papers_checked"] is not True
    assert schemas.load(schemas.Confirmation, {**request, "papers_checked": True})["papers_checked"] is True
