"""``vssid photos``: from the folder into the bucket that takes its place, encrypted as they lie."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.vssid import audit
from deploy.vssid.where import ObjectSettings, load
from shared.objects import REF, FolderObjects, Objects, ObjectsAway, ObjectUnknown
from shared.s3_objects import S3Objects


@click.group()
def photos() -> None:
    """Where photos lie."""


@photos.command("to-bucket")
def to_bucket() -> None:
    """Copy what lies in the object folder into the bucket of OBJECTS_S3_…, as far as it is not there yet.

    The folder stays as it is. Harmless twice, and while services run: docs/operations.md, In a bucket.
    """
    known = load(ObjectSettings)
    if known.bucket is None or not known.objects_dir:
        raise click.UsageError("from OBJECTS_DIR into the bucket of OBJECTS_S3_…: tell both")
    with audit.act("photos_copied", bucket=known.bucket.name) as act:
        try:
            act.outcome["copied"] = copied = copy(known.objects_dir, S3Objects(known.bucket))
        except ObjectsAway as away:
            raise click.ClickException(f"the bucket does not answer: {away.reason}; then once more") from None
    click.echo(f"{copied} copied into the bucket {known.bucket.name}; what was there already stayed")


def copy(folder: str, bucket: Objects) -> int:
    """How many objects of the folder were not in the bucket and are now. Raises ``ObjectsAway``."""
    source, count = FolderObjects(folder), 0
    for path in sorted(Path(folder).glob("[a-z]*/*")):
        ref = f"{path.parent.name}/{path.name}"
        if not REF.fullmatch(ref) or _is_in(bucket, ref):
            continue
        try:
            stream = source.open(ref)
        except ObjectUnknown:  # deleted meanwhile
            continue
        with stream:
            size_bytes = path.stat().st_size
            bucket.put(stream, prefix=path.parent.name, name=path.name, max_bytes=size_bytes)
        count += 1
    return count


def _is_in(bucket: Objects, ref: str) -> bool:
    try:
        bucket.open(ref).close()
    except ObjectUnknown:
        return False
    return True
