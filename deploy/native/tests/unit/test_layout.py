import importlib
import json

import pytest

from deploy.native.keys import Keys
from deploy.native.layout import SERVICES, Layout
from deploy.native.ports import NAMES
from shared.settings import load

PROCESSES = (*SERVICES, "gateway")


@pytest.fixture(scope="module")
def layout(tmp_path_factory) -> Layout:
    run = tmp_path_factory.mktemp("run")
    return Layout(run, {name: 20_000 + at for at, name in enumerate(NAMES)}, Keys.kept_in(run / "secrets"))


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_is_told_every_setting_it_needs(layout, process):
    settings = importlib.import_module(f"services.{process}.settings").Settings

    assert load(settings, layout.environment(process)).ops_port == layout.ports[f"ops_{process}"]


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_holds_its_own_private_key_and_nobody_elses(layout, process):
    told = " ".join(layout.environment(process).values())

    holds = {name for name in PROCESSES if layout.keys[f"seal_{name}"] in told}

    assert holds == {process}


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_knows_the_password_of_its_own_database_only(layout, process):
    told = " ".join(layout.environment(process).values())

    knows = {name for name in SERVICES if layout.keys[f"postgres_{name}"] in told}

    assert knows == {process} - {"gateway"}


@pytest.mark.parametrize(
    ("secret", "holder"),
    [("register_token", "identity"), ("smpp", "notification"), ("token_signing", "identity")],
)
def test_a_secret_of_one_process_is_told_to_that_one_only(layout, secret, holder):
    told = {name for name in PROCESSES if layout.keys[secret] in layout.environment(name).values()}

    assert told == {holder}


@pytest.mark.parametrize("process", PROCESSES)
def test_no_process_can_administer_the_servers(layout, process):
    told = " ".join(layout.environment(process).values())

    for secret in ("amqp_admin", "postgres_admin", "supervisor", "erlang_cookie"):
        assert layout.keys[secret] not in told


def test_everything_listens_on_loopback(layout):
    endpoints = layout.endpoints()
    addresses = [
        endpoints[name] for name in ("gateway", "sms", "mail", "register", "amqp", "postgres", "redis")
    ]

    assert all("127.0.0.1:" in address for address in [*addresses, *endpoints["ops"].values()])


def test_the_endpoints_are_json(layout):
    assert json.loads(json.dumps(layout.endpoints())) == layout.endpoints()
