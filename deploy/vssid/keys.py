"""``vssid keys``: another key signs tokens, and nobody is logged out; other keys for photos."""

from __future__ import annotations

import click

from deploy.vssid import audit
from deploy.vssid.where import native_folder
from services.identity.devices import TOKENS_LIVE

VERIFIERS = ("history", "identity")


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
    click.echo(f"The new key signs. In {TOKENS_LIVE.seconds // 60} minutes: vssid keys forget")


@keys.command()
@click.option(
    "--now", "at_once", is_flag=True, help="Not to wait: whoever holds a token of theirs is refused."
)
def forget(at_once: bool) -> None:
    """Publish former keys no more: tokens of theirs have run out, 65 minutes after the rotation."""
    run = _folder()
    from deploy.native.instance import Instance
    from deploy.native.keys import Keys, TokensValid

    secrets = run / "secrets"
    if not at_once:
        try:
            Keys.kept_in(secrets).await_last_token(TOKENS_LIVE)
        except TokensValid as problem:
            raise click.ClickException(str(problem)) from None
    with audit.act("keys_forgotten", at_once=at_once):
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
