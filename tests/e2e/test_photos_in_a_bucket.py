"""Photos in a bucket of an S3 server: taken in, read at the desk, deleted when their time has come."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from deploy.demo.world import add_officer
from deploy.native.instance import Instance
from deploy.vssid import checks_of_outside
from shared.s3_objects import Bucket, S3Objects
from shared.testing.citizen_client import AGENCY_CODE, CitizenClient, photo_of
from shared.testing.citizens import generate
from shared.testing.client import ProblemSeen
from shared.testing.inbox import Inbox
from shared.testing.officer_client import OfficerClient
from shared.testing.processes import until
from shared.testing.s3_server import S3Server
from tests.faults.proxy import Proxy
from tests.fixtures import RUN


@dataclass
class Site:
    """An installation of its own whose photos lie in a bucket, and the line to it."""

    instance: Instance
    bucket: Bucket
    line: Proxy
    officer: OfficerClient

    def __post_init__(self) -> None:
        endpoints = self.instance.endpoints()
        self.gateway = str(endpoints["gateway"])
        self.inbox = Inbox(str(endpoints["sms"]), str(endpoints["mail"]))
        self.objects = S3Objects(self.bucket)

    def refs(self, place: str) -> set[str]:
        """What lies in a place of the bucket."""
        return {found.ref for found in self.objects.listed(place, after="", limit=1000)}

    def registrations(self, statement: str) -> list[tuple[Any, ...]]:
        """One statement in registration's database."""
        url = str(self.instance.endpoints()["databases"]["registration"])  # type: ignore[index]
        with psycopg.connect(url, autocommit=True) as connection:
            found = connection.execute(statement.encode())
            return found.fetchall() if found.description else []

    def files(self) -> list[str]:
        """Files in the folder that keeps photos elsewhere."""
        folder = self.instance.layout.objects_dir
        return [str(path) for path in folder.rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def site(s3: S3Server) -> Iterator[Site]:
    bucket, instance = s3.bucket("photos-of-citizens"), Instance(f"{RUN}-s3")
    with pytest.MonkeyPatch.context() as environment, Proxy("127.0.0.1", s3.port) as line:
        told = {
            "OBJECTS_S3_ENDPOINT": f"http://127.0.0.1:{line.port}",
            "OBJECTS_S3_BUCKET": bucket.name,
            "OBJECTS_S3_ACCESS_KEY_ID": bucket.access_key_id,
            "OBJECTS_S3_SECRET_ACCESS_KEY": bucket.secret_access_key,
        }
        for name, value in told.items():
            environment.setenv(name, value)
        try:
            instance.up()
            gateway = str(instance.endpoints()["gateway"])
            yield Site(
                instance, bucket, line, add_officer(instance, gateway, f"s3-{os.getpid()}", AGENCY_CODE)
            )
        finally:
            instance.down()


def test_photos_are_taken_in_read_at_the_desk_and_deleted_when_their_time_has_come(
    site: Site,
) -> None:
    citizen = generate(1, seed=os.getpid())[0]  # whom the register does not know
    client = CitizenClient(site.gateway, language="en")
    accepted = client.register(citizen, site.inbox.wait_for_otp)
    assert {"id_front", "id_back"} <= set(accepted.photos_uploaded)
    kept = site.refs("photos")
    assert (len(kept), site.refs("quarantine")) == (len(accepted.photos_uploaded), set())
    assert not any(b"\xff\xd8\xff\xe0\x00\x10JFIF" in site.objects.read(ref) for ref in kept), (
        "readable for the server"
    )
    assert site.files() == []

    case = site.officer.find(accepted.declaration_number)
    assert site.officer.photo(case["id"], "id_front").startswith(b"\xff\xd8\xff")

    site.officer.reject(case["id"], "Ảnh không khớp giấy tờ")
    client.wait_for("rejected")
    site.registrations("UPDATE photo_objects SET since = since - interval '31 days'")
    site.registrations("UPDATE jobs SET due_at = now() WHERE kind = 'delete_photos' AND lease IS NULL")
    until(lambda: not site.refs("photos"), 120, "the photos are still there")
    proofs = "SELECT ref, reason FROM photo_deletions"
    until(lambda: {(ref, "closed") for ref in kept} <= set(site.registrations(proofs)), 30, "without a proof")
    with pytest.raises(ProblemSeen) as gone:
        site.officer.photo(case["id"], "id_front")
    assert gone.value.name == "photo-unknown"


def test_while_the_bucket_is_away_photos_wait_and_nothing_is_half_done(site: Site) -> None:
    citizen = generate(1, seed=os.getpid() + 1)[0]
    client = CitizenClient(site.gateway, language="en", patience_seconds=0)
    client.start()
    missing = client.declare(citizen.declaration())["missing"]
    photo = photo_of(citizen, "id_front")
    before = site.refs("photos") | site.refs("quarantine")

    site.line.refuse()
    with pytest.raises(ProblemSeen) as away:
        client.upload("id_front", photo)
    assert (away.value.status, away.value.name) == (503, "service-away")
    assert client.view()["missing"] == missing
    assert site.refs("photos") | site.refs("quarantine") == before
    assert site.files() == []

    site.line.flow()
    assert set(missing) - set(client.upload("id_front", photo)["missing"]) == {"photos.id_front"}
    assert len(site.refs("photos")) == len(before) + 1


def test_the_doctor_looks_at_the_bucket(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN", str(site.instance.run))

    def looked() -> dict[str, str]:
        found = {finding.what: finding.state for finding in checks_of_outside.outside_checks()}
        return {what: state for what, state in found.items() if what in ("object store", "deleted photos")}

    assert looked() == {"object store": "well", "deleted photos": "well"}
    site.line.refuse()
    assert looked() == {"object store": "wrong"}
    site.line.flow()
