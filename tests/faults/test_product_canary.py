"""F21: a citizen goes every way, with all processes at DEBUG; then everything is searched for this one."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.hotline import code_for_log_in
from deploy.native.instance import Instance
from shared.messaging.connection import channel, message
from shared.testing.citizen_client import CitizenClient, photo_of
from shared.testing.collector import Collector, collector
from shared.testing.processes import until
from shared.testing.voice_platform import heard
from tests.faults.canaries import Canaries, found_by, logs_of, management, overheard
from tests.faults.crowd import Crowd, new_seed
from tests.faults.replaced import instead

RUN = ".run/test-canaries"
OWN, AFTER_CALL, AFTER_RESET = "bồ câu đưa thư 1", "bồ câu đưa thư 2", "bồ câu đưa thư 3"
EXPORTED_WITHIN_SECONDS = 6.0
DEAD = "notification.tell_account.dead"


@pytest.fixture(scope="module")
def traces() -> Iterator[Collector]:
    with collector() as running:
        yield running


@pytest.fixture(scope="module")
def product(traces: Collector) -> Iterator[Instance]:
    """Everything is up in a folder of its own, says all it can, and is stopped at the end."""
    instance = Instance(RUN)
    with pytest.MonkeyPatch.context() as told:
        told.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", traces.endpoint)
        told.setenv("LOG_LEVEL", "DEBUG")
        instance.down()
        instance.up()
        yield instance
        instance.down()


class Way:
    """One citizen through the whole product."""

    def __init__(self, product: Instance) -> None:
        self.product = product
        self.crowd = Crowd(product, 2, new_seed())
        mail = f"chim.hoang.yen.{uuid.uuid4().hex[:8]}@example.org"
        self.citizen = replace(self.crowd.world.citizens[1], email=mail)
        self.canaries = Canaries(self.citizen)
        self.client = CitizenClient(self.crowd.gateway)

    def go(self) -> Canaries:
        self.registers()
        self.officer_confirms()
        self.logs_in()
        self.calls()
        self.resets()
        self.makes_mistakes()
        self.is_put_aside()
        return self.canaries

    def registers(self) -> None:
        client, citizen, secret = self.client, self.citizen, self.canaries.secret
        agency = self.crowd.world.agency_of(citizen)
        client.start()
        needed = client.declare(citizen.declaration())["photos_needed"]
        for kind in needed:
            client.upload(kind, photo_of(citizen, kind))
        client.choose_agency(agency, citizen.email)
        client.request_otp()
        client.confirm_otp(secret("code by e-mail", self.crowd.inbox.wait_for_otp(citizen.email)))
        self.number = client.submit()["declaration_number"]

    def officer_confirms(self) -> None:
        officer = self.crowd.world.officers[self.crowd.world.agency_of(self.citizen)]
        officer.confirm(officer.find(self.number)["id"])

    def logs_in(self) -> None:
        first = self.canaries.secret("password", self.crowd.inbox.wait_for_password(self.citizen.phone))
        self.client.log_in(self.citizen.code, first)
        own = self.canaries.secret("own password", OWN)
        self.client.change_password(self.citizen.code, first, own)
        self.client.me()
        self.client.participation()

    def calls(self) -> None:
        script = self.crowd.world.voice_platform.reissue(self.citizen.phone, self.citizen.code)
        spoken = self.canaries.secret("spoken password", heard(script["text"]))
        phone = CitizenClient(self.crowd.gateway)
        phone.log_in(self.citizen.code, spoken)
        code = code_for_log_in(self.crowd.inbox, self.citizen.phone)
        phone.confirm_log_in(self.canaries.secret("code by SMS", code))
        own = self.canaries.secret("own password", AFTER_CALL)
        phone.change_password(self.citizen.code, spoken, own)

    def resets(self) -> None:
        client = CitizenClient(self.crowd.gateway)
        reset_id = client.ask_reset(self.citizen.code, self.citizen.email)
        code = self.crowd.inbox.wait_for_otp(self.citizen.email, purpose="reset_otp")
        self.canaries.secret("code of a reset", code)
        client.finish_reset(reset_id, code, self.canaries.secret("own password", AFTER_RESET))
        client.log_in(self.citizen.code, AFTER_RESET)

    def makes_mistakes(self) -> None:
        """Each is refused, with the citizen's own data in it, and the answer is kept."""
        citizen, client = self.citizen, CitizenClient(self.crowd.gateway)
        client.start()
        assert client.draft is not None
        wrong: dict[str, Any] = {
            "code": citizen.phone,
            "full_name": citizen.full_name + "!" * 300,
            "phone": citizen.email,
            "document": {"kind": "cccd", "number": citizen.personal_number + "x"},
        }
        mistakes: list[tuple[str, str, Any]] = [
            ("PUT", f"{client.draft.path}/declaration", citizen.declaration() | wrong),
            ("PUT", f"{client.draft.path}/declaration", {"full_name": [citizen.full_name]}),
            ("PUT", f"{client.draft.path}/agency", {"agency_code": "S001", "email": citizen.phone}),
            ("POST", "/v1/sessions", {"user": citizen.personal_number, "password": OWN}),
            ("POST", "/v1/sessions", {"user": citizen.full_name, "password": [AFTER_CALL]}),
            ("POST", "/v1/password-resets", {"user": citizen.full_name, "email": citizen.phone}),
            ("POST", "/v1/staff/sessions", {"user": citizen.email, "password": AFTER_RESET}),
            ("GET", f"/v1/staff/cases?q={citizen.full_name}", None),
            ("GET", f"/v1/{citizen.phone}", None),
        ]
        for method, path, body in mistakes:
            answer = client.send(method, path, json=body, headers=client.draft.headers)
            assert 400 <= answer.status_code < 500, (method, answer.status_code)
            told = answer.json() | {"instance": ""}  # that is what was asked for
            self.canaries.errors.append(f"{told} {answer.headers}")

    def is_put_aside(self) -> None:
        """An event of the wrong shape, with the citizen's data in it, becomes a dead letter."""
        at = datetime.now(UTC).isoformat()
        headers = {"cloudEvents:specversion": "1.0", "cloudEvents:id": str(uuid.uuid4())}
        headers |= {"cloudEvents:type": "account.notice_due.v1", "cloudEvents:source": "/vssid/identity"}
        headers |= {"cloudEvents:time": at, "cloudEvents:subject": str(uuid.uuid4())}
        wrong = {"account_id": self.citizen.phone, "kind": self.citizen.full_name}
        body = json.dumps(wrong | {"channels": self.citizen.email})
        properties = {"content_type": "application/json", "application_headers": headers}
        with channel(self.product.layout.amqp_url("admin")) as publishing:
            publishing.basic_publish(
                message(body.encode(), properties), "vssid.events", "account.notice_due.v1"
            )
        until(lambda: self.dead_letters() > 0, 30.0, "the event was not put aside")

    def dead_letters(self) -> int:
        (queue,) = [one for one in management(self.product, "queues") if one["name"] == DEAD]
        return int(queue.get("messages", 0))


def searched(product: Instance, traces: Collector, folder: Path) -> list[str]:
    """Where the citizen was found, after going the whole way."""
    with overheard(product) as published:
        canaries = Way(product).go()
    time.sleep(EXPORTED_WITHIN_SECONDS)
    assert traces.spans(), "no traces"
    assert published, "nothing was overheard"
    assert any(canaries.citizen.phone_e164 in one.body for one in published), "the wrong things are searched"
    return found_by(product, canaries, published, traces, logs_of(product, folder))


@pytest.mark.proves("F21")
def test_a_citizen_is_found_in_no_place_that_is_not_meant_for_it(
    product: Instance, traces: Collector, tmp_path: Path
) -> None:
    assert searched(product, traces, tmp_path) == []


PLANTED_IDENTITY = f"{__package__}.planted_canaries_identity:IdentityService"
PLANTED_NOTIFICATION = f"{__package__}.planted_canaries_notification:NotificationService"


@pytest.mark.planted("F21")
@pytest.mark.parametrize(
    ("defect", "targets", "seen"),
    [
        (
            "password in clear",
            [PLANTED_IDENTITY, PLANTED_NOTIFICATION],
            "password in body of vssid.events",
        ),
        ("name logged", [PLANTED_IDENTITY], "name in log identity_instead.log"),
        ("phone logged", [PLANTED_IDENTITY], "phone in log identity_instead.log"),
    ],
)
def test_a_leak_is_seen(
    product: Instance, traces: Collector, tmp_path: Path, defect: str, targets: list[str], seen: str
) -> None:
    with ExitStack() as planted:
        for target in targets:
            planted.enter_context(instead(product, target, tmp_path, PLANTED=defect))
        found = searched(product, traces, tmp_path)
    assert seen in found, found
