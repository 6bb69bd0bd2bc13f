"""Register a key of a voice platform: ``vssid hotline-clients add --client voice --key-file public.pem``.

Reads ``DATABASE_URL``. The file is an Ed25519 public key in PEM, as ``openssl pkey -pubout`` writes it. The
keyid of the platform's signatures is printed. A platform has two keys while it changes from one to the other.
"""

from __future__ import annotations

import hashlib
import re
from typing import BinaryIO

import click

from services.identity.hotline import HotlineKey, HotlineKeyTaken
from services.identity.parts import now
from services.identity.settings import HotlineClientsSettings
from services.identity.signatures import public_key
from services.identity.storage import Storage
from shared.commands import settings_of, transaction_on

CLIENT = re.compile(r"[a-z0-9][a-z0-9-]{1,38}[a-z0-9]")


@click.command(help=__doc__)
@click.option("--client", required=True, help="name of the platform: 3 to 40 of a-z, 0-9, dash")
@click.option(
    "--key-file",
    required=True,
    type=click.File("rb"),
    help="file with its public key, Ed25519 in PEM; - reads it from standard input",
)
def main(client: str, key_file: BinaryIO) -> None:
    if not CLIENT.fullmatch(client):
        raise click.BadParameter("3 to 40 of a-z, 0-9, dash", param_hint="--client")
    try:
        pem = public_key(key_file.read())
    except ValueError as wrong:
        raise click.BadParameter(str(wrong), param_hint="--key-file") from None
    url = settings_of(HotlineClientsSettings).database_url
    key = HotlineKey(f"{client}-{hashlib.sha256(pem.encode()).hexdigest()[:12]}", client, pem, now())
    try:
        with transaction_on(url, "identity-hotline-clients") as tx:
            Storage(tx).add_hotline_key(key)
    except HotlineKeyTaken:
        raise click.ClickException(f"the key is registered already, as {key.id}") from None
    click.echo(key.id)


if __name__ == "__main__":
    main()
