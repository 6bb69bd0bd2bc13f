"""On what the figures were taken."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import psycopg

from deploy.native.instance import Instance

LIBRARIES = ("nameko", "kombu", "amqp", "eventlet", "psycopg", "faststream", "aio-pika", "uvloop")
QUIET_LOAD = 1.0


def describe(servers: Instance, load_before: float) -> dict[str, Any]:
    """Processor, memory, versions, PostgreSQL's fsync, and how busy the machine was before the run."""
    endpoints = servers.endpoints()
    overview = httpx.get(f"{endpoints['amqp_management']}/api/overview", timeout=10).json()
    with psycopg.connect(str(endpoints["postgres"])) as connection:
        settings = {
            name: connection.execute(f"SHOW {name}".encode()).fetchone()[0]  # type: ignore[index]
            for name in ("server_version", "fsync", "synchronous_commit")
        }
    return {
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "processor": _first("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(_first("/proc/meminfo", "MemTotal").split()[0]) / 2**20),
        "kernel": platform.release(),
        "file_system": _file_system(servers.run),
        "python": platform.python_version(),
        "rabbitmq": overview["rabbitmq_version"],
        "postgresql": settings.pop("server_version"),
        **settings,
        **{library: version(library) for library in LIBRARIES},
        "load_before": round(load_before, 2),
        "quiet": load_before < QUIET_LOAD,
    }


def _file_system(folder: Path) -> str:
    """The type of the mount that holds the folder: the longest mount point above it."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    above = [(point, kind) for point, kind in mounts if folder.is_relative_to(point)]
    return max(above, key=lambda mount: len(mount[0]))[1]


def _first(file: str, name: str) -> str:
    lines = Path(file).read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(name))
