"""Makes the secrets that docker-compose.yml hands out: ``python -m deploy.docker.secrets .run/compose``.

Made once and kept; a second call changes nothing but certificates that end soon, and what outside parties
handed out stays as the site wrote it. ``tls`` and ``plain`` behind the folder say from now on how the
containers talk; ``publish``, ``sign`` and ``forget`` are the steps of a rotation of the key that signs
tokens (``forget --now`` does not wait until those of the former key have run out), ``objects`` makes new
keys to which photos are sealed. ``production`` says that no stand-in starts any more. Run it as a module: as
a script it would hide Python's own ``secrets``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from deploy.docker import certificates
from deploy.native.keys import OBJECTS, PROCESSES, WITH_DATABASE, Keys, TokensValid, write_private
from deploy.native.layout import VHOST
from services.identity.devices import TOKENS_LIVE

READABLE = 0o444
"""In a folder that is closed to others: the processes in the containers are neither root nor the owner."""
HANDED_OUT = {
    "population_register_token",
    "smpp_password",
    "smtp_password",
    "dkim_private_key",
    "objects_s3_access_key_id",
    "objects_s3_secret_access_key",
}
"""Made for the stand-ins, or empty where these want none. Real parties hand out others, which the site writes
in their place."""

TLS = "tls"
"""File whose presence says that docker-compose.tls.yml is laid over docker-compose.yml."""


NOW = "--now"
"""Said beside ``forget``: not to wait."""

PRODUCTION = "production"
"""File whose presence says that the parties are real ones: the stand-ins do not start."""


class NotHandedOut(Exception):
    """Some secrets are still those that were made for the stand-ins."""


def write(folder: Path) -> None:
    """Write each secret as a file of its own into ``folder``/secrets; files that are right stay untouched."""
    keys = Keys.kept_in(folder / "keys")
    kept = folder / "secrets"
    kept.mkdir(exist_ok=True)
    kept.chmod(0o700)
    tls = (folder / TLS).exists()
    if tls:
        certificates.write(folder / "authority", kept, datetime.now(UTC), READABLE)
    for name, text in secrets(keys, tls):
        file = kept / name
        # A container holds the file it was started with: a new one in its place would not reach it.
        if not file.exists() or (name not in HANDED_OUT and file.read_text() != text):
            write_private(file, text, READABLE)
        if stat.S_IMODE(file.stat().st_mode) != READABLE:  # the site wrote it, for its own eyes
            file.chmod(READABLE)


def secrets(keys: Keys, tls: bool = False) -> Iterator[tuple[str, str]]:
    """Name and content of every secret in docker-compose.yml; with ``tls`` addresses are encrypted ones."""
    s = "s" if tls else ""
    broker = f"rabbitmq:{5671 if tls else 5672}/{VHOST}"
    management = f"rabbitmq:{15671 if tls else 15672}"
    yield "postgres_admin", keys["postgres_admin"]
    yield "redis.conf", f"requirepass {keys['redis']}\n"
    yield "redis_url", f"redis{s}://:{keys['redis']}@redis:6379/0"
    yield "rabbitmq_definitions.json", json.dumps(definitions(keys), indent=1)
    yield "topology_amqp_url", f"amqp{s}://admin:{keys['amqp_admin']}@{broker}"
    yield "topology_amqp_management_url", f"http{s}://admin:{keys['amqp_admin']}@{management}"
    yield "population_register_token", keys["register_token"]
    yield "smpp_password", keys["smpp"]
    yield "smtp_password", ""
    yield "dkim_private_key", ""
    yield "objects_s3_access_key_id", ""
    yield "objects_s3_secret_access_key", ""
    yield "grafana_admin", keys["grafana_admin"]
    yield "token_signing_key", keys["token_signing"]
    yield "token_public_keys", keys.token_public_keys()
    yield "audit_signing_key", keys["audit_signing"]
    yield "audit_public_keys", keys.audit_public_keys()
    for name in PROCESSES:
        yield f"amqp_password_{name}", keys[f"amqp_{name}"]
        yield f"{name}_amqp_url", f"amqp{s}://{name}:{keys[f'amqp_{name}']}@{broker}"
        yield f"{name}_seal_private", keys[f"seal_{name}"]
        yield f"seal_public_{name}", keys.seal_public(name)
    for place in OBJECTS:
        yield f"{place}_public", keys.seal_public(place)
        yield f"{place}_private", keys.objects_private(place)
    for name in WITH_DATABASE:
        password = keys[f"postgres_{name}"]
        yield f"postgres_{name}", password
        yield f"{name}_database_url", f"postgresql://{name}:{password}@postgres:5432/{name}"


def definitions(keys: Keys) -> dict[str, object]:
    """What RabbitMQ makes at each start: its administrator, who then makes all else."""
    return {
        "vhosts": [{"name": VHOST}],
        "users": [
            {
                "name": "admin",
                "password_hash": password_hash(keys["amqp_admin"]),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": ["administrator"],
            }
        ],
        "permissions": [{"user": "admin", "vhost": VHOST, "configure": ".*", "write": ".*", "read": ".*"}],
    }


def password_hash(password: str) -> str:
    """RabbitMQ's: a salt of four bytes, then SHA-256 over salt and password.

    The salt follows from the password, so that a second call writes the same: nobody guesses 192 random bits.
    """
    salt = hashlib.sha256(b"salt" + password.encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


STEPS = {
    "publish": Keys.publish_next,
    "sign": Keys.sign_with_next,
    "forget": Keys.forget_former,
    "objects": Keys.renew_object_keys,
}


def take(folder: Path, step: str, at_once: bool = False) -> None:
    """``tls`` or ``plain``, ``production``, or one step of a rotation, written into the secrets; containers
    see it when they are made anew. Raises ``NotHandedOut`` and, of ``forget`` unless ``at_once``,
    ``TokensValid``."""
    if step == "tls":
        (folder / TLS).touch()
    elif step == "plain":
        (folder / TLS).unlink(missing_ok=True)
    elif step == "production":
        write(folder)
        missing = not_handed_out(folder)
        if missing:
            raise NotHandedOut(
                f"still as made for the stand-ins: {', '.join(missing)}. Next: write what the parties handed"
                " out into these files of RUN/compose/secrets, then try again"
            )
        (folder / PRODUCTION).touch()
    else:
        kept = folder / "keys"
        if step == "forget" and not at_once:
            Keys.kept_in(kept).await_last_token(TOKENS_LIVE)
        STEPS[step](Keys.kept_in(kept), kept)
    write(folder)


def not_handed_out(folder: Path) -> list[str]:
    """Names of the secrets that a party has to hand out, and that are those of the stand-ins."""
    made = dict(secrets(Keys.kept_in(folder / "keys")))
    kept = folder / "secrets"
    return [name for name in sorted(HANDED_OUT) if made[name] and (kept / name).read_text() == made[name]]


def main(folder: Path, *steps: str) -> None:
    """Write all secrets, then take each step. Raises as ``take`` does."""
    write(folder)
    for step in steps:
        if step != NOW:
            take(folder, step, at_once=NOW in steps)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).resolve(), *sys.argv[2:])
    except (NotHandedOut, TokensValid) as problem:
        sys.exit(str(problem))
