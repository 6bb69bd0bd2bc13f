"""The in-memory twin of ``storage.Storage``, part by part: ``integration/storage`` runs one suite on both."""

from __future__ import annotations

from services.identity.tests.unit.fakes.cases import FakeCases
from services.identity.tests.unit.fakes.credentials import FakeCredentials
from services.identity.tests.unit.fakes.devices import FakeDevices
from services.identity.tests.unit.fakes.email_resets import FakeEmailResets
from services.identity.tests.unit.fakes.guardianships import FakeGuardianships
from services.identity.tests.unit.fakes.hotline import FakeHotline
from services.identity.tests.unit.fakes.people import FakePeople
from services.identity.tests.unit.fakes.rights import FakeRights
from services.identity.tests.unit.fakes.staff import FakeStaff
from services.identity.tests.unit.fakes.trail import FakeTrail
from services.identity.tests.unit.fakes.wrong_tries import FakeWrongTries


class FakeStorage(
    FakeCases,
    FakePeople,
    FakeGuardianships,
    FakeCredentials,
    FakeDevices,
    FakeEmailResets,
    FakeRights,
    FakeStaff,
    FakeTrail,
    FakeWrongTries,
    FakeHotline,
):
    """Everything identity keeps, in dictionaries."""
