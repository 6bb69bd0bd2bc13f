import pytest
from click.testing import CliRunner

from deploy.native import __main__ as command_line
from deploy.native import site
from deploy.native.keys import PROCESSES, Keys
from deploy.native.layout import Layout
from deploy.native.machine import NotReady
from deploy.native.ports import NAMES


@pytest.fixture
def layout(tmp_path) -> Layout:
    return Layout(
        tmp_path, {name: 20_000 + at for at, name in enumerate(NAMES)}, Keys.kept_in(tmp_path / "s")
    )


@pytest.fixture
def written(layout):
    return (layout.run / site.FILE).write_text


@pytest.mark.parametrize("process", PROCESSES)
def test_every_process_is_told_of_the_collector_of_traces_that_up_was_told_of(layout, process, monkeypatch):
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in layout.environment(process)

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")

    assert layout.environment(process)["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:4318"


@pytest.mark.parametrize(
    ("process", "name", "value"),
    [
        ("identity", "STAFF_TOTP", "true"),
        ("identity", "LOG_IN_TRIES_PER_ADDRESS", "5/minute"),
        ("registration", "CHECK_ADDRESS_LIMIT", "7/hour"),
        ("notification", "SMS_PER_DAY", "4"),
        ("gateway", "TRUSTED_PROXIES", "1"),
    ],
)
@pytest.mark.parametrize("by", ["file", "environment"])
def test_what_the_site_sets_reaches_the_process_that_reads_it(
    layout, written, monkeypatch, process, name, value, by
):
    if by == "file":
        written(f"# of this site\n\n {name} = {value}\n")
    else:
        monkeypatch.setenv(name, value)

    assert layout.environment(process)[name] == value
    assert name not in layout.environment("history")


def test_what_the_environment_says_overrides_the_file_for_that_call(layout, written, monkeypatch):
    written("LOG_LEVEL=ERROR\n")
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")

    assert layout.environment("identity")["LOG_LEVEL"] == "DEBUG"


def test_addresses_and_secrets_inside_stay_the_installations_own(layout, written, monkeypatch):
    usual = layout.environment("identity")
    written("DATABASE_URL=postgresql://elsewhere/db\nSEAL_PRIVATE=another\n")
    monkeypatch.setenv("OPS_HOST", "0.0.0.0")

    assert layout.environment("identity") == usual


def test_what_is_no_setting_is_named_without_its_value(layout, written):
    written("STAFF_TOPT=hush\nLOG_LEVEL\n")

    with pytest.raises(NotReady, match="STAFF_TOPT, LOG_LEVEL") as refused:
        layout.environment("identity")

    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("action", ["up", "restart"])
def test_what_up_and_restart_were_told_is_kept_for_who_restarts_next(tmp_path, monkeypatch, action):
    monkeypatch.setattr(f"deploy.native.instance.Instance.{action}", lambda *_: None)
    monkeypatch.setattr("deploy.native.instance.Instance.endpoints", lambda _: {"gateway": ""})
    (tmp_path / site.FILE).write_text("# mine\nLOG_LEVEL=ERROR\nSMS_PER_DAY=4")
    told = {"STAFF_TOTP": "true", "LOG_LEVEL": "INFO", "OBJECTS_S3_BUCKET": "photos", "AMQP_URL": "amqp://x"}

    done = CliRunner().invoke(command_line.cli, [action, "--run", str(tmp_path)], env=told)

    assert done.exit_code == 0, done.output
    kept = (tmp_path / site.FILE).read_text()
    assert kept.startswith("# mine\nSMS_PER_DAY=4\n")
    del told["AMQP_URL"]  # the installation's own
    assert site.settings(tmp_path, {}) == {**told, "SMS_PER_DAY": "4"}
    assert (tmp_path / site.FILE).stat().st_mode & 0o077 == 0, "a bucket's key may stand in it"


def test_an_empty_value_takes_a_line_out(tmp_path):
    site.keep(tmp_path, {"LOG_LEVEL": "DEBUG", "STAFF_TOTP": "true"})
    site.keep(tmp_path, {"LOG_LEVEL": ""})

    assert site.settings(tmp_path, {}) == {"STAFF_TOTP": "true"}
