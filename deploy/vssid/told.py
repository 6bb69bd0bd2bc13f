"""What a native installation would tell its operator, as variables of the environment."""

from __future__ import annotations

from pathlib import Path

from shared.messaging.topology import SERVICES

AUDIT_SETTINGS = ("AUDIT_ANCHORS_DIR", "AUDIT_SIGNING_KEY", "AUDIT_PUBLIC_KEYS")
OF_THE_SITE = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "DATABASE_POOL_SIZE",
    "LOG_LEVEL",
    "OBJECTS_S3_ENDPOINT",
    "OBJECTS_S3_BUCKET",
    "OBJECTS_S3_REGION",
    "OBJECTS_S3_ACCESS_KEY_ID",
    "OBJECTS_S3_SECRET_ACCESS_KEY",
)


def told(run: Path) -> dict[str, str]:
    """The settings of ``vssid`` for the installation in ``run``."""
    from deploy.native.instance import Instance  # the service image holds no native installation

    layout = Instance(run).layout
    identity, notification = layout.environment("identity"), layout.environment("notification")
    return {
        "AMQP_URL": layout.amqp_url("admin"),
        "AMQP_MANAGEMENT_URL": layout.amqp_management_url,
        **{f"{service.upper()}_DATABASE_URL": layout.database_url(service) for service in SERVICES},
        "POSTGRES_ADMIN_URL": layout.admin_database_url(),
        "REDIS_URL": layout.redis_url,
        "OBJECTS_DIR": str(layout.objects_dir),
        "TOKEN_SIGNING_KEY": identity["TOKEN_SIGNING_KEY"],
        "TOKEN_PUBLIC_KEYS": identity["TOKEN_PUBLIC_KEYS"],
        **{name: identity[name] for name in (*AUDIT_SETTINGS, *OF_THE_SITE) if name in identity},
        **{f"{name.upper()}_OPS_URL": layout.http(f"ops_{name}") for name in (*SERVICES, "gateway")},
        "POPULATION_REGISTER_URL": identity["POPULATION_REGISTER_URL"],
        **{name: notification[name] for name in ("SMPP_HOST", "SMPP_PORT", "SMTP_HOST", "SMTP_PORT")},
        "AUDIT_FILE": str(run / "audit.jsonl"),
    }
