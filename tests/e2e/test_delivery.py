"""A password that no SMS brings: the link by e-mail, and the agency's counter; over HTTP."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from pypdf import PdfReader

from deploy.demo.world import add_officer, register_platform
from shared.testing.client import ProblemSeen
from shared.testing.processes import until
from tests.e2e.test_once_for_life import OWN_PASSWORD, passwords
from tests.faults.sms import smsc

ATTEMPTS = 4
"""The first SMS and three that replace it (FIRST_PASSWORD_REPLACEMENTS)."""


def steps(told):
    return [entry["step"] for entry in told["entries"] if entry["step"].startswith("credentials_")]


def told_last(client, step):
    """What comes next once this is the last that was told."""
    until(lambda: steps(client.timeline())[-1] == step, 60, f"{step} is not told")
    return client.timeline()["next"]


@pytest.fixture
def applied(client, new_citizen, officer, inbox):
    """Somebody whose case is open: the citizen and the case."""
    citizen = new_citizen()
    accepted = client.register(citizen, inbox.wait_for_otp)
    return citizen, officer.find(accepted.declaration_number)["id"]


@pytest.mark.proves("G12")
@pytest.mark.proves("G15")
def test_whom_no_sms_reaches_chooses_a_password_by_the_link_of_an_e_mail(
    product, client, new_client, applied, officer, inbox
):
    citizen, case_id = applied
    with smsc(product, receipt_stat="UNDELIV"):
        officer.confirm(case_id)
        mail = inbox.wait_for_emails(citizen.email, "activation_link")[0]
    assert len(passwords(inbox, citizen.phone)) == ATTEMPTS
    told = client.wait_for_step("activate")
    assert steps(told)[-2:] == ["credentials_link_issued", "credentials_link_sent"]
    assert steps(told).count("credentials_failed") == ATTEMPTS
    assert told["next"]["until"] is not None
    assert citizen.code not in mail["text"]

    (link,) = re.findall(r"https?://\S+#\S+", mail["text"])
    page, _, secret = link.partition("#")
    assert "?" not in page
    assert "<form" in client.send("GET", "/activation").text
    for code in ("9999999999", "0000000000"):
        with pytest.raises(ProblemSeen) as refused:
            client.activate(secret, code, OWN_PASSWORD)
        assert (refused.value.status, refused.value.name) == (422, "activation-refused")
    client.activate(secret, citizen.code, OWN_PASSWORD)
    assert client.log_in(citizen.code, OWN_PASSWORD)["must_change_password"] is False
    assert steps(client.wait_for_step("log_in"))[-1] == "credentials_used"
    with pytest.raises(ProblemSeen) as refused:
        client.activate(secret, citizen.code, "một mật khẩu khác, đủ dài")
    assert refused.value.name == "activation-refused"
    for password in passwords(inbox, citizen.phone):
        with pytest.raises(ProblemSeen):
            new_client().log_in(citizen.code, password)


@pytest.mark.proves("G12")
def test_at_the_counter_the_account_is_handed_over_with_a_slip(
    product, gateway, seed, client, new_client, applied, officer, inbox
):
    citizen, case_id = applied
    with pytest.raises(ProblemSeen) as refused:
        officer.hand_over(case_id)
    assert refused.value.name == "not-yet-verified"
    officer.confirm(case_id)
    by_sms = inbox.wait_for_password(citizen.phone)
    elsewhere = add_officer(product, gateway, f"counter-{seed}-{citizen.code}", "S002")
    with pytest.raises(ProblemSeen) as refused:
        elsewhere.hand_over(case_id)
    assert refused.value.status == 404

    first = officer.hand_over(case_id, key="the-first-slip-of-all")
    assert officer.hand_over(case_id, key="the-first-slip-of-all") == first
    slip_ends = told_last(client, "credentials_handed_over")["until"]
    register_platform(product, gateway, f"counter-{seed}").reissue(citizen.phone, citizen.code)
    heard = told_last(client, "credentials_reissued")
    assert heard["step"] == "log_in"
    assert None not in (slip_ends, heard["until"])
    assert slip_ends != heard["until"]
    slip = officer.hand_over(case_id)
    assert slip != first
    printed = [password_on(content) for content in (first, slip)]
    text = " ".join(PdfReader(BytesIO(slip)).pages[0].extract_text().split())
    assert citizen.code in text
    for void in (by_sms, printed[0]):
        with pytest.raises(ProblemSeen):
            new_client().log_in(citizen.code, void)
    assert told_last(client, "credentials_handed_over")["until"] is not None
    assert client.log_in(citizen.code, f" {printed[1]} ")["must_change_password"], "as copied, spaces and all"
    client.change_password(citizen.code, f"{printed[1]} ", OWN_PASSWORD)
    with pytest.raises(ProblemSeen) as refused:
        officer.hand_over(case_id)
    assert refused.value.name == "password-received"
    for mail in inbox.emails(citizen.email):
        assert printed[1] not in mail["text"]


def password_on(content):
    """The password on a slip."""
    text = " ".join(PdfReader(BytesIO(content)).pages[0].extract_text().split())
    return re.search(r"Mật khẩu lần đầu: (\S+)", text)[1]
