"""Chooses where objects lie, by the settings: in a folder, or in a bucket of an S3 server."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.objects import FolderObjects, Objects
from shared.settings import FromEnvironment, SettingProblem, SettingsInvalid

if TYPE_CHECKING:
    from shared.s3_objects import Bucket

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
TOGETHER = (
    "objects_s3_endpoint",
    "objects_s3_bucket",
    "objects_s3_access_key_id",
    "objects_s3_secret_access_key",
)
"""All of them, or none."""


@dataclass(frozen=True, kw_only=True)
class S3Settings(FromEnvironment):
    """The bucket that takes the place of the object folder, where there is one."""

    objects_s3_endpoint: str = field(
        default="",
        metadata={
            "help": "S3 server that keeps the objects, http(s)://host[:port]; empty: the folder keeps them."
        },
    )
    objects_s3_bucket: str = field(default="", metadata={"help": "Bucket there; it has to exist."})
    objects_s3_region: str = field(default="us-east-1", metadata={"help": "Region that requests name."})
    objects_s3_access_key_id: str = field(default="", metadata={"help": "Id of the key for the bucket."})
    objects_s3_secret_access_key: str = field(default="", metadata={"help": "The key's secret."})

    def __post_init__(self) -> None:
        """Raises ``SettingsInvalid``: some of them without the others, or malformed."""
        super().__post_init__()
        missing = [name for name in TOGETHER if not getattr(self, name)]
        if len(missing) == len(TOGETHER):
            return
        hint = f"{', '.join(map(str.upper, TOGETHER))}: all of them, or none."
        problems = [SettingProblem(name.upper(), "missing", "a value", hint) for name in missing]
        if self.objects_s3_endpoint and not _is_endpoint(self.objects_s3_endpoint):
            expected = "http(s)://host[:port], nothing behind it"
            problems.append(SettingProblem("OBJECTS_S3_ENDPOINT", "malformed", expected, ""))
        elif self.tls_ca_file and self.objects_s3_endpoint.startswith("http:"):
            wrong = "is not encrypted, though TLS_CA_FILE is given"
            problems.append(SettingProblem("OBJECTS_S3_ENDPOINT", wrong, "https://host[:port]", ""))
        if self.objects_s3_bucket and not BUCKET.fullmatch(self.objects_s3_bucket):
            expected = "3 to 63 lower-case letters, digits, dots and dashes"
            problems.append(SettingProblem("OBJECTS_S3_BUCKET", "malformed", expected, ""))
        if problems:
            raise SettingsInvalid(tuple(problems))

    @property
    def bucket(self) -> Bucket | None:
        """The bucket; None where objects are kept in a folder."""
        if not self.objects_s3_endpoint:
            return None
        from shared.s3_objects import Bucket  # its libraries only where there is one

        return Bucket(
            self.objects_s3_endpoint,
            self.objects_s3_bucket,
            self.objects_s3_region,
            self.objects_s3_access_key_id,
            self.objects_s3_secret_access_key,
            self.tls_ca_file,
        )


def objects_of(settings: S3Settings, folder: str) -> Objects:
    """The store of these settings: the bucket, uploads to which are gathered in ``folder``, or the folder."""
    bucket = settings.bucket
    if bucket is None:
        return FolderObjects(folder)
    from shared.s3_objects import S3Objects

    return S3Objects(bucket, folder)


def _is_endpoint(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    bare = parts._replace(path=parts.path.removesuffix("/")).geturl()
    return bool(
        parts.scheme in ("http", "https")
        and parts.hostname
        and "@" not in parts.netloc
        and bare == f"{parts.scheme}://{parts.netloc}"
    )
