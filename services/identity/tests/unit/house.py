"""Somebody verified, and what identity does about the first password: on the fake."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from services.identity import activations, jobs, use_cases
from services.identity.credentials import Credential
from services.identity.delivery import Policy, Way
from services.identity.hotline import Call
from services.identity.refusals import ActivationRefused
from services.identity.tests.unit.fakes import FakeStorage
from services.identity.tests.unit.samples import NOW, OFFICER
from services.identity.tests.unit.test_contact import verified
from services.identity.tokens import ProofTokens

POLICY = Policy(sms=2, link=True)
CODE, OWN = "0123456789", "một con vịt xoè ra"
LATER = NOW + timedelta(minutes=5)


class House:
    """Somebody verified, and what identity does about the first password."""

    def __init__(self) -> None:
        self.storage = FakeStorage()
        self.account = verified(self.storage)
        self.case = next(iter(self.storage.all_cases.values()))
        self.clock = NOW
        self.proofs = ProofTokens(b"k" * 32)
        self.parts: Any = SimpleNamespace(
            settings=SimpleNamespace(activation_link_hours=72),
            passwords=SimpleNamespace(
                hashed=lambda text: f"hash of {text}", is_right=lambda kept, text: kept == f"hash of {text}"
            ),
            proofs=self.proofs,
            sealer=SimpleNamespace(seal=lambda _to, text: text),
        )

    def sms(self) -> UUID:
        """The password that is due goes out by SMS."""
        cause = self.storage.tx.due("issue_credential")[-1].key
        made = use_cases.NewSecret(uuid4(), "hash", "sealed")
        use_cases.issue(self.storage, self.account.id, cause, Way.SMS, made, now=self.clock, valid_hours=72)
        return made.credential_id

    def hear(
        self,
        credential_id: UUID,
        state: str,
        *,
        by: str = "sms",
        reason: str | None = None,
        policy: Policy = POLICY,
    ) -> None:
        purpose = "credentials" if by == "sms" else "activation_link"
        message = {"credential_id": credential_id, "channel": by, "purpose": purpose, "reason": reason}
        use_cases.note_delivery(self.storage, message, state, policy=policy, now=self.clock)

    def link(self) -> tuple[UUID, str]:
        """The link that is due goes out: its id, and the secret in the e-mail."""
        (due,) = self.storage.tx.due("issue_activation_link")
        jobs.issue(self.parts, due, Way.LINK)(self.storage.tx)  # type: ignore[arg-type]
        told = self.storage.tx.events("credentials.link_issued.v1")[-1].data
        return told["credential_id"], told["sealed_secret"]

    def lost(self) -> tuple[UUID, str]:
        """Both SMS have failed; the link."""
        for _ in range(2):
            self.hear(self.sms(), "failed")
        return self.link()

    def call(self) -> Credential:
        """The hotline reads another password aloud, a little later."""
        self.clock += timedelta(minutes=1)
        call = Call(self.account.phone, CODE)
        made = use_cases.VoicePassword(uuid4(), uuid4(), "hash of what was read")
        return use_cases.reissue(self.storage, call, made, valid_hours=24, now=self.clock)

    def activates(self, secret: str, code: str = CODE, new: str = OWN) -> bool:
        try:
            activations.activate(DATABASE, self.parts, secret=secret, code=code, new=new)
        except ActivationRefused:
            return False
        return True

    def hand_over(self, **changes: Any) -> Credential:
        given = {"officer": OFFICER, "case_id": self.case.id, "papers_checked": True, "now": self.clock}
        values = given | changes
        officer, case_id = values.pop("officer"), values.pop("case_id")
        held = use_cases.begin_hand_over(self.storage, officer, case_id, **values)
        made = use_cases.slip_password(held.account, uuid4(), "hash", valid_hours=72, now=self.clock)
        use_cases.hand_over(self.storage, officer, held, made, self.clock)
        return made

    def followed(self) -> list[str]:
        return [event.data["step"] for event in self.storage.tx.events("credentials.followed.v1")]

    def live(self) -> set[UUID]:
        return {credential.id for credential in self.storage.live_credentials(self.account.id)}


DATABASE: Any = SimpleNamespace(transaction=lambda: nullcontext(), change=lambda do: do(None))
