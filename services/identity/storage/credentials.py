"""Passwords and the sessions that they open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from services.identity.credentials import Credential, CredentialState, Session
from services.identity.delivery import Way
from services.identity.domain import Account
from services.identity.storage.people import JOINED_ACCOUNT_COLUMNS, account_of_row
from services.identity.storage.tables import Tables

CREDENTIAL_COLUMNS = "id, account_id, state, password_hash, valid_until, reason, channel"
JOINED_CREDENTIAL_COLUMNS = ", ".join(f"c.{column}" for column in CREDENTIAL_COLUMNS.split(", ")[1:])
Row = Mapping[str, Any]
ENDED = """ended_at = greatest(%(at)s, coalesce(refreshed_at, started_at) + interval '1 microsecond')"""
"""After the last access token was issued, of which the row says when: whoever ends the session may have read
the clock before, and waited for the one who issued it."""


class Credentials(Tables):
    """Credentials and sessions."""

    LIVE_CREDENTIALS = f"""
        SELECT {CREDENTIAL_COLUMNS} FROM credentials WHERE account_id = %(account_id)s AND state <> 'ended'
        ORDER BY made_at DESC, id DESC
    """

    def live_credentials(self, account_id: UUID) -> list[Credential]:
        """At most one issued and one active, the newest first."""
        return [_credential(row) for row in self.tx.all(self.LIVE_CREDENTIALS, {"account_id": account_id})]

    LIVE_CREDENTIALS_NAMED = f"""
        SELECT {JOINED_ACCOUNT_COLUMNS}, c.id AS credential_id, {JOINED_CREDENTIAL_COLUMNS}
        FROM person_numbers n JOIN accounts a ON a.person_id = n.person_id
            LEFT JOIN credentials c ON c.account_id = a.id AND c.state <> 'ended'
        WHERE n.number = %(user)s ORDER BY c.made_at DESC, c.id DESC
    """

    def live_credentials_named(self, user: str) -> tuple[Account, list[Credential]] | None:
        """The account of any number that stands for its person, with its live credentials, the newest first:
        asked at once, since every log-in asks it."""
        rows = self.tx.all(self.LIVE_CREDENTIALS_NAMED, {"user": user})
        if not rows:
            return None
        live = [row for row in rows if row["credential_id"] is not None]
        return account_of_row(rows[0]), [_joined_credential(row) for row in live]

    CREDENTIAL_FOR = f"""
        SELECT {CREDENTIAL_COLUMNS} FROM credentials
        WHERE account_id = %(account_id)s AND cause = %(cause)s
    """

    def credential_for(self, account_id: UUID, cause: str) -> Credential | None:
        """The credential that was made for one cause, in whatever state."""
        row = self.tx.one(self.CREDENTIAL_FOR, {"account_id": account_id, "cause": cause})
        return _credential(row) if row else None

    LINK = f"""
        SELECT {CREDENTIAL_COLUMNS} FROM credentials
        WHERE id = %(id)s AND channel = 'email_link' AND tries_left > 0 FOR UPDATE
    """

    def link(self, credential_id: UUID) -> Credential | None:
        """A link that may still be tried, waiting or ended, held until the transaction ends."""
        row = self.tx.one(self.LINK, {"id": credential_id})
        return _credential(row) if row else None

    COUNT_LINK_TRY = "UPDATE credentials SET tries_left = tries_left - 1 WHERE id = %(id)s"

    def count_link_try(self, credential_id: UUID) -> None:
        """A wrong code was typed, or after its use another password."""
        self.tx.run(self.COUNT_LINK_TRY, {"id": credential_id})

    FAILED_WAYS = """
        SELECT coalesce(c.channel, 'sms') AS way FROM credentials c JOIN accounts a ON a.id = c.account_id
        WHERE c.account_id = %(account_id)s AND split_part(c.cause, ' ', 1) = %(registration_id)s
            AND c.valid_until IS NOT NULL AND c.delivery = 'failed'
            AND c.made_at >= coalesce(a.contact_since, '-infinity')
    """

    def failed_ways(self, account_id: UUID, registration_id: UUID) -> list[Way]:
        """By which ways first passwords of a registration did not arrive at the contact that there is now,
        one for each."""
        rows = self.tx.all(
            self.FAILED_WAYS, {"account_id": account_id, "registration_id": str(registration_id)}
        )
        return [Way(row["way"]) for row in rows]

    GAVE_WAY_TO_VOICE = """
        SELECT bool_and(later.channel IS NOT DISTINCT FROM 'voice')
            AND bool_or(later.state = 'issued' AND later.delivery IS DISTINCT FROM 'delivered') AS gave_way
        FROM credentials given JOIN credentials later ON later.account_id = given.account_id
        WHERE given.id = %(id)s AND later.made_at > given.made_at
    """

    def gave_way_to_voice(self, credential_id: UUID) -> bool:
        """Whether nothing but passwords of the hotline has come since, and with the one that waits nobody has
        logged in."""
        row = self.tx.one(self.GAVE_WAY_TO_VOICE, {"id": credential_id})
        return bool(row and row["gave_way"])

    BEFORE_VOICE = """
        SELECT CASE WHEN valid_until IS NOT NULL THEN cause END AS cause FROM credentials
        WHERE account_id = %(account_id)s AND channel IS DISTINCT FROM 'voice'
        ORDER BY made_at DESC, id DESC LIMIT 1
    """

    def cause_before_voice(self, account_id: UUID) -> str | None:
        """What the last first password, or link, was made for, while nothing but passwords of the hotline has
        come since; None once the holder has chosen one."""
        row = self.tx.one(self.BEFORE_VOICE, {"account_id": account_id})
        return row["cause"] if row else None

    LAST_CAUSE_FOR = """
        SELECT cause FROM credentials
        WHERE account_id = %(account_id)s AND split_part(cause, ' ', 1) = %(registration_id)s
            AND valid_until IS NOT NULL
        ORDER BY made_at DESC, id DESC LIMIT 1
    """

    def last_cause_for(self, account_id: UUID, registration_id: UUID) -> str | None:
        """What the last first password of a registration was made for."""
        row = self.tx.one(
            self.LAST_CAUSE_FOR, {"account_id": account_id, "registration_id": str(registration_id)}
        )
        return row["cause"] if row else None

    CHOSEN_SINCE = """
        SELECT EXISTS (SELECT FROM credentials WHERE account_id = %(account_id)s AND valid_until IS NULL
                       AND made_at >= %(at)s) AS chosen
    """

    def has_chosen_since(self, account_id: UUID, at: datetime) -> bool:
        """Whether a password of the holder's own was chosen then or later."""
        row = self.tx.one(self.CHOSEN_SINCE, {"account_id": account_id, "at": at})
        return row is not None and row["chosen"]

    CAUSE_OF = "SELECT account_id, cause FROM credentials WHERE id = %(id)s"

    def cause_of(self, credential_id: UUID) -> tuple[UUID, str] | None:
        """Whose credential it is, and what it was made for."""
        row = self.tx.one(self.CAUSE_OF, {"id": credential_id})
        return (row["account_id"], row["cause"]) if row else None

    LAST_CAUSE = """
        SELECT cause FROM credentials
        WHERE account_id = %(account_id)s AND valid_until IS NOT NULL AND channel IS DISTINCT FROM 'voice'
        ORDER BY made_at DESC, id DESC LIMIT 1
    """

    def last_cause_by_sms(self, account_id: UUID) -> str | None:
        """What the last password that went out by SMS was made for."""
        row = self.tx.one(self.LAST_CAUSE, {"account_id": account_id})
        return row["cause"] if row else None

    ADD_CREDENTIAL = """
        INSERT INTO credentials (id, account_id, cause, state, password_hash, made_at, valid_until, reason,
                                 channel)
        VALUES (%(id)s, %(account_id)s, %(cause)s, %(state)s, %(password_hash)s, %(at)s, %(valid_until)s,
                %(reason)s, %(channel)s)
    """

    def add_credential(self, credential: Credential, cause: str, at: datetime) -> None:
        """A new one. ``cause``: the registration it is for (``domain.cause_of_replacement``), the session in
        which it was set, or an id of its own."""
        row = {**asdict(credential), "state": credential.state.value, "cause": cause, "at": at}
        self.tx.run(self.ADD_CREDENTIAL, row)

    RENEW_HASH = """
        UPDATE credentials SET password_hash = %(renewed)s
        WHERE id = %(id)s AND password_hash = %(before)s AND state <> 'ended'
    """

    def renew_hash(self, credential_id: UUID, before: str, renewed: str) -> None:
        """The same password, hashed with more work."""
        self.tx.run(self.RENEW_HASH, {"id": credential_id, "before": before, "renewed": renewed})

    END_CREDENTIALS = """
        UPDATE credentials SET state = 'ended', ended_at = %(at)s
        WHERE id = ANY(%(ids)s) AND state <> 'ended'
    """

    def end_credentials(self, credential_ids: Sequence[UUID], at: datetime) -> int:
        """How many of them were still live."""
        return self.tx.run(self.END_CREDENTIALS, {"ids": list(credential_ids), "at": at})

    NOTE_DELIVERY = """
        UPDATE credentials SET delivery = %(state)s
        WHERE id = %(id)s AND (delivery IS NULL OR delivery = 'sent'
            OR delivery = 'failed' AND %(state)s = 'delivered' AND state <> 'ended')
    """

    def note_delivery(self, credential_id: UUID, state: str) -> bool:
        """``sent`` gives way to ``delivered`` or ``failed``, which stay; but ``failed`` gives way to
        ``delivered`` until another has taken the place. False when nothing was written."""
        return self.tx.run(self.NOTE_DELIVERY, {"id": credential_id, "state": state}) == 1

    DELIVERY = "SELECT delivery FROM credentials WHERE id = %(id)s FOR UPDATE"

    def delivery(self, credential_id: UUID) -> str | None:
        """How far its message came, which stays so until the transaction ends."""
        row = self.tx.one(self.DELIVERY, {"id": credential_id})
        return row["delivery"] if row else None

    START_SESSION = """
        INSERT INTO sessions (id, account_id, scope, started_at, device_id, refresh_hash, refreshed_at)
        SELECT %(id)s, account_id, %(scope)s, %(started_at)s, %(device_id)s, %(refresh_hash)s,
            CASE WHEN %(refresh_hash)s::bytea IS NOT NULL THEN %(started_at)s END FROM credentials
        WHERE id = %(credential_id)s AND account_id = %(account_id)s AND state <> 'ended'
        FOR SHARE
    """

    def start_session(self, session: Session, credential_id: UUID, refresh_hash: bytes | None = None) -> bool:
        """``refresh_hash``: of the refresh token with which it goes on. False when the credential ended
        before the session began."""
        row = {
            "id": session.id,
            "account_id": session.account.id,
            "scope": session.scope,
            "started_at": session.started_at,
            "device_id": session.device_id,
            "credential_id": credential_id,
            "refresh_hash": refresh_hash,
        }
        return self.tx.run(self.START_SESSION, row) == 1

    SESSION = f"""
        SELECT {JOINED_ACCOUNT_COLUMNS}, s.id AS session_id, s.scope, s.started_at, s.ended_at, s.device_id
        FROM sessions s JOIN accounts a ON a.id = s.account_id WHERE s.id = %(id)s
    """

    def session(self, session_id: UUID) -> Session | None:
        """The session with its account, ended or not."""
        row = self.tx.one(self.SESSION, {"id": session_id})
        if row is None:
            return None
        return Session(
            row["session_id"],
            account_of_row(row),
            row["scope"],
            row["started_at"],
            row["ended_at"],
            row["device_id"],
        )

    END_SESSIONS = f"""
        UPDATE sessions SET {ENDED} WHERE account_id = %(account_id)s AND ended_at IS NULL RETURNING ended_at
    """

    def end_sessions(self, account_id: UUID, at: datetime) -> list[datetime]:
        """Every session of the account that still lasts; when each ended."""
        return self._ended(self.END_SESSIONS, {"account_id": account_id, "at": at})

    END_ON_DEVICE = f"""
        UPDATE sessions SET {ENDED} WHERE device_id = %(device_id)s AND ended_at IS NULL
        RETURNING ended_at, coalesce(refreshed_at, started_at) AS issued_at
    """

    def end_sessions_on(self, device_id: UUID, at: datetime, *, issued_after: datetime) -> list[datetime]:
        """Those on one device; when each ended of which an access token was issued after then."""
        rows = self.tx.all(self.END_ON_DEVICE, {"device_id": device_id, "at": at})
        return [row["ended_at"] for row in rows if row["issued_at"] > issued_after]

    END_SESSION = f"UPDATE sessions SET {ENDED} WHERE id = %(id)s AND ended_at IS NULL RETURNING ended_at"

    def end_session(self, session_id: UUID, at: datetime) -> list[datetime]:
        """One; nothing when it had ended before."""
        return self._ended(self.END_SESSION, {"id": session_id, "at": at})

    def _ended(self, statement: str, parameters: dict[str, Any]) -> list[datetime]:
        return [row["ended_at"] for row in self.tx.all(statement, parameters)]


def _credential(row: Row) -> Credential:
    return Credential(**{**row, "state": CredentialState(row["state"])})


def _joined_credential(row: Row) -> Credential:
    own = {name: row[name] for name in CREDENTIAL_COLUMNS.split(", ")[1:]}
    return _credential({"id": row["credential_id"], **own})
