"""What the gateway must be told: where to listen, the broker, the photo store, the keys of the services."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.settings import CommonSettings


@dataclass(frozen=True, kw_only=True)
class Settings(CommonSettings):
    """Settings of the gateway, from the environment."""

    objects_dir: str = field(metadata={"help": "folder (or mount) where uploaded photos are put"})
    seal_private: str = field(repr=False, metadata={"help": "the gateway's own private key, base64 (X25519)"})
    seal_public_gateway: str = field(metadata={"help": "public key of the gateway, base64"})
    seal_public_identity: str = field(metadata={"help": "public key of identity, base64"})
    seal_public_registration: str = field(metadata={"help": "public key of registration, base64"})
    seal_public_history: str = field(metadata={"help": "public key of history, base64"})
    http_host: str = field(default="127.0.0.1", metadata={"help": "address of the public port"})
    http_port: int = field(default=8080, metadata={"help": "the public port"})
    http_threads: int = field(default=32, metadata={"help": "requests answered at once"})
    deadline_seconds: float = field(default=5.0, metadata={"help": "longest wait for a service"})
    photo_max_bytes: int = field(default=8 * 1024 * 1024, metadata={"help": "largest photo accepted"})
