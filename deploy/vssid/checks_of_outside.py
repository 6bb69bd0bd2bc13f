"""Outside parties and the object store: do they answer from here? Nothing of a person is asked or sent."""

from __future__ import annotations

import os
import shutil
import smtplib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx

from deploy.vssid.findings import Finding, not_looked_at, note, well, wrong
from deploy.vssid.where import OutsideSettings, load
from shared.objects import ObjectsAway
from shared.s3_objects import S3Objects

SECONDS = 5.0
LITTLE_ROOM = 0.1
NO_ROOM = 0.02
"""Parts of the object store's disk that are free."""
SERVER_ERROR = 500


def outside_checks() -> Iterator[Finding]:
    """Each on its own."""
    known = load(OutsideSettings)
    yield sms_centre(known)
    yield register(known)
    yield mail_server(known)
    if known.bucket is None:
        yield object_folder(known.objects_dir)
    else:
        yield from bucket(S3Objects(known.bucket))


def sms_centre(known: OutsideSettings) -> Finding:
    """Whether its port takes a connection; its session is notification's alone."""
    what = "SMS centre"
    if not known.smpp_host or not known.smpp_port:
        return _unknown(what, "SMPP_HOST", "SMPP_PORT")
    try:
        socket.create_connection((known.smpp_host, known.smpp_port), timeout=SECONDS).close()
    except OSError as error:
        to_do = "call the provider; is the line up? SMS wait meanwhile and are tried again"
        return wrong(what, f"takes no connection: {type(error).__name__}", to_do)
    return well(what, "takes connections")


def register(known: OutsideSettings) -> Finding:
    """Whether it answers at all, whatever it answers to a question without a token."""
    what = "population register"
    if not known.population_register_url:
        return _unknown(what, "POPULATION_REGISTER_URL")
    to_do = "call its operator; registrations go on with photos and are checked later"
    try:
        status = httpx.get(known.population_register_url, timeout=SECONDS).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return wrong(what, f"does not answer: {type(error).__name__}", to_do)
    return wrong(what, f"answers {status}", to_do) if status >= SERVER_ERROR else well(what, "answers")


def mail_server(known: OutsideSettings) -> Finding:
    """Whether it greets, and encrypts where that is wanted. No mail is sent, nobody logs in."""
    what = "mail server"
    if not known.smtp_host or not known.smtp_port:
        return _unknown(what, "SMTP_HOST", "SMTP_PORT")
    try:
        with smtplib.SMTP(known.smtp_host, known.smtp_port, timeout=SECONDS) as connection:
            if known.smtp_starttls:
                connection.starttls(context=ssl.create_default_context())
            connection.noop()
    except (OSError, smtplib.SMTPException) as error:
        to_do = "is it up, SMTP_HOST right, its certificate valid? Codes and letters wait meanwhile"
        return wrong(what, f"does not answer: {type(error).__name__}", to_do)
    return well(what, "answers")


def object_folder(folder: str) -> Finding:
    """Whether the photos' folder is there, may be read, and has room."""
    what = "object store"
    if not folder:
        return _unknown(what, "OBJECTS_DIR")
    if not Path(folder).is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        return wrong(what, "its folder cannot be read", "mount it; are OBJECTS_DIR and its owner right?")
    disk = shutil.disk_usage(folder)
    free = disk.free / disk.total
    found = f"{disk.free / 1e9:.1f} GB free, {free:.0%}"
    if free < NO_ROOM:
        return wrong(what, found, "make room: soon no photo can be taken in")
    if free < LITTLE_ROOM:
        return note(what, found, "make room before it is full")
    return well(what, found)


def bucket(store: S3Objects) -> Iterator[Finding]:
    """Whether the photos' bucket lets us in, and whether what is deleted there is gone."""
    what = "object store"
    try:
        store.listed("photos", after="", limit=1)
    except ObjectsAway as away:
        to_do = "is it up, are OBJECTS_S3_… right, may the key list? No photo is taken in meanwhile"
        yield wrong(what, f"the bucket does not answer: {away.reason}", to_do)
        return
    yield well(what, "the bucket answers")
    what = "deleted photos"
    try:
        keeps = store.keeps_former_versions()
    except ObjectsAway as away:
        yield not_looked_at(
            what, f"the key may not ask: {away.reason}", "let it read whether versions are kept"
        )
        return
    if keeps:
        to_do = "have the bucket expire former versions: docs/operations.md, In a bucket"
        yield note(what, "the bucket keeps them as former versions", to_do)
    else:
        yield well(what, "the bucket keeps no former versions")


def _unknown(what: str, *variables: str) -> Finding:
    names = " and ".join(variables)
    to_do = f"tell them as notification or identity is told, where that network can be reached: {names}"
    return not_looked_at(what, f"{names} not told here", to_do)
