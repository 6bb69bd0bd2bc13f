"""Add a member of staff: ``vssid staff add --user lan --agency S001 --name "Lan"``.

Reads ``DATABASE_URL``. Without ``--password-file`` a password is generated and printed, once; so is the code
with which an authenticator app may be set up within 72 hours.
"""

from __future__ import annotations

import re
from pathlib import Path

import click

from services.identity import totp
from services.identity.domain import StaffAccount
from services.identity.parts import new_id, now
from services.identity.password_rules import SHORTEST
from services.identity.passwords import Passwords, generated
from services.identity.refusals import StaffUserTaken
from services.identity.settings import AddStaffSettings
from services.identity.storage import Storage
from shared.commands import settings_of, transaction_on

USER = re.compile(r"[a-z0-9][a-z0-9._-]{1,58}[a-z0-9]")
AGENCY = re.compile(r"[A-Za-z0-9-]{1,20}")
SECRET_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _password_in(file: Path) -> str:
    lines = file.read_text("utf-8").splitlines()
    password = lines[0] if lines else ""
    if len(password) < SHORTEST:
        raise click.BadParameter(
            f"its first line must be a password of {SHORTEST} characters or more",
            param_hint="--password-file",
        )
    return password


def _matching(pattern: re.Pattern[str], value: str, option: str, expected: str) -> str:
    if not pattern.fullmatch(value):
        raise click.BadParameter(expected, param_hint=option)
    return value


@click.command(help=__doc__)
@click.option("--user", required=True, help="user name: 3 to 60 of a-z, 0-9, dot, dash, underscore")
@click.option("--agency", required=True, help="code of the agency whose cases are seen")
@click.option("--name", required=True, help="name, as colleagues know it")
@click.option("--password-file", type=SECRET_FILE, help="file whose first line is the password")
def main(user: str, agency: str, name: str, password_file: Path | None) -> None:
    _matching(USER, user, "--user", "3 to 60 of a-z, 0-9, dot, dash, underscore")
    _matching(AGENCY, agency, "--agency", "an agency code such as S001")
    if not name.strip():
        raise click.BadParameter("must not be empty", param_hint="--name")
    url = settings_of(AddStaffSettings).database_url
    password = _password_in(password_file) if password_file else generated()
    hashed = Passwords(lambda function, *arguments: function(*arguments)).hashed(password)
    at, code = now(), totp.new_enrolment_code()
    staff = StaffAccount(
        new_id(),
        user,
        name.strip(),
        agency,
        hashed,
        enrolment_hash=totp.enrolment_hash(code),
        enrolment_until=at + totp.ENROLMENT_LASTS,
    )
    try:
        with transaction_on(url, "identity-add-staff") as tx:
            Storage(tx).add_staff(staff, at)
    except StaffUserTaken:
        raise click.ClickException(f"the user name {user} is taken") from None
    click.echo(f"added {user} at agency {agency}")
    click.echo(f"code for setting up an authenticator app, shown this once, good for 72 hours: {code}")
    if password_file is None:
        click.echo(f"password, shown this once: {password}")


if __name__ == "__main__":
    main()
