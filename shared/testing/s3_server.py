"""A private S3 server on loopback (SeaweedFS), with a folder and keys of its own, for tests."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import httpx
from aws_request_signer import AwsRequestSigner

from shared import tls
from shared.s3_objects import Bucket
from shared.testing.processes import free_port, until

PROGRAM = Path(sys.executable).with_name("weed")
REGION = "us-east-1"
OWNER = ("the-owner", "secret-of-the-owner")
KEY = ("the-product", "secret-of-the-product")
"""Id and secret of who makes buckets, and of the key that docs/operations.md asks for."""
IDENTITIES = {
    "identities": [
        {
            "name": name,
            "credentials": [{"accessKey": name, "secretKey": secret}],
            "actions": actions,
        }
        for (name, secret), actions in ((OWNER, ["Admin"]), (KEY, ["Read", "Write", "List"]))
    ]
}


class S3Server:
    """Started by ``start``, ended by ``kill``; ``bucket`` makes one. With the CA of ``certificate.pem`` and
    ``key.pem`` in the folder it speaks TLS."""

    def __init__(self, folder: Path, ca_file: str = "") -> None:
        self.folder = folder
        self.ca_file = ca_file
        self.port = free_port()
        self.endpoint = f"http{'s' * bool(ca_file)}://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        identities = self.folder / "identities.json"
        identities.write_text(json.dumps(IDENTITIES))
        parts = ("master", "volume", "filer")
        ports = [f"-{part}.port{kind}={free_port()}" for part in parts for kind in ("", ".grpc")]
        files = {"config": identities}
        if self.ca_file:
            files |= {"cert.file": self.folder / "certificate.pem", "key.file": self.folder / "key.pem"}
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    PROGRAM, "-logtostderr", "server", f"-dir={self.folder / 'data'}",
                    "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *ports, "-filer",
                    "-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=2000",
                    "-s3", f"-s3.port={self.port}", f"-s3.port.grpc={free_port()}", "-s3.iam=false",
                    "-s3.port.iceberg=0", "-s3.port.lance=0",
                    *(f"-s3.{name}={file}" for name, file in files.items()),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        until(self._is_up, 60, lambda: f"the S3 server did not start; see {self.folder / 'log'}")

    def kill(self) -> None:
        """kill -9."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def bucket(self, name: str) -> Bucket:
        """Make a bucket; the answer is for who has the product's key."""
        assert self.ask("PUT", name).is_success
        return Bucket(self.endpoint, name, REGION, *KEY, self.ca_file)

    def keep_former_versions(self, name: str, status: str = "Enabled") -> None:
        """From now on what is deleted or put again stays in this bucket as a former version; ``Suspended``:
        as before, and only those there are already stay."""
        body = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>"
        assert self.ask("PUT", f"{name}?versioning=", body.encode()).is_success

    def ask(self, method: str, what: str, body: bytes = b"") -> httpx.Response:
        """One request as the owner of all buckets; ``what`` is a bucket, or ``bucket/key``."""
        url = f"{self.endpoint}/{what}"
        signed = AwsRequestSigner(REGION, *OWNER, "s3").sign_with_headers(
            method, url, content_hash=hashlib.sha256(body).hexdigest()
        )
        verifying = tls.context(self.ca_file)
        return httpx.request(method, url, headers=signed, content=body, verify=verifying, trust_env=False)

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the S3 server ended; see {self.folder / 'log'}"
        try:
            return self.ask("HEAD", "no-such-bucket").status_code == 404
        except httpx.HTTPError:
            return False
