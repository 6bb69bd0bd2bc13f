"""What the gateway must be told: where to listen, the broker, the photo store, the keys of the services."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

from shared.object_settings import S3Settings
from shared.settings import CommonSettings, SettingProblem, SettingsInvalid


@dataclass(frozen=True, kw_only=True)
class Settings(S3Settings, CommonSettings):
    """Settings of the gateway, from the environment."""

    objects_dir: str = field(
        metadata={"help": "folder (or mount) where uploaded photos are put; on their way to a bucket, too"}
    )
    quarantine_public: str = field(
        metadata={"help": "public key to which uploads are sealed, base64 (X25519); the gateway opens none"}
    )
    seal_private: str = field(repr=False, metadata={"help": "the gateway's own private key, base64 (X25519)"})
    seal_public_gateway: str = field(metadata={"help": "public key of the gateway, base64"})
    seal_public_identity: str = field(metadata={"help": "public key of identity, base64"})
    seal_public_registration: str = field(metadata={"help": "public key of registration, base64"})
    seal_public_history: str = field(metadata={"help": "public key of history, base64"})
    http_host: str = field(default="127.0.0.1", metadata={"help": "address of the public port"})
    http_port: int = field(default=8080, metadata={"help": "the public port"})
    http_certificate_file: str = field(
        default="", metadata={"help": "file with the certificate (PEM, its chain behind it); then HTTPS only"}
    )
    http_key_file: str = field(
        default="", metadata={"help": "file with the private key of that certificate (PEM)", "secret": False}
    )
    http_threads: int = field(default=32, metadata={"help": "requests answered at once"})
    trusted_proxies: int = field(
        default=0,
        metadata={
            "help": "proxies of the site's own that stand before the gateway, one behind the other; the"
            " client's address is what they say in X-Forwarded-For. 0: the header is not believed",
            "least": 0,
        },
    )
    deadline_seconds: float = field(default=5.0, metadata={"help": "longest wait for a service"})
    photo_max_bytes: int = field(default=8 * 1024 * 1024, metadata={"help": "largest photo accepted"})

    def __post_init__(self) -> None:
        """Raises ``SettingsInvalid`` for a certificate that could not be shown to anybody."""
        super().__post_init__()
        if self.http_certificate_file or self.http_key_file:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                    self.http_certificate_file, self.http_key_file, password=""
                )
            except OSError:
                expected = "two files that can be read and belong together, PEM, the key without a password"
                names = "HTTP_CERTIFICATE_FILE, HTTP_KEY_FILE"
                raise SettingsInvalid((SettingProblem(names, "unusable", expected, ""),)) from None
