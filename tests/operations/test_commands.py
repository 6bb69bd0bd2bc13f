"""The operator's command on a whole installation: what it shows, what it does, what it writes down."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from deploy.native import site
from deploy.native.instance import Instance
from shared.messaging import topology
from shared.messaging.connection import channel, message
from shared.testing.client import ProblemSeen, Session
from shared.testing.processes import until
from tests.faults.crowd import Crowd, new_seed
from tests.operations.vssid import lines, vssid

LISTENER = "identity.open_case"


def findings(product: Instance) -> dict[str, dict]:
    """What the doctor says, but for what is well."""
    done = vssid(product, "doctor", "--json")
    found = {row["what"]: row for row in lines(done) if row["state"] != "well"}
    assert done.returncode == any(row["state"] == "wrong" for row in found.values()), done.stderr
    return found


def audit(product: Instance) -> list[dict]:
    file = product.run / "audit.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def amqp_url(product: Instance) -> str:
    return str(product.endpoints()["amqp"])


@pytest.fixture
def letters(own_product: Instance) -> Iterator[list[str]]:
    """Two dead letters of one listener, by their event ids."""
    event_ids = [str(uuid.uuid4()) for _ in range(2)]
    with channel(amqp_url(own_product)) as publishing:
        for event_id in event_ids:
            headers = {"ce-id": event_id, "ce-type": "registration.submitted.v1", "x-vssid-reason": "a test"}
            letter = message(b'{"name": "nobody reads this"}', {"application_headers": headers})
            key = f"{topology.DEAD_KEY}.{LISTENER}"
            publishing.basic_publish(letter, topology.RETRY, key, mandatory=True, timeout=5)
    yield event_ids
    with channel(amqp_url(own_product)) as purging:
        purging.queue_purge(f"{LISTENER}.dead")


def test_the_doctor_finds_nothing_wrong_with_an_installation_that_is_well(own_product: Instance) -> None:
    assert findings(own_product) == {}


def test_the_doctor_finds_what_was_broken_and_says_what_to_do(own_product: Instance) -> None:
    url, management = amqp_url(own_product), str(own_product.endpoints()["amqp_management"])
    databases: dict[str, str] = own_product.endpoints()["databases"]  # type: ignore[assignment]
    with channel(url) as breaking:
        breaking.queue_unbind("history.note_sessions_ended", topology.EVENTS, "account.sessions_ended.v1")
    rights = {"configure": ".*", "write": ".*", "read": ".*"}
    httpx.put(f"{management}/api/permissions/vssid/history", json=rights).raise_for_status()
    with psycopg.connect(databases["history"]) as connection:
        connection.execute(
            "INSERT INTO outbox (id, type, headers, body, due_at, created_at) VALUES "
            "(gen_random_uuid(), 'unheard.of.v1', '{}', '', 'infinity', now() - interval '5 minutes')"
        )
    found = findings(own_product)
    with psycopg.connect(databases["history"]) as connection:
        connection.execute("DELETE FROM outbox WHERE type = 'unheard.of.v1'")
    own_product._apply_topology()

    assert {what: row["state"] for what, row in found.items()} == {
        "queue history.note_sessions_ended": "wrong",
        "broker user history": "wrong",
        "outbox of history": "wrong",
    }
    assert all(row["what to do"] for row in found.values())
    assert findings(own_product) == {}


def test_the_doctor_tells_a_server_that_is_away_apart_from_the_rest(own_product: Instance) -> None:
    own_product.supervision.stop(["redis"])
    try:
        assert list(findings(own_product)) == ["Redis"]
    finally:
        own_product.up()


def test_dead_letters_are_shown_without_their_bodies(own_product: Instance, letters: list[str]) -> None:
    listed = vssid(own_product, "dead-letters", "list", "--json")
    shown = vssid(own_product, "dead-letters", "show", LISTENER)

    assert (listed.returncode, lines(listed)) == (1, [{"listener": LISTENER, "dead letters": 2}])
    assert [letter["event_id"] for letter in lines(shown)] == letters
    assert "nobody reads this" not in shown.stdout


def test_dropping_asks_and_writes_down_each_event_id(own_product: Instance, letters: list[str]) -> None:
    refused = vssid(own_product, "dead-letters", "drop", LISTENER, answer="n\n")
    assert refused.returncode == 1
    one = vssid(own_product, "dead-letters", "drop", LISTENER, "--event", letters[1], answer="y\n")
    assert "1 dropped" in one.stdout, one.stderr
    assert [letter["event_id"] for letter in lines(vssid(own_product, "dead-letters", "show", LISTENER))] == [
        letters[0]
    ]
    assert "1 dropped" in vssid(own_product, "dead-letters", "drop", LISTENER, "--yes").stdout

    noted = [line for line in audit(own_product) if line["action"] == "dead_letters_dropped"][-6:]
    assert [line["state"] for line in noted] == 2 * ["begun", "about to", "done"]
    assert [line["event_id"] for line in noted if line["state"] == "about to"] == [letters[1], letters[0]]
    assert [line["event_ids"] for line in noted if line["state"] == "done"] == [[letters[1]], [letters[0]]]
    assert {line["who"] for line in noted} == {"the test"}
    assert "nobody reads this" not in (own_product.run / "audit.jsonl").read_text()


def test_replaying_writes_down_how_many_and_which(own_product: Instance, letters: list[str]) -> None:
    done = vssid(own_product, "dead-letters", "replay", LISTENER)
    assert f"2 put back into {LISTENER}" in done.stdout, done.stderr
    begun, replayed = [line for line in audit(own_product) if line["action"] == "dead_letters_replayed"][-2:]
    assert (begun["state"], replayed["state"], begun["act"]) == ("begun", "done", replayed["act"])
    assert (replayed["count"], replayed["event_ids"]) == (2, letters)


def test_an_officer_of_an_agency_that_is_not_there_is_refused(own_product: Instance) -> None:
    before = audit(own_product)
    done = vssid(
        own_product, "staff", "add", "--user", "nobody.new", "--agency", "NOPE", "--name", "Cán bộ Thử"
    )
    assert (done.returncode, "there is no agency NOPE" in done.stderr) == (1, True)
    assert audit(own_product) == before
    assert "nobody has" in vssid(own_product, "staff", "disable", "nobody.new").stderr
    assert [line["state"] for line in audit(own_product)[-2:]] == ["begun", "failed"]


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "does not exist"), (b"code\n\xff\xfe\n", "line 2: the file is to be in UTF-8")],
    ids=["missing", "not in UTF-8"],
)
def test_a_file_of_agencies_that_cannot_be_read_is_told_and_nothing_is_written_as_done(
    own_product: Instance, tmp_path: Path, content: bytes | None, says: str
) -> None:
    file, before = tmp_path / "agencies.csv", len(audit(own_product))
    if content is not None:
        file.write_bytes(content)
    done = vssid(own_product, "agencies", "import", str(file))
    assert done.returncode
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "done" not in [line["state"] for line in audit(own_product)[before:]]


def test_a_job_that_was_given_up_is_shown_and_tried_again(own_product: Instance) -> None:
    databases: dict[str, str] = own_product.endpoints()["databases"]  # type: ignore[assignment]
    key = str(uuid.uuid4())
    with psycopg.connect(databases["identity"]) as connection:
        connection.execute(
            "INSERT INTO jobs (kind, key, due_at, attempts, failed_at, last_error) "
            "VALUES ('check_register', %s, now(), 20, now(), 'SomeError')",
            [key],
        )
    assert vssid(own_product, "jobs").returncode == 1
    (failed,) = lines(vssid(own_product, "jobs", "failed", "identity", "--json"))
    assert (failed["key"], failed["last_error"]) == (key, "SomeError")
    assert (
        "1 are due" in vssid(own_product, "jobs", "retry", "identity", "check_register", "--key", key).stdout
    )
    until(lambda: vssid(own_product, "jobs").returncode == 0, 30.0, "it is not tried again")


def test_of_a_file_of_agencies_with_wrong_lines_nothing_is_imported(
    own_product: Instance, tmp_path: Path
) -> None:
    file = tmp_path / "agencies.csv"
    header = "code,name,province_code,commune_code,address,latitude,longitude"
    good = "S001,Tên khác,01,00235,Phường Đống Đa,21.0119,105.822"
    file.write_text(f"{header}\n{good}\nS002,Tên khác,01,26740,Sài Gòn,10.78,106.7\n", encoding="utf-8")
    done = vssid(own_product, "agencies", "import", str(file))
    assert done.returncode == 1
    assert "line 3: commune_code: the code of a commune of the province 01" in done.stderr
    session = Session(str(own_product.endpoints()["gateway"]))
    assert session.ask("GET", "/v1/agencies", params={"q": "ten khac"})["items"] == []


def test_agencies_may_be_imported_again(own_product: Instance) -> None:
    done = vssid(own_product, "agencies", "import")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def one_key(own_product: Instance) -> Iterator[None]:
    """Afterwards one key is published again, whatever happened."""
    yield
    if "token keys" in findings(own_product):
        vssid(own_product, "keys", "forget", "--now")
        own_product.__dict__.pop("layout", None)


@pytest.mark.usefixtures("one_key")
def test_another_key_signs_and_nobody_is_logged_out_until_the_old_one_is_forgotten(
    own_product: Instance,
) -> None:
    crowd = Crowd(own_product, 1, new_seed())
    citizen, client = crowd.verify(0)
    password = crowd.inbox.wait_for_password(citizen.phone)
    client.log_in(citizen.code, password)
    client.change_password(citizen.code, password, "một mật khẩu mới, đủ dài")

    done = vssid(own_product, "keys", "rotate")
    own_product.__dict__.pop("layout", None)  # its secrets are others now
    assert done.returncode == 0, done.stderr
    assert client.me()["code"] == citizen.code
    assert client.participation()["items"]
    assert findings(own_product)["token keys"]["state"] == "note"

    old = client.headers["Authorization"]
    client.log_in(citizen.code, "một mật khẩu mới, đủ dài")
    done = vssid(own_product, "keys", "forget")
    assert (done.returncode, "--now" in done.stderr) == (1, True), "tokens of the old one are valid"
    assert client.me()["code"] == citizen.code
    done = vssid(own_product, "keys", "forget", "--now")
    own_product.__dict__.pop("layout", None)
    assert done.returncode == 0, done.stderr
    assert client.me()["code"] == citizen.code
    client.headers["Authorization"] = old
    with pytest.raises(ProblemSeen) as refused:
        client.me()
    assert refused.value.status == 401


@pytest.fixture
def settings(own_product: Instance) -> Iterator[Path]:
    """Where the site says what is otherwise here. Afterwards it says nothing again, and nobody runs by it."""
    file = own_product.run / site.FILE
    yield file
    file.unlink(missing_ok=True)
    own_product.restart()


def test_settings_that_are_lost_come_back_with_a_backup_for_services_that_were_not_restored(
    own_product: Instance, settings: Path, tmp_path: Path
) -> None:
    settings.write_text("SMS_PER_DAY=4321\n")
    done = vssid(own_product, "backup", "--to", str(tmp_path))
    assert done.returncode == 0, done.stderr
    settings.unlink()
    (folder,) = tmp_path.iterdir()

    done = vssid(own_product, "restore", str(folder), "history", "--yes")

    assert done.returncode == 0, done.stderr
    told = Path(f"/proc/{own_product.pids()['notification']}/environ").read_bytes().split(b"\0")
    assert b"SMS_PER_DAY=4321" in told
