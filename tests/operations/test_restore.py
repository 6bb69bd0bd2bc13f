"""One database is put back to an earlier moment, each of the four in turn: ``vssid reconcile`` finds every
gap and closes those that can be closed, and nothing is sent twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from deploy.native.instance import Instance
from shared.testing.citizen_client import CitizenClient
from shared.testing.inbox import password_in
from tests.faults.crowd import Crowd, new_seed
from tests.faults.sms import smsc
from tests.operations.vssid import lines, vssid

OWN_PASSWORD = "một mật khẩu mới, đủ dài"
THROTTLED = 88
SETTLE_SECONDS = 60.0

Gap = tuple[str, str]


@dataclass
class Site:
    """Citizens by what becomes of them, before the backup and after it."""

    product: Instance
    crowd: Crowd
    clients: dict[str, CitizenClient] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def registers(self, name: str) -> None:
        """Submitted, and at the desk."""
        self.numbers[name] = number = len(self.numbers)
        citizen = self.crowd.world.citizens[number]
        client = self.clients[name] = CitizenClient(self.crowd.gateway)
        accepted = client.register(citizen, self.crowd.inbox.wait_for_otp, self.agency(name))
        self.crowd.accepted(citizen, accepted.registration_id, accepted.declaration_number)
        client.wait_for("awaiting_visit")

    def is_confirmed(self, name: str) -> None:
        """The officer has seen the papers."""
        officer, case = self.at_the_desk(name)
        self.crowd.ledger.decided(self.id(name), officer.confirm(case)["status"])

    def is_verified(self, name: str) -> None:
        """The officer has seen the papers, and the password has arrived."""
        self.is_confirmed(name)
        self.clients[name].wait_for("completed")
        self.wait_delivered(name)

    def is_rejected(self, name: str) -> None:
        """The officer has turned it away, and the citizen was told."""
        officer, case = self.at_the_desk(name)
        self.crowd.ledger.decided(self.id(name), officer.reject(case, "Giấy tờ không khớp")["status"])
        self.clients[name].wait_for("rejected")

    def cancels(self, name: str) -> None:
        """The citizen has had it closed."""
        self.clients[name].cancel()
        self.clients[name].wait_for("cancelled")

    def sets_password(self, name: str) -> None:
        """Logged in with the newest password from the phone, and changed it."""
        citizen, client = self.citizen(name), self.clients[name]
        password = password_in(self.crowd.inbox.sms(citizen.phone)[-1]["text"])
        client.log_in(citizen.code, password)
        client.change_password(citizen.code, password, OWN_PASSWORD)
        self.crowd.ledger.changed_password(self.id(name))

    def citizen(self, name: str):
        return self.crowd.world.citizens[self.numbers[name]]

    def agency(self, name: str) -> str:
        return self.crowd.world.agency_of(self.citizen(name))

    def at_the_desk(self, name: str):
        """The officer, and the id of the case."""
        officer = self.crowd.world.officers[self.agency(name)]
        number = self.crowd.ledger.declaration_number(self.id(name))
        return officer, officer.find(number)["id"]

    def id(self, name: str) -> str:
        draft = self.clients[name].draft
        assert draft is not None
        return draft.registration_id

    def account(self, name: str) -> str:
        rows = self.rows("identity", "SELECT id::text FROM accounts WHERE code = %s", self.citizen(name).code)
        return rows[0]

    def rows(self, service: str, statement: str, *values: object) -> list[str]:
        databases: dict[str, str] = self.product.endpoints()["databases"]  # type: ignore[assignment]
        with psycopg.connect(databases[service]) as connection:
            return [row[0] for row in connection.execute(statement, values)]

    def wait_delivered(self, name: str) -> None:
        """Until identity knows that the SMS has arrived."""
        statement = """
            SELECT c.id::text FROM credentials c JOIN accounts a ON a.id = c.account_id
            WHERE a.code = %s AND c.delivery = 'delivered'
        """
        wait(lambda: self.rows("identity", statement, self.citizen(name).code), f"no receipt for {name}")

    def sent_to(self, name: str) -> Counter[str]:
        """What this citizen received: how many SMS, and e-mails of each purpose."""
        citizen = self.citizen(name)
        emails = Counter(mail["purpose"] for mail in self.crowd.inbox.emails(citizen.email))
        return emails + Counter(sms=len(self.crowd.inbox.sms(citizen.phone)))

    def everything_sent(self) -> dict[str, Counter[str]]:
        return {name: self.sent_to(name) for name in self.numbers}

    def most_sent_alike(self) -> int:
        """How often the same SMS, or the same e-mail, went to one of these citizens at the most."""
        sent: Counter[str] = Counter()
        for citizen in self.crowd.world.citizens:
            sent.update(f"{sms['to']} {sms['text']}" for sms in self.crowd.inbox.sms(citizen.phone))
            sent.update(mail["message_id"] for mail in self.crowd.inbox.emails(citizen.email))
        return max(sent.values())

    def restore(self, service: str, backup: Path) -> None:
        """As an operator does."""
        done = vssid(self.product, "restore", str(backup), service, "--yes")
        assert done.returncode == 0, done.stderr

    def reconcile(self, *options: str) -> tuple[int, set[Gap]]:
        """The exit status, and what is missing at the end: kind and whose."""
        done = vssid(self.product, "reconcile", "--settle", "0", "--json", *options)
        assert done.returncode in (0, 1), done.stderr
        *found, summary = lines(done)
        left = {(row["gap"], row["belongs_to"]) for row in found if row["round"] == summary["round"]}
        ours = {self.id(name) for name in self.numbers}  # records that earlier tests lost stay lost
        return done.returncode, {gap for gap in left if gap[0] != "record_lost" or gap[1] in ours}


def wait(is_so: Callable[[], object], problem: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, problem
        time.sleep(0.3)


@pytest.fixture
def site(own_product: Instance, tmp_path: Path) -> Site:
    """Before the backup: one who is through, one with a password in hand, one whose visit is to come."""
    site = Site(own_product, Crowd(own_product, 9, new_seed()))
    for name in ("settled", "new_holder", "visitor"):
        site.registers(name)
    for name in ("settled", "new_holder"):
        site.is_verified(name)
    site.sets_password("settled")
    wait(lambda: site.reconcile() == (0, set()), "it is not clean before anything was done")
    return site


@pytest.fixture
def backup(site: Site, tmp_path: Path) -> Path:
    """A backup of that moment; after it citizens do all that citizens can do."""
    done = vssid(site.product, "backup", "--to", str(tmp_path))
    assert done.returncode == 0, done.stderr
    site.sets_password("new_holder")
    for name in ("through", "just_verified", "waiting", "cancelled", "rejected"):
        site.registers(name)
    for name in ("visitor", "through", "just_verified"):
        site.is_verified(name)
    site.sets_password("through")
    site.is_rejected("rejected")
    site.cancels("cancelled")
    time.sleep(2)  # the last e-mails
    (folder,) = tmp_path.iterdir()
    return folder


AFTER_BACKUP = ("through", "just_verified", "waiting", "cancelled", "rejected")


def gaps(site: Site, kind: str, *names: str) -> set[Gap]:
    return {(kind, site.id(name)) for name in names}


def test_registration_takes_back_what_identity_knows(site: Site, backup: Path) -> None:
    sent = site.everything_sent()
    site.restore("registration", backup)

    status, found = site.reconcile()
    assert (status, found) == (
        1,
        gaps(site, "application_missing", *AFTER_BACKUP) | gaps(site, "ending_unheard", "visitor"),
    )
    assert site.reconcile("--mend") == (0, set())
    assert site.reconcile() == (0, set())
    statuses = "SELECT status FROM registrations WHERE id = %s"
    assert {name: site.rows("registration", statuses, site.id(name))[0] for name in site.numbers} == {
        **dict.fromkeys(("settled", "new_holder", "visitor", "through", "just_verified"), "completed"),
        "waiting": "awaiting_visit",
        "cancelled": "cancelled",
        "rejected": "rejected",
    }
    assert site.everything_sent() == sent
    claims = "SELECT registration_id::text FROM claimed"
    assert set(site.rows("registration", claims)) >= {site.id("through"), site.id("waiting")}
    assert not set(site.rows("registration", claims)) & {site.id("cancelled"), site.id("rejected")}


def test_identity_hears_every_submission_again_and_officers_decide_again(site: Site, backup: Path) -> None:
    before = site.everything_sent()
    site.restore("identity", backup)

    status, found = site.reconcile()
    assert (status, found) == (
        1,
        gaps(site, "case_missing", *AFTER_BACKUP)
        | gaps(site, "decision_lost", "visitor")
        | {("own_password_missing", site.account("new_holder"))},
    )
    verified = ("visitor", "through", "just_verified")
    assert site.reconcile("--mend") == (1, gaps(site, "decision_lost", *verified))
    for name in verified:
        site.is_confirmed(name)
    for name in (*verified, "new_holder"):
        wait(
            lambda name=name: site.sent_to(name)["sms"] == before[name]["sms"] + 1,
            f"no other password for {name}",
        )
        site.wait_delivered(name)
    wait(lambda: site.reconcile() == (0, set()), "it is not clean", SETTLE_SECONDS)

    another_password = Counter(sms=1, instructions=1)
    assert {name: sent - before[name] for name, sent in site.everything_sent().items()} == {
        **dict.fromkeys((*verified, "new_holder"), another_password),
        **{name: Counter() for name in ("settled", "waiting", "cancelled", "rejected")},
    }
    for name in ("new_holder", "through"):
        site.sets_password(name)
    assert site.most_sent_alike() == 1


def test_a_password_whose_message_is_lost_is_replaced(site: Site, backup: Path) -> None:
    with smsc(site.product, refuse_status=THROTTLED):
        site.registers("unlucky")
        site.is_confirmed("unlucky")
        written = "SELECT id::text FROM message WHERE purpose = 'credentials' AND registration_id = %s"
        wait(lambda: site.rows("notification", written, site.id("unlucky")), "no message is written")
        wait(lambda: site.sent_to("unlucky")["instructions"], "no e-mail is sent")
        before = site.everything_sent()
        site.restore("notification", backup)

    status, found = site.reconcile()
    known = gaps(site, "record_lost", "visitor", "through", "just_verified")
    assert (status, found - known) == (1, gaps(site, "message_missing", "unlucky"))
    assert found >= known
    status, found = site.reconcile("--mend")
    assert (status, found - known) == (0, gaps(site, "record_lost", "unlucky"))
    site.clients["unlucky"].wait_for("completed")
    site.wait_delivered("unlucky")
    time.sleep(2)
    assert site.reconcile()[0] == 0
    sent = {name: now - before[name] for name, now in site.everything_sent().items() if now != before[name]}
    assert sent == {"unlucky": Counter(sms=1, instructions=1)}
    site.sets_password("unlucky")


def test_history_hears_again_of_sessions_that_were_ended(site: Site, backup: Path) -> None:
    before = site.everything_sent()
    accounts = {site.account(name) for name in ("new_holder", "through")}
    site.restore("history", backup)

    status, found = site.reconcile()
    assert (status, found) == (1, {("ended_sessions_missing", account) for account in accounts})
    assert site.reconcile("--mend") == (0, set())
    assert site.reconcile() == (0, set())
    ended = site.rows("history", "SELECT account_id::text FROM ended_sessions")
    assert accounts <= set(ended)
    assert site.everything_sent() == before


def test_mending_goes_on_beside_the_traffic(site: Site, backup: Path) -> None:
    accounts = {site.account(name) for name in ("new_holder", "through")}
    site.restore("history", backup)
    others = Crowd(site.product, 60, new_seed())
    with others.on_the_way(4, 8):
        time.sleep(5)
        done = vssid(site.product, "reconcile", "--mend", "--settle", "5", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert accounts <= set(site.rows("history", "SELECT account_id::text FROM ended_sessions"))
    report = others.ledger.wait_until_final()
    assert report.is_clean, str(report)


def test_all_four_put_back_to_a_backup_made_under_load_agree_after_mending(
    own_product: Instance, tmp_path: Path
) -> None:
    """The four dumps are of four moments, with events and messages on their way between them."""
    crowd = Crowd(own_product, 80, new_seed())
    site = Site(own_product, crowd)
    with crowd.on_the_way(6, 12):
        time.sleep(5)
        done = vssid(own_product, "backup", "--to", str(tmp_path))
        assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.iterdir()
    done = vssid(own_product, "restore", str(folder), "--yes")
    assert done.returncode == 0, done.stderr

    _, found = site.reconcile()
    print("found:", dict(Counter(kind for kind, _ in found)))
    _, left = site.reconcile("--mend")
    assert {kind for kind, _ in left} <= {"decision_lost", "record_lost"}
    travelled = {journey.registration_id: journey.citizen for journey in crowd.journeys}
    for kind, registration_id in left:
        if kind == "decision_lost":
            officer = crowd.world.officers[crowd.world.agency_of(travelled[registration_id])]
            officer.confirm(officer.find(crowd.ledger.declaration_number(registration_id))["id"])
    wait(lambda: site.reconcile("--mend")[0] == 0, "it is not clean", 2 * SETTLE_SECONDS)
    assert site.most_sent_alike() == 1
