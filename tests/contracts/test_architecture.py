"""The direction of imports: kept by the tree, and each contract of ``.importlinter`` is known to fail.

Each planted violation is one import, added to a copy of the tree.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("services", "shared", "deploy")
SERVICES = ("registration", "identity", "notification", "history")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of all that the contracts look at."""
    copy = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=_all_but_python)
    shutil.copy(ROOT / ".importlinter", copy)
    (copy / "tests" / "contracts").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "contracts" / "only_contract.py", copy / "tests" / "contracts")
    return copy


def _all_but_python(folder: str, names: list[str]) -> set[str]:
    return {
        name
        for name in names
        if name in ("__pycache__", "tests") or not (name.endswith(".py") or (Path(folder) / name).is_dir())
    }


def file_of(service: str, module: str) -> str:
    """Where a module of a service is: a file, or a folder of them."""
    package = f"services/{service}/{module}/__init__.py"
    return package if (ROOT / package).exists() else f"services/{service}/{module}.py"


PLANTS = [
    ("shared", "shared/settings.py", "import services.registration.domain"),
    ("shared", "shared/events/envelope.py", "from services.identity import use_cases"),
    ("shared", "shared/settings.py", "import deploy.native.layout"),
    *[
        ("services-apart", f"services/{importer}/service.py", f"from services.{imported} import domain")
        for importer, imported in pairwise((*SERVICES, SERVICES[0]))
    ],
    ("services-apart", "services/gateway/app.py", "from services.registration import domain"),
    ("services-apart", "services/identity/domain.py", "import services.gateway.settings"),
    *[
        ("inside", file_of(service, importer), f"import services.{service}.{imported}")
        for service, importer, imported in [
            *[(service, "use_cases", "storage") for service in SERVICES],
            *[(service, "storage", "use_cases") for service in SERVICES],
            ("registration", "domain", "use_cases"),
            ("identity", "domain", "storage"),
            ("notification", "use_cases", "service"),
            ("history", "storage", "service"),
            ("identity", "population_register", "use_cases"),
            ("identity", "population_register", "storage"),
            ("registration", "photos", "use_cases"),
            ("notification", "sms", "storage"),
            ("notification", "email", "use_cases"),
            ("notification", "use_cases", "jobs"),
        ]
    ],
    ("inside", "services/history/a_new_file_without_a_place.py", "import json"),
    *[("domain", f"services/{service}/domain.py", "import marshmallow") for service in SERVICES],
    ("domain", "services/identity/domain.py", "from shared.events import identity"),
    ("domain", "services/identity/domain.py", "from shared import settings"),
    ("domain", "services/identity/domain.py", "import services.identity.use_cases"),
    ("use-cases", "services/identity/use_cases/cases.py", "from shared import settings"),
    ("use-cases", "services/identity/use_cases/cases.py", "import marshmallow"),
    ("use-cases", "services/identity/use_cases/cases.py", "from shared.messaging import topology"),
    *[
        ("use-cases-free", "services/notification/use_cases.py", f"import {framework}")
        for framework in ("nameko", "amqp", "eventlet", "psycopg", "psycopg_pool")
    ],
    ("use-cases-free", "shared/events/envelope.py", "import kombu"),
    ("use-cases-free", "shared/messaging/outbox.py", "from shared.messaging import topology"),
    ("use-cases-free", "services/identity/domain.py", "import redis.client"),
    ("nameko", "services/registration/storage.py", "import nameko"),
    ("nameko", "services/registration/use_cases.py", "from nameko.rpc import rpc"),
    ("nameko", "services/gateway/app.py", "import nameko.standalone.rpc"),
    ("nameko", "shared/settings.py", "from nameko import config"),
    ("gateway", "services/gateway/app.py", "import psycopg"),
    ("gateway", "services/gateway/rpc.py", "from shared import database"),
    ("gateway", "shared/objects.py", "import shared.database"),
    ("gateway", "shared/settings.py", "import nameko"),
]


@pytest.fixture(scope="module")
def said(tree: Path) -> list[str]:
    """What import-linter says of the copy, and then of it with each plant."""
    done = subprocess.run(
        [sys.executable, Path(__file__).parent / "planting.py"],
        input=json.dumps(PLANTS),
        cwd=tree,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stderr
    said: list[str] = json.loads(done.stdout)
    return said


def test_the_tree_keeps_every_contract(said):
    assert " 0 broken" in said[0], said[0]


@pytest.mark.parametrize("number", range(len(PLANTS)), ids=lambda number: " | ".join(PLANTS[number]))
def test_a_planted_import_breaks_its_contract(said, number):
    assert "Contracts: 0 kept, 1 broken" in said[number + 1], said[number + 1]


def test_every_contract_has_a_planted_violation():
    declared = {
        line.split(":")[-1].rstrip("]")
        for line in (ROOT / ".importlinter").read_text().splitlines()
        if line.startswith("[importlinter:contract:")
    }
    assert declared == {contract for contract, _, _ in PLANTS}


def test_the_gateway_has_no_domain_and_no_storage():
    names = {path.stem for path in (ROOT / "services" / "gateway").rglob("*.py")}
    assert not names & {"domain", "storage", "use_cases", "migrations"}


@pytest.mark.parametrize("service", SERVICES)
def test_importing_use_cases_loads_no_framework(service):
    """Also what a package's ``__init__`` brings along, which import-linter does not count."""
    heavy = "{'nameko', 'kombu', 'amqp', 'eventlet', 'psycopg', 'psycopg_pool', 'redis', 'flask'}"
    code = f"import sys, services.{service}.use_cases; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
