"""Officers log in over HTTP with ``STAFF_TOTP`` on, as in production: an app, and a stranger next to them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from deploy.native.instance import Instance
from shared.testing.citizen_client import AGENCY_CODE
from shared.testing.client import ProblemSeen
from shared.testing.officer_client import OfficerClient
from tests.faults.replaced import instead
from tests.operations.vssid import vssid


@dataclass(frozen=True)
class Member:
    """Somebody whom an operator has just added, and what was handed over."""

    product: Instance
    user: str
    password: str
    code: str

    def client(self) -> OfficerClient:
        return OfficerClient(str(self.product.endpoints()["gateway"]))

    def refusal(self, **typed: str) -> tuple[str, list[str]]:
        """The name of a log-in's refusal, and the fields it names."""
        body = {"user": self.user, "password": self.password, **typed}
        with pytest.raises(ProblemSeen) as seen:
            self.client().ask("POST", "/v1/staff/sessions", json=body)
        return seen.value.name, seen.value.fields


@pytest.fixture(scope="module")
def guarded(product: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with instead(product, "identity", tmp_path_factory.mktemp("staff"), STAFF_TOTP="true"):
        yield product


@pytest.fixture
def member(guarded: Instance) -> Member:
    user = f"totp-{uuid.uuid4().hex[:8]}"
    done = vssid(guarded, "staff", "add", "--user", user, "--agency", AGENCY_CODE, "--name", "Cán bộ Thử")
    assert done.returncode == 0, done.stderr
    return Member(guarded, user, shown(done.stdout, "once: "), shown(done.stdout, "72 hours: "))


def shown(said: str, before: str) -> str:
    return said.split(before)[1].splitlines()[0]


def another(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def test_an_app_is_set_up_with_the_operators_code_and_its_codes_are_good_once(member: Member) -> None:
    assert member.refusal() == ("enrolment-code-required", ["enrolment_code"])
    wrong = member.refusal(enrolment_code="MFRG-GZDF-MZTW-Q2LK")
    assert wrong == ("enrolment-code-wrong", ["enrolment_code"])

    officer = member.client()
    officer.log_in(member.user, member.password, member.code)
    list(officer.cases())
    assert officer.app is not None
    used = officer.app.code()
    officer.ask(
        "POST",
        "/v1/staff/sessions",
        json={"user": member.user, "password": member.password, "totp": used},
    )

    assert member.refusal(enrolment_code=member.code) == ("totp-required", ["totp"])
    for code in (used, another(used)):
        assert member.refusal(totp=code) == ("totp-wrong", ["totp"])
    assert member.refusal(password="wrong", totp=used)[0] == "log-in-failed"


def test_whoever_lost_the_phone_gets_another_code_of_the_operator(member: Member) -> None:
    officer = member.client()
    officer.log_in(member.user, member.password, member.code)
    done = vssid(member.product, "staff", "reset-totp", member.user)
    assert done.returncode == 0, done.stderr
    with pytest.raises(ProblemSeen) as refused:
        list(officer.cases())
    assert refused.value.status == 401

    lost, code = officer.app, shown(done.stdout, "72 hours: ")
    assert lost is not None
    assert member.refusal(totp=lost.code())[0] == "enrolment-code-required"
    assert member.refusal(enrolment_code=member.code)[0] == "enrolment-code-wrong"
    assert code not in (member.product.run / "audit.jsonl").read_text()
    officer = member.client()
    officer.log_in(member.user, member.password, code)
    list(officer.cases())


def test_an_officer_logs_out_at_one_desk_and_stays_logged_in_at_another(member: Member) -> None:
    shared_desk, own_desk = member.client(), member.client()
    shared_desk.log_in(member.user, member.password, member.code)
    own_desk.app = shared_desk.app
    own_desk.log_in(member.user, member.password)

    shared_desk.log_out()

    for again in (shared_desk.log_out, lambda: list(shared_desk.cases())):
        with pytest.raises(ProblemSeen) as refused:
            again()
        assert refused.value.status == 401
    list(own_desk.cases())
    with psycopg.connect(member.product.endpoints()["databases"]["identity"]) as database:
        acts = database.execute(
            "SELECT action FROM audit JOIN staff ON staff.id = staff_id"
            " WHERE user_name = %s AND action LIKE 'logged%%' ORDER BY audit.id",
            (member.user,),
        ).fetchall()
    assert acts == [("logged_in",), ("logged_in",), ("logged_out",)]


@pytest.mark.proves("F13")
def test_a_stranger_at_the_officers_address_does_not_keep_a_known_desk_out(member: Member) -> None:
    officer = member.client()
    officer.log_in(member.user, member.password, member.code)
    names = [member.refusal(password="a guess")[0] for _ in range(11)]
    assert names == ["log-in-failed"] * 10 + ["too-many-tries"]
    assert member.refusal()[0] == "too-many-tries"
    officer.log_in(member.user, member.password)
    list(officer.cases())
