"""Where objects lie is said in one way, and a half of it is refused by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shared import object_settings, settings
from shared.object_settings import S3Settings, objects_of
from shared.objects import FolderObjects
from shared.s3_objects import S3Objects
from shared.settings import SettingsInvalid


@dataclass(frozen=True, kw_only=True)
class Settings(S3Settings):
    objects_dir: str = field(metadata={"help": "The folder."})


WHOLE = {
    "OBJECTS_S3_ENDPOINT": "https://s3.example:9000",
    "OBJECTS_S3_BUCKET": "photos",
    "OBJECTS_S3_ACCESS_KEY_ID": "an-id",
    "OBJECTS_S3_SECRET_ACCESS_KEY": "a-secret",
}


def load(folder: Path, **given: str) -> Settings:
    return settings.load(Settings, {"OBJECTS_DIR": str(folder), **given})


def test_without_a_bucket_the_folder_keeps_objects(tmp_path: Path) -> None:
    known = load(tmp_path)
    assert known.bucket is None
    store = objects_of(known, known.objects_dir)
    assert isinstance(store, FolderObjects)
    assert store.root == tmp_path


def test_with_one_the_bucket_does_and_nothing_of_its_key_shows(tmp_path: Path) -> None:
    known = load(tmp_path, **WHOLE)
    assert isinstance(objects_of(known, known.objects_dir), S3Objects)
    assert known.bucket is not None
    assert (known.bucket.name, known.bucket.region) == ("photos", "us-east-1")
    for shown in (repr(known), repr(known.bucket)):
        assert "a-secret" not in shown
        assert "an-id" not in shown


@pytest.mark.parametrize("missing", WHOLE)
def test_a_part_of_it_alone_is_refused_and_what_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    with pytest.raises(SettingsInvalid) as problem:
        load(tmp_path, **{name: value for name, value in WHOLE.items() if name != missing})
    assert [found.variable for found in problem.value.problems] == [missing]
    with pytest.raises(SettingsInvalid) as problem:
        load(tmp_path, **{missing: WHOLE[missing]})
    assert {found.variable for found in problem.value.problems} == set(WHOLE) - {missing}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OBJECTS_S3_ENDPOINT", "s3.example"),
        ("OBJECTS_S3_ENDPOINT", "ftp://s3.example"),
        ("OBJECTS_S3_ENDPOINT", "https://s3.example/photos"),
        ("OBJECTS_S3_ENDPOINT", "https://s3.example?x=1"),
        ("OBJECTS_S3_ENDPOINT", "https://id:secret@s3.example"),
        ("OBJECTS_S3_ENDPOINT", "https://s3.example:port"),
        ("OBJECTS_S3_ENDPOINT", "https://"),
        ("OBJECTS_S3_ENDPOINT", "https://[s3"),
        ("OBJECTS_S3_BUCKET", "photos/2026"),
        ("OBJECTS_S3_BUCKET", "Photos"),
        ("OBJECTS_S3_BUCKET", "qq"),
        ("OBJECTS_S3_BUCKET", "photos?acl"),
    ],
)
def test_what_is_malformed_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid) as problem:
        load(tmp_path, **WHOLE | {name: value})
    assert [found.variable for found in problem.value.problems] == [name]
    assert value not in str(problem.value)


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:8333", "https://s3.example/", "https://[::1]:9000"])
def test_an_endpoint_is_an_address_with_or_without_a_port(tmp_path: Path, endpoint: str) -> None:
    assert load(tmp_path, **WHOLE | {"OBJECTS_S3_ENDPOINT": endpoint}).bucket is not None


def test_with_a_ca_the_bucket_has_to_be_reached_encrypted(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid) as problem:
        S3Settings(
            tls_ca_file="/ca.pem",
            **{name.lower(): value for name, value in WHOLE.items() if name != "OBJECTS_S3_ENDPOINT"},
            objects_s3_endpoint="http://s3.example",
        )
    assert [found.variable for found in problem.value.problems] == ["OBJECTS_S3_ENDPOINT"]
    assert "TLS_CA_FILE" in problem.value.problems[0].reason


def test_together_are_all_but_the_region() -> None:
    assert {name.upper() for name in object_settings.TOGETHER} == set(WHOLE)
