import base64
import json
import os
import stat
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey
from nacl.public import PrivateKey, PublicKey, SealedBox

from deploy.native.keys import PROCESSES, Keys, write_private
from shared.objects import FolderObjects
from shared.sealed_objects import SealedObjects


def mode_of(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_may_read_the_secrets(tmp_path):
    Keys.kept_in(tmp_path / "secrets")

    assert mode_of(tmp_path / "secrets") == 0o700
    assert [mode_of(file) for file in (tmp_path / "secrets").iterdir()] == [0o600]


def test_a_private_file_that_others_could_read_becomes_private_when_written(tmp_path):
    file = tmp_path / "settings"
    file.touch(mode=0o644)

    write_private(file, "secret")

    assert (mode_of(file), file.read_text()) == (0o600, "secret")
    assert list(tmp_path.iterdir()) == [file]


def test_a_private_file_is_on_the_disk_before_it_takes_its_name_and_the_name_before_it_is_relied_on(
    tmp_path, monkeypatch
):
    done = []
    monkeypatch.setattr(os, "fsync", lambda file: done.append(os.readlink(f"/proc/self/fd/{file}")))
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda old, new: (done.append("named"), replace(old, new)))

    write_private(tmp_path / "keys.json", "secret")

    assert done == [str(tmp_path / f".keys.json.{os.getpid()}"), "named", str(tmp_path)]


def test_secrets_are_made_once(tmp_path):
    first, second = Keys.kept_in(tmp_path), Keys.kept_in(tmp_path)

    assert first["redis"] == second["redis"]
    assert first.token_public_keys() == second.token_public_keys()


def test_two_installations_share_no_secret(tmp_path):
    one, other = (json.loads((folder_with_keys(tmp_path / name)).read_text()) for name in ("one", "other"))

    assert not set(one.values()) & set(other.values())


def folder_with_keys(folder):
    Keys.kept_in(folder)
    return folder / "keys.json"


def test_a_secret_that_a_newer_version_needs_is_added_and_the_others_stay(tmp_path):
    before = json.loads(folder_with_keys(tmp_path).read_text())
    (tmp_path / "keys.json").write_text(json.dumps({k: v for k, v in before.items() if k != "smpp"}))

    after = json.loads(folder_with_keys(tmp_path).read_text())

    assert after.keys() == before.keys()
    assert {name for name in before if before[name] != after[name]} == {"smpp"}


def test_what_is_sealed_to_a_public_key_opens_with_its_private_key_only(tmp_path):
    keys = Keys.kept_in(tmp_path)
    for name in PROCESSES:
        sealed = SealedBox(PublicKey(base64.b64decode(keys.seal_public(name)))).encrypt(b"text")
        assert SealedBox(PrivateKey(base64.b64decode(keys[f"seal_{name}"]))).decrypt(sealed) == b"text"
    assert len({keys.seal_public(name) for name in PROCESSES}) == len(PROCESSES)


def test_what_was_sealed_before_the_keys_of_objects_were_renewed_still_opens(tmp_path):
    folders = [tmp_path / "objects", tmp_path / "keys"]
    old = Keys.kept_in(folders[1])
    publics, stored = [], []
    for _ in range(3):
        keys = Keys.kept_in(folders[1])
        publics.append(keys.seal_public("photos"))
        putting = SealedObjects(FolderObjects(folders[0]), public={"photos": publics[-1]})
        stored.append(putting.put(b"a photo", prefix="photos", max_bytes=9).ref)
        keys.renew_object_keys(folders[1])

    renewed = Keys.kept_in(folders[1]).objects_private("photos")

    opening = SealedObjects(FolderObjects(folders[0]), private={"photos": renewed})
    assert [opening.read(ref) for ref in stored] == [b"a photo"] * 3
    assert len(set(publics)) == 3
    assert renewed.split(",")[-1] == old["seal_photos"]


def test_the_published_keys_verify_a_token_and_cannot_sign_one(tmp_path):
    keys = Keys.kept_in(tmp_path)
    signing = OKPKey.import_key(json.loads(keys["token_signing"]))
    published = json.loads(keys.token_public_keys())
    header = {"alg": "Ed25519", "kid": signing.kid}
    token = jwt.encode(header, {"sub": "someone"}, signing, algorithms=["Ed25519"])

    claims = jwt.decode(token, KeySet.import_key_set(published), algorithms=["Ed25519"]).claims

    assert claims == {"sub": "someone"}
    assert signing.kid
    assert all("d" not in key for key in published["keys"])


def kids(keys):
    return [key["kid"] for key in json.loads(keys.token_public_keys())["keys"]]


def test_a_rotation_publishes_the_next_key_before_it_signs_and_the_old_one_until_it_is_forgotten(tmp_path):
    first = json.loads(Keys.kept_in(tmp_path)["token_signing"])["kid"]

    Keys.kept_in(tmp_path).publish_next(tmp_path)
    published = Keys.kept_in(tmp_path)
    assert json.loads(published["token_signing"])["kid"] == first
    assert kids(published)[0] == first
    following = kids(published)[1]

    Keys.kept_in(tmp_path).sign_with_next(tmp_path)
    signing = Keys.kept_in(tmp_path)
    assert json.loads(signing["token_signing"])["kid"] == following
    assert kids(signing) == [following, first]

    Keys.kept_in(tmp_path).forget_former(tmp_path)
    assert kids(Keys.kept_in(tmp_path)) == [following]


def test_a_rotation_that_is_begun_twice_makes_one_key(tmp_path):
    for _ in range(2):
        Keys.kept_in(tmp_path).publish_next(tmp_path)

    assert len(kids(Keys.kept_in(tmp_path))) == 2
    assert all("d" not in key for key in json.loads(Keys.kept_in(tmp_path).token_public_keys())["keys"])
