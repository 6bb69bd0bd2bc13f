"""``vssid keys``: another key signs tokens, and nobody is logged out; other keys for photos."""

from __future__ import annotations

import click

from deploy.vssid import audit
from deploy.vssid.where import native_folder

VERIFIERS = ("history", "identity")
TOKENS_LIVE_MINUTES = 60


@click.group()
def keys() -> None:
    """The key that signs tokens: rotate, forget; those of photos: objects. Containers: docs/operations.md."""


@keys.command()
def rotate() -> None:
    """Publish a new key, sign with it once everybody knows it. Tokens of the old one stay valid."""
    run = _folder()
    from deploy.native.instance import Instance
    from deploy.native.keys import Keys

    with audit.act("keys_rotated"):
        secrets = run / "secrets"
        Keys.kept_in(secrets).publish_next(secrets)
        for service in VERIFIERS:
            _restart(Instance(run), service)
        Keys.kept_in(secrets).sign_with_next(secrets)
        for service in VERIFIERS:
            _restart(Instance(run), service)
    click.echo(f"The new key signs. In {TOKENS_LIVE_MINUTES} minutes: vssid keys forget")


@keys.command()
def forget() -> None:
    """Publish former keys no more: tokens of theirs have run out, an hour after the rotation."""
    run = _folder()
    from deploy.native.instance import Instance
    from deploy.native.keys import Keys

    with audit.act("keys_forgotten"):
        secrets = run / "secrets"
        Keys.kept_in(secrets).forget_former(secrets)
        for service in VERIFIERS:
            _restart(Instance(run), service)
    click.echo("One key is published.")


@keys.command()
def objects() -> None:
    """Seal photos to new keys. The former ones go on opening what was sealed to them."""
    run = _folder()
    from deploy.native.instance import Instance
    from deploy.native.keys import Keys

    with audit.act("object_keys_renewed"):
        secrets = run / "secrets"
        Keys.kept_in(secrets).renew_object_keys(secrets)
        for service in (
            "identity",
            "registration",
            "gateway",
        ):  # who opens is first
            _restart(Instance(run), service)
    click.echo("Photos are sealed to new keys.")


def _folder():  # noqa: ANN202 - a folder
    run = native_folder()
    if run is None:
        raise click.UsageError(
            "for a native installation: RUN=.run vssid keys …; docs/operations.md tells how in containers"
        )
    return run


def _restart(instance, service: str) -> None:  # noqa: ANN001 - its module is not in the service image
    instance.supervision.stop([service])
    instance.up()
