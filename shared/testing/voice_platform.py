"""A voice platform as the hotline has it: signs its requests, and hears the password in a script."""

from __future__ import annotations

import json
import re
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver, algorithms

from shared.testing.client import ProblemSeen

PATH = "/v1/hotline/password-reissues"
COVERED = ("@method", "@path", "content-digest")
SPOKEN = re.compile(r"\d \d(?:, \d \d){4}")


@dataclass
class VoicePlatform:
    """Calls the gateway at ``base_url`` with the key ``key_id``."""

    base_url: str = "http://gateway.invalid"
    key_id: str = ""
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate, repr=False)

    @property
    def public_key(self) -> bytes:
        """What an operator registers, PEM."""
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def signed(
        self,
        caller: str,
        code: str,
        *,
        idempotency_key: str | None = None,
        nonce: str | None = None,
        age: timedelta = timedelta(0),
        covered: tuple[str, ...] = COVERED,
    ) -> httpx.Request:
        """A request, signed ``age`` ago; without ``nonce`` with a new one."""
        headers = {"Content-Type": "application/json"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
            covered = (*covered, "idempotency-key")
        body = json.dumps({"caller": caller, "code": code}).encode()
        request = httpx.Request("POST", self.base_url + PATH, content=body, headers=headers)
        keys = MappingKeyResolver(public_keys={}, private_keys={self.key_id: self.key})
        signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=keys)
        signer.sign(
            request,
            key_id=self.key_id,
            created=datetime.now(UTC) - age,
            nonce=nonce or secrets.token_urlsafe(24),
            covered_component_ids=covered,
            body=body,
        )
        return request

    def send(self, request: httpx.Request) -> httpx.Response:
        """Send it as it is."""
        with httpx.Client(timeout=30.0) as http:
            return http.send(request)

    def reissue(self, caller: str, code: str, idempotency_key: str | None = None) -> dict[str, Any]:
        """The script for a caller. Raises ``ProblemSeen`` with what is to be read instead."""
        key = idempotency_key or str(uuid.uuid4())
        response = self.send(self.signed(caller, code, idempotency_key=key))
        if response.status_code != 200:
            raise ProblemSeen(response.status_code, response.json())
        script: dict[str, Any] = response.json()
        return script


def heard(text: str) -> str:
    """The password that a caller writes down. Raises ``ValueError`` unless it is said twice, the same."""
    first, again = (re.sub(r"\D", "", said) for said in SPOKEN.findall(text))
    if first != again:
        raise ValueError("two passwords were read")
    return first
