"""The contract between the services, as their code has it: who publishes, who listens, what is called."""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest

from shared.events import asyncapi
from shared.events.catalogue import EVENT_TYPES, published_by
from shared.events.envelope import EventType
from shared.messaging import topology

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "asyncapi.json"
ASYNCAPI_SCHEMA = Path(__file__).parent / "fixtures" / "asyncapi-3.0.0.schema.json"

MESSAGE_EVENTS = ("notification.sent.v1", "notification.delivered.v1", "notification.failed.v1")

LISTENERS: dict[str, tuple[str, ...]] = {
    "registration.note_check": ("identity.checked.v1",),
    "registration.ask_supplement": ("identity.supplement_requested.v1",),
    "registration.note_verified": ("identity.verified.v1",),
    "registration.note_rejected": ("identity.rejected.v1",),
    "registration.note_closed": ("identity.closed.v1",),
    "registration.note_issued": ("credentials.issued.v1",),
    "registration.note_link_issued": ("credentials.link_issued.v1",),
    "registration.note_followed": ("credentials.followed.v1",),
    "registration.note_reissued": ("credentials.reissued.v1",),
    "registration.note_message": MESSAGE_EVENTS,
    "registration.erase": ("account.erasure_due.v1",),
    "identity.answer_erasure": ("registration.erased.v1",),
    "identity.empty_case": ("registration.emptied.v1",),
    "identity.open_case": ("registration.submitted.v1",),
    "identity.resume_case": ("registration.supplemented.v1",),
    "identity.close_case": ("registration.close_requested.v1",),
    "identity.issue_credentials": ("identity.verified.v1",),
    "identity.note_message": MESSAGE_EVENTS,
    "notification.remind": ("registration.reminder_due.v1",),
    "notification.send_log_in_otp": ("account.log_in_otp_requested.v1",),
    "notification.send_otp": ("registration.email_otp_requested.v1", "account.reset_requested.v1"),
    "notification.tell_supplement": ("identity.supplement_requested.v1",),
    "notification.tell_rejected": ("identity.rejected.v1",),
    "notification.tell_closed": ("identity.closed.v1",),
    "notification.deliver_credentials": ("credentials.issued.v1",),
    "notification.deliver_link": ("credentials.link_issued.v1",),
    "notification.tell_account": ("account.notice_due.v1",),
    "notification.tell_request_answered": ("account.request_answered.v1",),
    "history.note_guardian": ("identity.guardianship_confirmed.v1",),
    "history.end_guardian": ("identity.guardianship_ended.v1",),
    "notification.tell_guardianship_ended": ("identity.guardianship_ended.v1",),
    "history.note_sessions_ended": ("account.sessions_ended.v1",),
}

CALLS: dict[str, set[str]] = {
    "registration": {
        "start",
        "start_for_child",
        "get",
        "save_declaration",
        "attach_photo",
        "choose_agency",
        "request_email_otp",
        "confirm_email_otp",
        "submit",
        "send_supplement",
        "claim_phone",
        "cancel",
        "timeline",
        "declaration_pdf",
        "consent",
        "agencies",
        "administrative_units",
    },
    "identity": {
        "check_citizen",
        "guardian",
        "children",
        "log_in",
        "confirm_log_in",
        "reissue_by_hotline",
        "refresh",
        "log_out",
        "log_out_everywhere",
        "devices",
        "end_device",
        "change_password",
        "activate",
        "hand_over",
        "start_email_reset",
        "finish_email_reset",
        "me",
        "staff_log_in",
        "staff_log_out",
        "cases",
        "case",
        "photo",
        "claim_case",
        "change_contact",
        "request_supplement",
        "confirm_case",
        "reject_case",
        "open_applications",
        "supersede",
        "end_guardianship",
        "export",
        "ask_correction",
        "ask_erasure",
        "ask_childs_erasure",
        "withdraw_consent",
        "own_requests",
        "open_requests",
        "answer_request",
        "public_keys",
    },
    "notification": {"messages"},
    "history": {"participation"},
}

# Agreed, and not built yet. What is built leaves these lists: the tests see to it.
LISTENERS_LATER: set[str] = set()
EVENTS_LATER: set[str] = set()


@pytest.fixture(scope="module")
def services() -> list[type]:
    return list(topology.load_services())


# --- publishers ----------------------------------------------------------------------------------


def modules_of(service: str) -> Iterator[ModuleType]:
    """The modules of a service that may publish: all but ``service.py``, which names what it hears."""
    package = importlib.import_module(f"services.{service}")
    for found in pkgutil.walk_packages(package.__path__, f"services.{service}."):
        if ".tests" not in found.name and not found.name.endswith(
            (".service", ".__main__", ".photo_inspector")
        ):
            yield importlib.import_module(found.name)


def event_types_named_in(module: ModuleType) -> Iterator[EventType]:
    """The event types that a module's code uses, ``events.SUBMITTED`` or ``SENT``; imports do not count."""
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text())):
        value: Any = None
        if isinstance(node, ast.Name):
            value = vars(module).get(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            value = getattr(vars(module).get(node.value.id), node.attr, None)
        if isinstance(value, EventType):
            yield value


@pytest.mark.parametrize("service", topology.SERVICES)
def test_each_event_has_its_publishing_service(service):
    named = {event.name for module in modules_of(service) for event in event_types_named_in(module)}
    own = {event.name for event in published_by(service)}
    assert own - named == own & EVENTS_LATER


def test_every_event_belongs_to_one_of_the_services():
    assert {event.service for event in EVENT_TYPES} == set(topology.SERVICES)


# --- listeners -----------------------------------------------------------------------------------


def test_each_listener_of_the_contract_exists_and_no_other(services):
    heard = {
        queue: tuple(event.name for event in types)
        for service in services
        for queue, types in asyncapi.listeners(service)
    }
    assert heard == {name: types for name, types in LISTENERS.items() if name not in LISTENERS_LATER}


def test_each_listener_has_a_queue_bound_to_what_it_hears(services):
    queues = {queue.name: queue for queue in topology.queues(services)}
    for name, types in LISTENERS.items():
        if name not in LISTENERS_LATER:
            assert queues[name].listener == name
            assert set(queues[name].routing_keys) == set(types)
            assert f"{name}.dead" in queues


def test_every_event_but_an_import_is_heard_by_somebody():
    assert {event.name for event in EVENT_TYPES} - {key for types in LISTENERS.values() for key in types} == {
        "history.imported.v1"
    }


# --- calls ---------------------------------------------------------------------------------------


def test_each_call_of_the_contract_exists(services):
    for service in services:
        found = {name for name in dir(service) if getattr(getattr(service, name), "is_rpc", False)}
        assert found >= CALLS[service.name]  # type: ignore[attr-defined]


# --- AsyncAPI ------------------------------------------------------------------------------------


def problems_of(document: dict[str, Any]) -> list[str]:
    schema = json.loads(ASYNCAPI_SCHEMA.read_text())
    return [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(document)]


def references(value: Any) -> Iterator[str]:
    """Every ``$ref`` in a document."""
    if isinstance(value, dict):
        yield from ([value["$ref"]] if "$ref" in value else [])
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolve(document: Any, reference: str) -> Any:
    """What a local ``$ref`` points to. Raises ``KeyError``."""
    for part in reference.removeprefix("#/").split("/"):
        document = document[part]
    return document


def test_the_asyncapi_document_validates(services):
    assert problems_of(asyncapi.document(services)) == []


def test_every_reference_in_the_asyncapi_document_resolves(services):
    document = asyncapi.document(services)
    found = list(references(document))
    assert found
    assert all(resolve(document, reference) for reference in found)


def test_the_asyncapi_document_names_every_event_and_every_listener(services):
    document = asyncapi.document(services)
    assert set(document["components"]["messages"]) == {event.name for event in EVENT_TYPES}
    assert (
        set(document["channels"]) == {event.name for event in EVENT_TYPES} | set(LISTENERS) - LISTENERS_LATER
    )
    sending = [operation for operation in document["operations"].values() if operation["action"] == "send"]
    assert len(sending) == len(EVENT_TYPES)


@pytest.mark.parametrize(
    "damage",
    [
        lambda document: document.pop("info"),
        lambda document: document["channels"]["identity.verified.v1"].update(address=7),
        lambda document: document["operations"].update(
            x={"action": "sing", "channel": {"$ref": "#/channels/x"}}
        ),
        lambda document: document["components"]["messages"]["identity.verified.v1"].update(payload=[]),
    ],
)
def test_a_damaged_asyncapi_document_does_not_validate(services, damage):
    document = json.loads(json.dumps(asyncapi.document(services)))
    damage(document)
    assert problems_of(document)


def test_the_asyncapi_document_in_docs_is_the_one_of_the_code(services):
    """When this fails: ``make docs``."""
    assert DOCUMENT.read_text() == asyncapi.as_text(services)


# --- tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", topology.SERVICES)
def test_columns_are_read_by_name_so_that_a_new_one_disturbs_no_version_before(service):
    """PostgreSQL ends a prepared ``SELECT *`` with an error when a migration adds a column."""
    folder = ROOT / "services" / service
    files = [*folder.glob("storage.py"), *folder.glob("storage/*.py")]
    assert files
    text = "\n".join(file.read_text() for file in files)
    assert re.findall(r"(?:SELECT|RETURNING)\s+(?:\w+\.)?\*|,\s*\w+\.\*", text) == []
