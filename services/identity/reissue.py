"""A new password by the hotline: whose request it is, how often, and the script that is read aloud."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

from prometheus_client import Counter

from services.identity import hotline, schemas, signatures, use_cases
from services.identity.hotline import Call, HotlineKey, HotlineTooMany, HotlineUnavailable, SignatureInvalid
from services.identity.parts import Parts, new_id, now
from services.identity.refusals import RequestInvalid
from services.identity.signatures import Signed
from services.identity.storage import Storage
from shared import logs, metrics
from shared.cache import CacheUnavailable
from shared.database import Database, Transaction
from shared.messaging.rpc import once, replied
from shared.refusals import Refused

log = logs.get(__name__)
METHOD = "reissue_by_hotline"
Reply = dict[str, Any]

hotline_calls_total = Counter(
    "vssid_hotline_calls_total",
    "Requests of the voice platform by what came of them: issued, repeated, or the name of the refusal",
    ["outcome"],
    registry=metrics.REGISTRY,
)


def reissue_by_hotline(db: Database, parts: Parts, *, headers: Mapping[str, str], body: str) -> Reply:
    """``{sealed_script, valid_until}``: the script, sealed to the gateway, for a caller whose number and code
    belong together. The same again under its Idempotency-Key is the same script, and makes no other password.

    Raises ``SignatureInvalid``, ``SignatureReplayed``, ``RequestInvalid``, ``HotlineMismatch``,
    ``HotlineTooMany``, ``HotlineUnavailable``, ``IdempotencyKeyReused``.
    """
    try:
        outcome, reply = _answered(db, parts, headers, body)
    except Refused as refused:
        if isinstance(refused, SignatureInvalid):
            log.info(
                "a request of the hotline is not signed as agreed", flaw=refused.flaw, key=refused.key_id
            )
        hotline_calls_total.labels(type(refused).__name__).inc()
        raise
    hotline_calls_total.labels(outcome).inc()
    return reply


def _answered(db: Database, parts: Parts, headers: Mapping[str, str], body: str) -> tuple[str, Reply]:
    signed = _signed(db, parts, headers, body)
    call = _call_in(body)
    key = _own_key(signed.key, headers.get("idempotency-key"))
    about = {"caller": call.caller, "code": call.code}
    if key is not None:
        with db.transaction() as tx:
            before = replied(tx, METHOD, key, about)
        if before is not None:
            return "repeated", before
    _count(parts, call)
    password = f"{secrets.randbelow(10**hotline.DIGITS):0{hotline.DIGITS}d}"
    made = use_cases.VoicePassword(new_id(), new_id(), parts.passwords.hashed(password))

    def write(tx: Transaction) -> Reply:
        def issue() -> Reply:
            return _issue(parts, tx, call, made, password)

        return once(tx, METHOD, key, about, issue) if key is not None else issue()

    reply = db.change(write)
    log.info("a password was issued by the hotline", credential_id=str(made.credential_id), key=signed.key.id)
    return "issued", reply


def _signed(db: Database, parts: Parts, headers: Mapping[str, str], body: str) -> Signed:
    """Whose request it is; it is used up with that, whatever comes of it."""
    clock_seconds = parts.settings.hotline_clock_seconds

    def key_named(key_id: str) -> HotlineKey | None:
        with db.transaction() as tx:
            return Storage(tx).hotline_key(key_id)

    signed = signatures.verified(headers, body, key_named, clock_seconds=clock_seconds)
    with db.transaction() as tx:
        use_cases.use_request(
            Storage(tx), signed.key.id, signed.nonce, clock_seconds=clock_seconds, now=now()
        )
    return signed


def _call_in(body: str) -> Call:
    """What was signed. Raises ``RequestInvalid``."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict):
        raise RequestInvalid
    asked = schemas.load(schemas.HotlineCall, request)
    return hotline.call_of(asked["caller"], asked["code"])


def _own_key(signer: HotlineKey, key: str | None) -> str | None:
    """The keys of two platforms never meet; a platform's survives the change of its signing key."""
    return hashlib.sha256(f"{signer.client}\n{key}".encode()).hexdigest() if key else None


def _count(parts: Parts, call: Call) -> None:
    """Each call counts, right or wrong: for its number, for the code as this number says it, for the code
    whoever says it (far more, lest strangers keep its owner out), for the day. A withheld number and a code
    that was not understood are nobody's. Raises ``HotlineTooMany``, and ``HotlineUnavailable`` while Redis
    is away."""
    settings = parts.settings
    caller_and_code = call.code and f"{call.code} {call.caller or 'withheld'}"
    limits = (
        ("hotline_caller", call.caller, settings.hotline_per_caller),
        ("hotline_caller_and_code", caller_and_code, settings.hotline_per_caller_and_code),
        ("hotline_code", call.code, settings.hotline_per_code),
        ("hotline_day", "", settings.hotline_per_day),
    )
    try:
        for name, key, limit in limits:
            if key is not None and not parts.limiter.hit(name, key, limit):
                raise HotlineTooMany(retry_after_seconds=parts.limiter.wait_seconds(name, key, limit))
    except CacheUnavailable:
        raise HotlineUnavailable from None


def _issue(parts: Parts, tx: Transaction, call: Call, made: use_cases.VoicePassword, password: str) -> Reply:
    hours = parts.settings.hotline_password_hours
    issued = use_cases.reissue(Storage(tx), call, made, valid_hours=hours, now=now())
    script = hotline.script_of(password, hours)
    assert issued.valid_until is not None
    return {
        "sealed_script": parts.sealer.seal("gateway", json.dumps({"text": script.text, "ssml": script.ssml})),
        "valid_until": issued.valid_until.isoformat(),
    }
