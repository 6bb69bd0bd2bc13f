import importlib
import re

import pytest
import yaml

from deploy.docker.certificates import SERVERS
from deploy.native.keys import PROCESSES, WITH_DATABASE
from deploy.native.layout import ROOT, STAND_INS
from shared.settings import describe

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
CONTAINERS = COMPOSE["services"]
S3 = yaml.safe_load((ROOT / "docker-compose.s3.yml").read_text())
TLS = yaml.safe_load((ROOT / "docker-compose.tls.yml").read_text())["services"]
JOBS = ("topology", "permissions", *(f"migrate-{name}" for name in WITH_DATABASE))
PLAYED_BY_HAND = ("demo", "vssid")
WATCHING = ("prometheus", "grafana", "traces")


@pytest.mark.parametrize("name", CONTAINERS)
def test_no_container_has_more_rights_than_it_needs(name):
    container = CONTAINERS[name]

    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid"} & set(container)


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_has_limits(name):
    assert {"mem_limit", "cpus", "pids_limit"} <= set(CONTAINERS[name])


def test_of_the_product_the_gateway_alone_is_published_and_all_on_loopback():
    published = {name: container["ports"] for name, container in CONTAINERS.items() if "ports" in container}

    assert set(published) - {*STAND_INS, *WATCHING} == {"gateway"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_the_database_is_out_of_reach_of_the_gateway_and_of_outside_parties():
    reach = {name for name, container in CONTAINERS.items() if "database" in container["networks"]}

    migrations = (f"migrate-{name}" for name in WITH_DATABASE)
    assert reach == {"postgres", "redis", *WITH_DATABASE, *migrations, *PLAYED_BY_HAND}
    assert COMPOSE["networks"]["database"] == {"internal": True}


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_is_handed_its_own_secrets_and_no_others(name):
    handed = [s["source"] if isinstance(s, dict) else s for s in CONTAINERS[name]["secrets"]]

    others = [other for other in (*PROCESSES, "topology") if other != name]
    assert [secret for secret in handed for other in others if secret.startswith(f"{other}_")] == []
    assert not {"postgres_admin", "rabbitmq_definitions"} & set(handed)
    assert [secret for secret in handed if secret.startswith("amqp_password_")] == []


@pytest.mark.parametrize("name", sorted(set(CONTAINERS) - set(JOBS) - set(PLAYED_BY_HAND)))
def test_whatever_keeps_running_says_whether_it_is_ready(name):
    assert CONTAINERS[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", WITH_DATABASE)
def test_a_service_starts_when_its_tables_and_queues_are_there(name):
    awaited = CONTAINERS[name]["depends_on"]

    assert (
        awaited["permissions"]
        == awaited[f"migrate-{name}"]
        == {"condition": "service_completed_successfully"}
    )


@pytest.mark.parametrize("name", WATCHING)
def test_what_operators_look_at_runs_only_when_it_is_asked_for(name):
    assert "observability" in CONTAINERS[name]["profiles"]


def test_prometheus_runs_alone_where_no_image_registry_answers():
    assert [name for name in CONTAINERS if "prometheus" in CONTAINERS[name].get("profiles", [])] == [
        "prometheus"
    ]


@pytest.mark.parametrize("name", [*PROCESSES, *JOBS, *PLAYED_BY_HAND])
def test_with_tls_every_process_verifies_its_servers(name):
    assert TLS[name]["environment"]["TLS_CA_FILE"] == "/run/secrets/tls_ca"
    assert "tls_ca" in TLS[name]["secrets"]


@pytest.mark.parametrize("name", TLS)
def test_with_tls_a_private_key_is_its_servers_alone(name):
    keys = [secret for secret in TLS[name].get("secrets", []) if secret.startswith("private_key_")]

    assert keys == [f"private_key_{name}"] * (name in SERVERS)


def test_tls_changes_nothing_of_how_containers_are_confined():
    changed = {setting for container in TLS.values() for setting in container}

    assert changed <= {"environment", "secrets", "volumes", "command", "entrypoint", "healthcheck"}


def test_who_reads_or_writes_photos_reaches_the_bucket_and_nobody_else_is_handed_its_key():
    assert set(S3["services"]) == {"registration", "identity", "gateway", "vssid"}
    for container in S3["services"].values():
        assert set(container) == {"networks", "environment", "secrets"}, "confined as before"
        assert container["networks"] == ["outside"]
        named = {file for value in container["environment"].values() for file in secret_files(value)}
        assert named == set(container["secrets"]) == set(S3["secrets"])


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_tls_adds_to_how_a_server_is_started(name):
    command = CONTAINERS[name]["command"]

    assert TLS[name]["command"][: len(command)] == command


@pytest.mark.parametrize("name", PROCESSES)
def test_every_setting_reaches_its_container(name):
    settings = importlib.import_module(f"services.{name}.settings").Settings
    given = {*CONTAINERS[name]["environment"], *TLS[name]["environment"]}
    given |= set(S3["services"].get(name, {"environment": {}})["environment"])
    handed = given | {variable.removesuffix("_FILE") for variable in given}

    assert {row.variable for row in describe(settings)} - handed == set()


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_file_that_a_setting_names_is_handed_to_its_container(name):
    container = CONTAINERS[name]
    named = {file for value in container.get("environment", {}).values() for file in secret_files(value)}
    handed = {s["target"] if isinstance(s, dict) else s for s in container.get("secrets", [])}

    assert named - handed == set()


def secret_files(value):
    return re.findall(r"/run/secrets/(\w+)", str(value))


@pytest.mark.parametrize(
    ("secret", "name"), [("SMTP_PASSWORD", "SMTP_USER"), ("DKIM_PRIVATE_KEY", "DKIM_SELECTOR")]
)
def test_a_secret_that_not_every_site_has_is_asked_for_once_its_name_is_set(secret, name):
    given = CONTAINERS["notification"]["environment"][f"{secret}_FILE"]

    assert given == f"${{{name}:+/run/secrets/{secret.lower()}}}"


@pytest.mark.parametrize("name", PROCESSES)
def test_how_many_replicas_there_are_outlives_the_next_start(name):
    assert CONTAINERS[name]["scale"] == f"${{{name.upper()}_REPLICAS:-1}}"


def test_whatever_profile_it_belongs_to_goes_down_with_the_rest():
    (line,) = re.findall(r"^EVERY_PROFILE := \$\(addprefix --profile ,(.+)\)$", MAKEFILE, re.MULTILINE)

    assert set(line.split()) == {
        p for container in CONTAINERS.values() for p in container.get("profiles", ())
    }
    assert "$(EVERY_PROFILE) down\n" in MAKEFILE
