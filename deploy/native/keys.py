"""Makes the passwords and keys of one installation once, and keeps them for its owner alone."""

import base64
import json
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from joserfc.jwk import OKPKey
from nacl.public import PrivateKey

PROCESSES = ("registration", "identity", "notification", "history", "gateway")
WITH_DATABASE = ("registration", "identity", "notification", "history")
OBJECTS = ("quarantine", "photos")
"""Places of the object store, each with a pair of keys of its own."""


def _password() -> str:
    return secrets.token_urlsafe(24)


def _box_key() -> str:
    return base64.b64encode(bytes(PrivateKey.generate())).decode()


def _signing_key() -> str:
    key = OKPKey.generate_key("Ed25519", {"alg": "Ed25519", "use": "sig", "kid": secrets.token_hex(8)})
    return json.dumps(key.as_dict(private=True))


MAKERS: dict[str, Callable[[], str]] = {
    "amqp_admin": _password,
    **{f"amqp_{name}": _password for name in PROCESSES},
    "erlang_cookie": _password,
    "postgres_admin": _password,
    **{f"postgres_{service}": _password for service in WITH_DATABASE},
    "redis": _password,
    "supervisor": _password,
    "register_token": _password,
    "grafana_admin": _password,
    "smpp": lambda: secrets.token_hex(4),  # SMPP 3.4 allows eight characters
    **{f"seal_{name}": _box_key for name in (*PROCESSES, *OBJECTS)},
    "token_signing": _signing_key,
    "audit_signing": _signing_key,
}


class TokensValid(Exception):
    """Tokens of a former key may be valid still. The text says until when, and what to do."""


class Keys:
    """The secrets of one installation, by name; private halves are stored, public ones derived."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    @classmethod
    def kept_in(cls, folder: Path) -> "Keys":
        """Read the secrets of `folder`, making those that are not there yet."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        file = folder / "keys.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        missing = {name: make() for name, make in MAKERS.items() if name not in known}
        if missing:
            known |= missing
            write_private(file, json.dumps(known, indent=1) + "\n")
        return cls(known)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def seal_public(self, name: str) -> str:
        private = PrivateKey(base64.b64decode(self[f"seal_{name}"]))
        return base64.b64encode(bytes(private.public_key)).decode()

    def objects_private(self, place: str) -> str:
        """What opens objects of ``place``: the key of today and former ones, parted by commas."""
        return ",".join([self[f"seal_{place}"], *json.loads(self._values.get(f"former_{place}", "[]"))])

    def renew_object_keys(self, folder: Path) -> None:
        """Objects are sealed to new keys from now on. The former ones stay, for what was sealed to them."""
        changes = {}
        for place in OBJECTS:
            former = self.objects_private(place).split(",")
            changes |= {f"former_{place}": json.dumps(former), f"seal_{place}": _box_key()}
        self._keep(folder, changes)

    def token_public_keys(self) -> str:
        """The JWKS with which anybody may verify a token: the key that signs, the next one, former ones."""
        held = (self["token_signing"], self._values.get("token_next"))
        former = json.loads(self._values.get("token_former", "[]"))
        return json.dumps({"keys": [*(_public(key) for key in held if key), *former]})

    def audit_public_keys(self) -> str:
        """The JWKS with which anybody may verify the audit trail's anchors."""
        return json.dumps({"keys": [_public(self["audit_signing"])]})

    def publish_next(self, folder: Path) -> None:
        """Rotation, first step: the next signing key exists and is published; the old one still signs."""
        self._keep(folder, {"token_next": self._values.get("token_next") or _signing_key()})

    def sign_with_next(self, folder: Path) -> None:
        """Second step, once everybody knows the next key: it signs. Tokens of the old one stay valid."""
        former = [_public(self["token_signing"]), *json.loads(self._values.get("token_former", "[]"))]
        following = self._values["token_next"]
        self._keep(
            folder,
            {
                "token_signing": following,
                "token_next": "",
                "token_former": json.dumps(former),
                "token_signs_since": datetime.now(UTC).isoformat(),
            },
        )

    @property
    def signs_since(self) -> datetime | None:
        """When the last rotation was, while the key before it is published. None where that is not known."""
        since = self._values.get("token_signs_since")
        return datetime.fromisoformat(since) if since else None

    def await_last_token(self, tokens_live: timedelta) -> None:
        """Raises TokensValid while a token of a former key may count."""
        left = self.signs_since and self.signs_since + tokens_live - datetime.now(UTC)
        if left and left.total_seconds() > 0:
            raise TokensValid(
                "tokens of the former key may be valid still, and a first password's session would be over: "
                f"again in {left.seconds // 60 + 1} minutes, or with --now, as when that key has leaked"
            )

    def forget_former(self, folder: Path) -> None:
        """Last step, once no token of theirs lives: former keys are published no more."""
        self._keep(folder, {"token_former": "[]", "token_signs_since": ""})

    def _keep(self, folder: Path, changes: dict[str, str]) -> None:
        self._values = {name: value for name, value in (self._values | changes).items() if value}
        write_private(folder / "keys.json", json.dumps(self._values, indent=1) + "\n")


def _public(signing_key: str) -> dict[str, object]:
    return dict(OKPKey.import_key(json.loads(signing_key)).as_dict(private=False))


def write_private(file: Path, text: str, mode: int = 0o600) -> None:
    """Write a file that nobody else may read, at no moment, and that is either old or new, never half.

    On return it is on the disk: what is sealed with a key that a power cut takes away is lost."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as out:
        os.fchmod(out.fileno(), mode)
        out.write(text)
        out.flush()
        os.fsync(descriptor)
    draft.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # of the new name
    finally:
        os.close(folder)
