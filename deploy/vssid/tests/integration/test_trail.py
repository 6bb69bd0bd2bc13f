"""F22: whoever may do everything in identity's database cannot change the audit trail unseen."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from click.testing import CliRunner, Result
from joserfc.jwk import KeySet, OKPKey

from deploy.vssid.__main__ import vssid
from services.identity import sealing, trail
from services.identity.anchors import FILE, Anchors
from services.identity.domain import AuditEntry, StaffAccount
from services.identity.storage import Storage
from services.identity.storage.trail import Trail
from shared.database import Database
from shared.messaging.topology import SERVICES

KEY = OKPKey.generate_key("Ed25519", parameters={"kid": "test"})
PUBLIC = json.dumps(KeySet([KEY]).as_dict(private=False))
PRIVATE = json.dumps(KEY.as_dict(private=True))


@dataclass
class Site:
    """Identity's tables, its sealing, and an operator."""

    dsn: str
    db: Database
    folder: Path
    staff_id: Any

    @property
    def parts(self) -> Any:
        settings = SimpleNamespace(audit_seal_seconds=60)
        return SimpleNamespace(settings=settings, anchors=Anchors(self.folder, PUBLIC, PRIVATE))

    def act(self, *actions: str) -> list[int]:
        """Officers do that, each in a transaction; the ids of the rows."""
        for action in actions:
            with self.db.transaction() as tx:
                Storage(tx).add_audit(AuditEntry(datetime.now(UTC), self.staff_id, action, uuid4()))
        return self.ids()[-len(actions) :]

    def seal(self) -> None:
        """As the job does it, its next run included."""
        record = trail.seal_audit(self.db, self.parts)
        with self.db.transaction() as tx:
            tx.run("DELETE FROM jobs")
            record(tx)

    def ids(self) -> list[int]:
        with self.db.transaction() as tx:
            return [row["id"] for row in tx.all("SELECT id FROM audit ORDER BY id")]

    def tamper(self, statement: str, *values: object) -> None:
        """As the database's owner, who can switch triggers off."""
        with psycopg.connect(self.dsn) as admin:
            for table in ("audit", "audit_seals"):
                admin.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")  # type: ignore[arg-type]
            admin.execute(statement, values)  # type: ignore[arg-type]
            for table in ("audit", "audit_seals"):
                admin.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")  # type: ignore[arg-type]

    def vssid(self, *arguments: str) -> Result:
        environment = {
            **{f"{service.upper()}_DATABASE_URL": self.dsn for service in SERVICES},
            "AUDIT_ANCHORS_DIR": str(self.folder),
            "AUDIT_PUBLIC_KEYS": PUBLIC,
            "AUDIT_SIGNING_KEY": PRIVATE,
            "AUDIT_FILE": str(self.folder.parent / "audit.jsonl"),
            "VSSID_OPERATOR": "the test",
        }
        return CliRunner().invoke(vssid, ["audit", *arguments], env=environment)

    def verify(self, *arguments: str) -> tuple[int, list[tuple[str, int, int]]]:
        """The exit status, and of each finding its kind and the first and last row."""
        done = self.vssid("verify", "--json", *arguments)
        *found, summary = [json.loads(line) for line in done.stdout.splitlines()]
        assert summary["whole"] is (done.exit_code == 0)
        return done.exit_code, [(line["kind"], line["first_id"], line["last_id"]) for line in found]

    def sealed(self) -> list[int]:
        """Three rows under three seals, and three more under a fourth."""
        for action in ("one", "two", "three"):
            self.act(action)
            self.seal()
        self.act("four", "five", "six")
        self.seal()
        assert self.verify() == (0, [])
        return self.ids()


@pytest.fixture
def site(database: Callable[[str], str], tmp_path: Path) -> Iterator[Site]:
    dsn = database("identity")
    db = Database(dsn, name="test-trail", max_size=4)
    db.open()
    staff = StaffAccount(uuid4(), "lan", "Lan", "00101", "no hash")
    with db.transaction() as tx:
        Storage(tx).add_staff(staff, datetime.now(UTC))
    yield Site(dsn, db, tmp_path / "anchors", staff.id)
    db.close()


# --- the proofs ----------------------------------------------------------------------------------


def an_edit_is_found(site: Site) -> None:
    _, second, *_ = site.sealed()
    site.tamper("UPDATE audit SET action = 'nothing' WHERE id = %s", second)
    assert site.verify() == (1, [("row_edited", second, second)])


def a_removal_is_found(site: Site) -> None:
    *_, fifth, _ = site.sealed()
    site.tamper("DELETE FROM audit WHERE id = %s", fifth)
    assert site.verify() == (1, [("row_removed", fifth, fifth)])


def an_insertion_is_found(site: Site) -> None:
    ids = site.sealed()
    hole = ids[-1] + 1
    with psycopg.connect(site.dsn) as rolled_back:
        rolled_back.execute("SELECT nextval(pg_get_serial_sequence('audit', 'id'))")
    site.act("seven")
    site.seal()
    site.tamper(
        "INSERT INTO audit (id, at, staff_id, action) OVERRIDING SYSTEM VALUE"
        " VALUES (%s, now(), %s, 'forged')",
        hole,
        site.staff_id,
    )
    assert site.verify() == (1, [("row_inserted", hole, hole)])


def a_cut_off_end_is_found(site: Site) -> None:
    """Rows and the seals over them, so that what is left is whole in itself."""
    _, _, third, fourth, _, sixth = site.sealed()
    site.tamper("DELETE FROM audit WHERE id >= %s", fourth)
    assert site.verify() == (1, [("row_removed", fourth, fourth)])
    site.tamper("DELETE FROM audit_seals WHERE last_id > %s", third)
    assert site.verify() == (1, [("cut_off", third + 1, sixth)])


def a_late_row_gets_its_seal(site: Site) -> None:
    """A row whose id is lower, and that is committed after the next one was sealed or could have been."""
    done = threading.Event()
    with psycopg.connect(site.dsn) as late:
        late.execute("INSERT INTO audit (at, staff_id, action) VALUES (now(), %s, 'late')", [site.staff_id])
        site.act("early")
        sealing_now = threading.Thread(target=lambda: (site.seal(), done.set()))
        sealing_now.start()
        assert not done.wait(1.0), "it was sealed without the row that was on its way"
        late.commit()
    sealing_now.join(20)
    assert site.verify() == (0, [])
    assert unsealed(site) == 0


def unsealed(site: Site) -> int:
    """How many rows no seal covers."""
    done = site.vssid("verify", "--json")
    amount: int = json.loads(done.stdout.splitlines()[-1])["rows_without_seal"]
    return amount


PROOFS = [
    an_edit_is_found,
    a_removal_is_found,
    an_insertion_is_found,
    a_cut_off_end_is_found,
    a_late_row_gets_its_seal,
]


@pytest.mark.proves("F22")
@pytest.mark.parametrize("proof", PROOFS)
def test_whatever_is_done_to_the_trail_is_found_with_its_position(
    site: Site, proof: Callable[[Site], None]
) -> None:
    proof(site)


def without_the_action(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sealing.canonical
    monkeypatch.setattr(
        sealing, "canonical", lambda values: whole({k: v for k, v in values.items() if k != "action"})
    )


def anchored_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Anchors, "all", lambda self: iter(()))


def listed_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing.Verification, "_removed", lambda *_: iter(()))


def waiting_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trail, "have_ended_before", lambda *_: True)


@pytest.mark.planted("F22")
@pytest.mark.parametrize(
    ("defect", "proof"),
    [
        (without_the_action, an_edit_is_found),
        (listed_nowhere, a_removal_is_found),
        (anchored_nowhere, a_cut_off_end_is_found),
        (waiting_for_nobody, a_late_row_gets_its_seal),
    ],
)
def test_a_defect_in_sealing_makes_a_proof_fail(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    defect: Callable[[pytest.MonkeyPatch], None],
    proof: Callable[[Site], None],
) -> None:
    defect(monkeypatch)
    with pytest.raises(AssertionError):
        proof(site)


# --- what else holds -----------------------------------------------------------------------------


def test_a_chain_that_was_written_anew_is_found_at_its_first_seal(site: Site) -> None:
    first, second, *_ = site.sealed()
    site.tamper("UPDATE audit SET action = 'nothing' WHERE id = %s", second)
    site.tamper("DELETE FROM audit_seals WHERE sequence >= 2")
    forgers = SimpleNamespace(settings=site.parts.settings, anchors=None)
    with site.db.transaction() as tx:
        trail.seal_audit(site.db, forgers)(tx)
    assert site.verify() == (1, [("rewritten", first + 1, site.ids()[-1])])


def test_the_walk_may_begin_at_an_anchored_seal_and_goes_on_where_it_is_told(site: Site) -> None:
    first, *_, last = site.sealed()
    site.tamper("UPDATE audit SET action = 'nothing' WHERE id IN (%s, %s)", first, last)
    assert site.verify("--all") == (1, [("row_edited", first, first), ("row_edited", last, last)])
    assert site.verify("--from", "1") == (1, [("row_edited", last, last)])
    assert site.vssid("verify", "--from", "9").exit_code == 2


def test_nothing_is_sealed_onto_a_chain_that_lost_what_was_anchored(site: Site) -> None:
    *_, third, fourth, _, sixth = site.sealed()
    before = (site.folder / FILE).read_bytes()
    site.tamper("DELETE FROM audit WHERE id >= %s", fourth)
    site.tamper("DELETE FROM audit_seals WHERE last_id >= %s", fourth)
    (seventh,) = site.act("after the restore")
    site.seal()
    assert (site.folder / FILE).read_bytes() == before
    assert unsealed(site) == 1
    with site.db.transaction() as tx:
        assert Storage(tx).unsealed_seconds() > 0
        assert tx.one("SELECT key FROM jobs WHERE kind = 'seal_audit'")

    begun = site.vssid("new-epoch", "--yes", "--reason", "the disk was lost")
    assert begun.exit_code == 0, begun.output
    site.seal()
    assert site.verify() == (0, [("recorded", third + 1, sixth)])
    assert unsealed(site) == 0
    noted = (site.folder.parent / "audit.jsonl").read_text()
    assert "audit_epoch_begun" in noted
    assert "the disk was lost" in site.vssid("verify").output

    site.tamper("DELETE FROM audit WHERE id = %s", seventh)
    assert site.verify() == (1, [("recorded", third + 1, sixth), ("row_removed", seventh, seventh)])


def test_another_epoch_is_refused_while_nothing_is_lost(site: Site) -> None:
    site.sealed()
    refused = site.vssid("new-epoch", "--yes", "--reason", "to hide something")
    assert refused.exit_code == 1
    assert "nothing is lost" in refused.output


def test_an_epoch_that_was_made_in_the_database_is_neither_signed_nor_believed(site: Site) -> None:
    *_, third, fourth, _, sixth = site.sealed()
    site.tamper("DELETE FROM audit WHERE id >= %s", fourth)
    site.tamper("DELETE FROM audit_seals WHERE last_id >= %s", fourth)
    with site.db.transaction() as tx:
        kept = sealing.anchor_of(Storage(tx).last_seal())  # type: ignore[arg-type]
        anchored = site.parts.anchors.head()
        forged = sealing.new_epoch(kept, anchored, by="x", reason="y", at=datetime.now(UTC))
        Storage(tx).add_seal(forged)
    site.seal()
    assert site.verify() == (1, [("cut_off", third + 1, sixth)])


def test_anchors_that_disappeared_are_not_made_anew(site: Site) -> None:
    site.sealed()
    (site.folder / FILE).unlink()
    site.act("seven")
    site.seal()
    assert not (site.folder / FILE).exists()
    assert unsealed(site) == 1


def test_a_kill_between_sealing_and_anchoring_leaves_it_to_the_next_run(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.sealed()
    with monkeypatch.context() as patched:
        patched.setattr(Anchors, "add", lambda *_: (_ for _ in ()).throw(OSError("no room")))
        site.act("seven")
        site.seal()
    assert json.loads(site.vssid("verify", "--json").stdout.splitlines()[-1])["seals_without_anchor"] == 1
    site.seal()
    assert json.loads(site.vssid("verify", "--json").stdout.splitlines()[-1])["seals_without_anchor"] == 0
    assert site.verify() == (0, [])


def test_many_rows_are_sealed_in_many_seals(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.identity.use_cases.trail.ROWS_IN_A_SEAL", 3)
    monkeypatch.setattr(trail, "SEALS_AT_ONCE", 2)
    site.act(*("act",) * 10)
    site.seal()
    with site.db.transaction() as tx:
        due = tx.one("SELECT due_at <= now() AS at_once FROM jobs WHERE kind = 'seal_audit'")
    assert (unsealed(site), due) == (4, {"at_once": True})
    site.seal()
    assert site.verify() == (0, [])
    assert unsealed(site) == 0


def test_every_column_of_the_trail_is_under_the_seal(site: Site) -> None:
    with site.db.transaction() as tx:
        rows = tx.all("SELECT column_name FROM information_schema.columns WHERE table_name = 'audit'")
    assert {row["column_name"] for row in rows} == set(sealing.TrailRow.__dataclass_fields__)


def test_seals_are_only_ever_added_by_the_service(site: Site) -> None:
    site.sealed()
    for statement in ("UPDATE audit_seals SET hash = ''", "DELETE FROM audit_seals", "TRUNCATE audit_seals"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), site.db.transaction() as tx:
            tx.run(statement)


def test_times_before_the_last_second_do_not_matter(site: Site) -> None:
    """Sealed is what is there, not what its clock says."""
    with site.db.transaction() as tx:
        old = AuditEntry(datetime.now(UTC) - timedelta(days=400), site.staff_id, "old")
        Storage(tx).add_audit(old)
    site.seal()
    assert unsealed(site) == 0
