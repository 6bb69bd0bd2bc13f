"""A first password that is followed until it arrives: SMS, a link by e-mail, the counter; on the fake."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity import activations, credentials, jobs, refusals, use_cases
from services.identity.credentials import Credential, CredentialState
from services.identity.delivery import Policy, Way, next_way
from services.identity.password_rules import PasswordTooWeak
from services.identity.refusals import ActivationRefused
from services.identity.tests.unit import samples
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW, OFFICER
from services.identity.tests.unit.test_contact import ask, verified
from services.identity.tests.unit.test_contact import finish as finish_change
from services.identity.tokens import ProofTokens

POLICY = Policy(sms=2, link=True)
CODE, OWN = "0123456789", "một con vịt xoè ra"
LATER = NOW + timedelta(minutes=5)


# --- the policy ----------------------------------------------------------------------------------


@pytest.mark.proves("G12")
@pytest.mark.parametrize(
    ("failed", "link", "way"),
    [
        ([], True, Way.SMS),
        ([Way.SMS], True, Way.SMS),
        ([Way.SMS, Way.SMS], True, Way.LINK),
        ([Way.SMS, Way.SMS], False, Way.COUNTER),
        ([Way.SMS, Way.SMS, Way.LINK], True, Way.COUNTER),
    ],
)
def test_the_next_way_follows_from_those_that_failed(failed: list[Way], link: bool, way: Way) -> None:
    assert next_way(failed, Policy(sms=2, link=link)) is way


@given(st.integers(1, 5), st.booleans())
def test_every_policy_ends_at_the_counter_and_tries_each_way_so_often_as_it_says(
    sms: int, link: bool
) -> None:
    failed: list[Way] = []
    while (way := next_way(failed, Policy(sms, link))) is not Way.COUNTER:
        failed.append(way)
        assert len(failed) <= sms + 1
    assert failed == [Way.SMS] * sms + [Way.LINK] * link


# --- one citizen whom no SMS reaches -------------------------------------------------------------


class House:
    """Somebody verified, and what identity does about the first password."""

    def __init__(self) -> None:
        self.storage = FakeStorage()
        self.account = verified(self.storage)
        self.case = next(iter(self.storage.all_cases.values()))
        self.clock = NOW
        self.proofs = ProofTokens(b"k" * 32)
        self.parts: Any = SimpleNamespace(
            settings=SimpleNamespace(activation_link_hours=72),
            passwords=SimpleNamespace(
                hashed=lambda text: f"hash of {text}", is_right=lambda kept, text: kept == f"hash of {text}"
            ),
            proofs=self.proofs,
            sealer=SimpleNamespace(seal=lambda _to, text: text),
        )

    def sms(self) -> UUID:
        """The password that is due goes out by SMS."""
        cause = self.storage.tx.due("issue_credential")[-1].key
        made = use_cases.NewSecret(uuid4(), "hash", "sealed")
        use_cases.issue(self.storage, self.account.id, cause, Way.SMS, made, now=self.clock, valid_hours=72)
        return made.credential_id

    def hear(self, credential_id: UUID, state: str, *, by: str = "sms") -> None:
        purpose = "credentials" if by == "sms" else "activation_link"
        message = {"credential_id": credential_id, "channel": by, "purpose": purpose}
        use_cases.note_delivery(self.storage, message, state, policy=POLICY, now=self.clock)

    def link(self) -> tuple[UUID, str]:
        """The link that is due goes out: its id, and the secret in the e-mail."""
        (due,) = self.storage.tx.due("issue_activation_link")
        jobs.issue(self.parts, due, Way.LINK)(self.storage.tx)  # type: ignore[arg-type]
        told = self.storage.tx.events("credentials.link_issued.v1")[-1].data
        return told["credential_id"], told["sealed_secret"]

    def lost(self) -> tuple[UUID, str]:
        """Both SMS have failed; the link."""
        for _ in range(2):
            self.hear(self.sms(), "failed")
        return self.link()

    def activates(self, secret: str, code: str = CODE, new: str = OWN) -> bool:
        try:
            activations.activate(DATABASE, self.parts, secret=secret, code=code, new=new)
        except ActivationRefused:
            return False
        return True

    def hand_over(self, **changes: Any) -> Credential:
        given = {"officer": OFFICER, "case_id": self.case.id, "papers_checked": True, "now": self.clock}
        values = given | changes
        officer, case_id = values.pop("officer"), values.pop("case_id")
        held = use_cases.begin_hand_over(self.storage, officer, case_id, **values)
        made = use_cases.slip_password(held.account, uuid4(), "hash", valid_hours=72, now=self.clock)
        use_cases.hand_over(self.storage, officer, held, made, self.clock)
        return made

    def followed(self) -> list[str]:
        return [event.data["step"] for event in self.storage.tx.events("credentials.followed.v1")]

    def live(self) -> set[UUID]:
        return {credential.id for credential in self.storage.live_credentials(self.account.id)}


DATABASE: Any = SimpleNamespace(transaction=lambda: nullcontext())


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    house = House()
    for module in (activations, jobs):
        monkeypatch.setattr(module, "Storage", lambda _tx: house.storage)
        monkeypatch.setattr(module, "now", lambda: house.clock)
    return house


@pytest.mark.proves("G12")
def test_after_the_last_sms_a_link_goes_to_the_e_mail_and_after_that_the_counter_is_next(
    house: House,
) -> None:
    link_id, secret = house.lost()
    (told,) = house.storage.tx.events("credentials.link_issued.v1")
    assert (told.data["email"], told.data["registration_id"]) == (
        "thu@example.com",
        house.case.registration_id,
    )
    assert told.data["valid_until"] == NOW + timedelta(hours=72)
    assert house.live() == {link_id}
    assert secret not in repr(house.storage.credentials[link_id])
    assert house.followed() == []
    house.hear(link_id, "failed", by="email")
    house.hear(link_id, "failed", by="email")
    assert house.followed() == ["counter_due"]
    assert house.live() == {link_id}


def test_the_instructions_by_e_mail_say_nothing_of_the_password(house: House) -> None:
    first = house.sms()
    message = {"credential_id": first, "channel": "email", "purpose": "instructions"}
    use_cases.note_delivery(house.storage, message, "failed", policy=POLICY, now=NOW)
    assert house.storage.delivery(first) is None


def test_a_cause_has_one_link_however_often_the_job_runs(house: House) -> None:
    link_id, _ = house.lost()
    (due,) = house.storage.tx.due("issue_activation_link")
    jobs.issue(house.parts, due, Way.LINK)(house.storage.tx)  # type: ignore[arg-type]
    assert house.live() == {link_id}


@pytest.mark.proves("G15")
def test_a_link_and_the_code_let_its_holder_choose_a_password_and_end_what_was_before(house: House) -> None:
    own = samples.active(house.account.id)
    house.storage.add_credential(own, str(uuid4()), NOW - timedelta(days=1))
    link_id, secret = house.lost()
    assert house.live() == {own.id, link_id}
    assert house.activates(secret)
    (chosen,) = house.storage.live_credentials(house.account.id)
    assert (chosen.state, chosen.password_hash) == (CredentialState.ACTIVE, f"hash of {OWN}")
    assert house.followed() == ["activated"]
    (notice,) = house.storage.tx.events("account.notice_due.v1")
    assert (notice.data["kind"], notice.data["channels"]) == (
        "password_changed",
        [{"kind": "sms", "to": "+84912345678"}],
    )
    assert house.storage.delivery(link_id) == "delivered"


def test_a_links_secret_is_no_password(house: House) -> None:
    house.lost()
    found = use_cases.find_account(house.storage, CODE)
    assert found is not None
    assert found.credentials == ()


def test_a_weak_password_uses_up_neither_the_link_nor_a_try(house: House) -> None:
    _, secret = house.lost()
    for weak in ("ngắn", CODE):
        with pytest.raises(PasswordTooWeak):
            house.activates(secret, new=weak)
    assert house.storage.tries_left == {}
    assert house.activates(secret, code=" 001190000001 ")


def test_while_the_contact_is_in_doubt_a_link_opens_nothing_and_after_a_change_it_is_void(
    house: House,
) -> None:
    _, secret = house.lost()
    house.clock = LATER
    change = ask(house.storage)
    assert not house.activates(secret)
    finish_change(house.storage, change)
    assert not house.activates(secret)
    assert len(house.storage.tx.due("issue_credential")) == 3


def links_are_good_once(house: House) -> None:
    _, secret = house.lost()
    forged = house.proofs.new(house.proofs.owner(secret))
    for wrong in ("", "no link", forged, house.proofs.new(uuid4())):
        assert not house.activates(wrong), "a forged link was accepted"
    assert not house.activates(secret, code="9999999999"), "a link was accepted with another's code"
    house.clock = NOW + timedelta(hours=72)
    assert not house.activates(secret), "a late link was accepted"
    house.clock = NOW
    assert house.activates(secret)
    assert not house.activates(secret, new="hai con thằn lằn con"), "a link was accepted twice"


def test_forged_links_by_whomever_keep_nobody_out_behind_the_same_address(house: House) -> None:
    _, secret = house.lost()
    for _ in range(50):
        assert not house.activates(house.proofs.new(house.proofs.owner(secret)))
    assert house.activates(secret)


def test_a_repeat_whose_answer_was_lost_is_answered_again_and_changes_nothing(house: House) -> None:
    _, secret = house.lost()
    assert house.activates(secret)
    before = house.live()
    for _ in range(6):
        assert house.activates(secret), "a repeat was told that it failed"
    assert house.live() == before
    assert house.followed() == ["activated"]
    assert not house.activates(secret, code="9999999999")
    for _ in range(4):
        assert not house.activates(secret, new="hai con thằn lằn con")
    assert not house.activates(secret), "passwords are guessed without end"


def guesses_end(house: House) -> None:
    _, secret = house.lost()
    for _ in range(5):
        assert not house.activates(secret, code="9999999999")
    assert not house.activates(secret), "codes are guessed without end"


@pytest.mark.proves("G15")
@pytest.mark.parametrize("holds", [links_are_good_once, guesses_end])
def test_a_link_that_is_forged_guessed_used_or_late_is_refused(
    house: House, holds: Callable[[House], None]
) -> None:
    holds(house)


end_credentials = FakeStorage.end_credentials


def links_stay(storage: FakeStorage, ids: Any, at: datetime) -> int:
    return end_credentials(storage, [i for i in ids if storage.credentials[i].channel != Way.LINK], at)


def any_secret(_one: Any, _other: Any) -> bool:
    return True


@pytest.mark.planted("G15")
@pytest.mark.parametrize(
    ("place", "name", "defect", "holds", "seen"),
    [
        (use_cases.activation.hmac, "compare_digest", any_secret, links_are_good_once, "forged"),
        (use_cases.activation, "_is_late", lambda *_: False, links_are_good_once, "late"),
        (FakeStorage, "end_credentials", links_stay, links_are_good_once, "twice"),
        (FakeStorage, "count_link_try", lambda *_: None, guesses_end, "without end"),
    ],
    ids=["any secret fits", "valid for ever", "used again and again", "tries without end"],
)
def test_a_link_that_is_good_for_more_is_seen(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    place: Any,
    name: str,
    defect: Callable[..., Any],
    holds: Callable[[House], None],
    seen: str,
) -> None:
    monkeypatch.setattr(place, name, defect)
    with pytest.raises(AssertionError, match=seen):
        holds(house)


# --- the counter ---------------------------------------------------------------------------------


@pytest.mark.proves("G12")
@pytest.mark.parametrize("waiting", ["nothing", "sms", "link"])
def test_a_slip_takes_the_place_of_whatever_waits_and_of_what_is_still_to_be_made(
    house: House, waiting: str
) -> None:
    own = samples.active(house.account.id)
    house.storage.add_credential(own, str(uuid4()), NOW - timedelta(days=1))
    if waiting == "sms":
        house.hear(house.sms(), "failed")
    elif waiting == "link":
        house.lost()
    slip = house.hand_over()
    assert house.live() == {own.id, slip.id}
    assert house.storage.delivery(slip.id) == "delivered"
    assert (slip.valid_until, slip.channel) == (NOW + timedelta(hours=72), Way.COUNTER)
    if waiting != "link":
        house.sms()
        assert house.live() == {own.id, slip.id}, "an SMS that was due was made all the same"
    assert house.followed()[-1] == "handed_over"
    assert [entry.action for entry in house.storage.audit].count("account_handed_over") == 1
    (notice,) = house.storage.tx.events("account.notice_due.v1")
    assert {channel["kind"] for channel in notice.data["channels"]} == {"sms", "email"}


def test_a_failure_told_after_the_slip_is_followed_by_nothing(house: House) -> None:
    first = house.sms()
    slip = house.hand_over()
    house.hear(first, "failed")
    assert house.live() == {slip.id}
    assert house.followed() == ["handed_over"]


def test_another_slip_makes_the_one_before_void(house: House) -> None:
    first, second = house.hand_over(), house.hand_over()
    assert first.id != second.id
    assert house.live() == {second.id}


def test_a_slip_needs_papers_the_own_agency_and_a_verified_case(house: House) -> None:
    elsewhere = replace(OFFICER, agency_code="00202")
    for changes, refusal in (
        ({"papers_checked": "yes"}, refusals.PapersNotChecked),
        ({"officer": elsewhere}, refusals.CaseUnknown),
        ({"case_id": uuid4()}, refusals.CaseUnknown),
    ):
        with pytest.raises(refusal):
            house.hand_over(**changes)
    data = samples.submitted(samples.applicant(code="0999999999", document_number="001190000009"))
    use_cases.open_case(house.storage, data, case_id=uuid4(), at=NOW)
    waiting = house.storage.case_of(data["registration_id"])
    assert waiting is not None
    with pytest.raises(refusals.NotYetVerified):
        house.hand_over(case_id=waiting.id)
    assert house.live() == set()


def test_where_nobody_is_reached_any_more_there_is_neither_link_nor_slip(house: House) -> None:
    for _ in range(2):
        house.hear(house.sms(), "failed")
    house.storage.accounts[house.account.id] = replace(house.account, phone="", email="")
    (due,) = house.storage.tx.due("issue_activation_link")
    jobs.issue(house.parts, due, Way.LINK)(house.storage.tx)  # type: ignore[arg-type]
    with pytest.raises(refusals.AccountUnknown):
        house.hand_over()
    assert house.live() == set()


def test_a_link_waits_for_the_end_of_a_change_of_contact(house: House) -> None:
    for _ in range(2):
        house.hear(house.sms(), "failed")
    ask(house.storage)
    (due,) = house.storage.tx.due("issue_activation_link")
    jobs.issue(house.parts, due, Way.LINK)(house.storage.tx)  # type: ignore[arg-type]
    assert house.live() == set()
    again = house.storage.tx.due("issue_activation_link")[-1]
    assert (again.key, again.at) == (due.key, NOW + timedelta(seconds=10))


def test_no_slip_opens_an_account_whose_holder_has_chosen_a_password_since(house: House) -> None:
    _, secret = house.lost()
    assert house.activates(secret)
    before = house.live()
    with pytest.raises(refusals.PasswordReceived):
        house.hand_over()
    assert house.live() == before


def test_a_slip_opens_what_has_ended_since_but_no_account_that_was_closed(house: House) -> None:
    _, secret = house.lost()
    assert house.activates(secret)
    finish_change(house.storage, ask(house.storage))
    assert house.live() == set(), "what came through a mailbox is not for whoever has the next one"
    with pytest.raises(refusals.PasswordReceived):
        house.hand_over()
    house.sms()
    assert {house.hand_over().id} == house.live()


def test_no_slip_until_the_account_has_the_contact_that_the_desk_saw(house: House) -> None:
    (person,) = house.storage.people_with([CODE])
    seen = replace(person.applicant, phone="+84900000777")
    house.storage.save_person(replace(person, applicant=seen))
    with pytest.raises(refusals.NotYetVerified):
        house.hand_over()
    assert house.live() == set()


# --- the first password --------------------------------------------------------------------------


def log_in(house: House, used: Credential, at: datetime) -> credentials.Session:
    return use_cases.log_in(house.storage, house.account, used, session_id=uuid4(), now=at)


def change(house: House, session: credentials.Session, used: Credential) -> None:
    own = samples.active(house.account.id)
    use_cases.change_password(house.storage, session, used, own, session_id=uuid4(), now=NOW)


def is_refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except (refusals.LogInFailed, refusals.TokenInvalid, refusals.FirstPasswordExpired):
        return True
    return False


def first_password_holds(house: House) -> None:
    own = samples.active(house.account.id)
    house.storage.add_credential(own, str(uuid4()), NOW - timedelta(days=1))
    first = house.storage.credentials[house.sms()]
    late = NOW + timedelta(hours=72)
    assert is_refused(lambda: log_in(house, first, late)), "a first password was used after 72 hours"
    session = log_in(house, first, NOW)
    assert session.must_change_password, "a first password opened more than its change"
    assert not is_refused(lambda: log_in(house, own, NOW)), "the old password was refused too early"
    change(house, session, first)
    assert is_refused(lambda: log_in(house, first, NOW)), "a first password was used twice"
    assert is_refused(lambda: log_in(house, own, NOW)), "the old password outlived the new one"


@pytest.mark.proves("G15")
def test_the_first_password_is_good_once_for_72_hours_and_for_its_change_alone(house: House) -> None:
    first_password_holds(house)
    assert set(house.followed()) == {"logged_in"}


def for_ever(credential: Credential, _now: datetime) -> str:
    is_own = credential.state is CredentialState.ACTIVE
    return credentials.SCOPE_CITIZEN if is_own else credentials.SCOPE_PASSWORD_CHANGE


def no_forced_change(credential: Credential, now: datetime) -> str:
    if credential.valid_until is not None and now >= credential.valid_until:
        raise refusals.FirstPasswordExpired
    return credentials.SCOPE_CITIZEN


def ends_nothing(_storage: FakeStorage, _ids: Any, _at: datetime) -> int:
    return 0


def added_alone(storage: FakeStorage, credential: Credential, cause: str, at: datetime) -> None:
    storage.end_credentials([c.id for c in storage.live_credentials(credential.account_id)], at)
    add_credential(storage, credential, cause, at)


add_credential = FakeStorage.add_credential


@pytest.mark.planted("G15")
@pytest.mark.parametrize(
    ("place", "name", "defect", "seen"),
    [
        (FakeStorage, "end_credentials", ends_nothing, "used twice"),
        (credentials, "scope_of", for_ever, "after 72 hours"),
        (credentials, "scope_of", no_forced_change, "more than its change"),
        (FakeStorage, "add_credential", added_alone, "refused too early"),
    ],
    ids=["used twice", "valid for ever", "no forced change", "the old one ends too early"],
)
def test_a_first_password_that_is_good_for_more_is_seen(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    place: Any,
    name: str,
    defect: Callable[..., Any],
    seen: str,
) -> None:
    monkeypatch.setattr(place, name, defect)
    with pytest.raises(AssertionError, match=seen):
        first_password_holds(house)
