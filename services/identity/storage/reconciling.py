"""Pages for reconciling with what other services keep."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.identity.devices import TOKENS_LIVE
from services.identity.storage.tables import Tables


class Reconciling(Tables):
    """Read by ``vssid reconcile``."""

    STANDING = """
        SELECT c.registration_id, c.status, c.erased_at IS NOT NULL AS is_emptied,
               EXISTS (SELECT FROM close_requests r WHERE r.registration_id = c.registration_id) AS is_asked,
               c.status = 'verified' AND (a.id IS NULL OR a.phone <> '' OR a.email <> '')
               AND NOT EXISTS (SELECT FROM credentials k WHERE k.account_id = a.id
                               AND (k.cause = c.registration_id::text OR k.made_at >= c.ended_at))
               AND NOT EXISTS (SELECT FROM jobs j
                               WHERE j.kind = 'issue_credential' AND j.key = c.registration_id::text)
               AS lacks_credential
        FROM cases c
        LEFT JOIN person_numbers n ON n.number = c.applicant->>'code'
        LEFT JOIN accounts a ON a.person_id = n.person_id
    """
    STANDING_OF = STANDING + " WHERE c.registration_id = ANY(%(ids)s)"
    STANDING_AFTER = (
        STANDING
        + """
        WHERE c.registration_id > %(after)s AND c.opened_at <= %(until)s
        ORDER BY c.registration_id LIMIT %(limit)s
    """
    )

    def standing_of(self, registration_ids: Sequence[UUID]) -> list[dict[str, Any]]:
        """How the cases of these registrations stand: ``registration_id, status``, whether the end was asked
        for (``is_asked``), whether it has lost what was personal (``is_emptied``), whether a verified one has
        no credential and none on its way, though its person is reached somewhere."""
        return self.tx.all(self.STANDING_OF, {"ids": list(registration_ids)})

    def standing_after(self, after: UUID, *, until: datetime, limit: int) -> list[dict[str, Any]]:
        """The same for cases opened until then, in order of registration after ``after``."""
        return self.tx.all(self.STANDING_AFTER, {"after": after, "until": until, "limit": limit})

    FIRST_PASSWORDS_AFTER = """
        SELECT id, cause, state, delivery FROM credentials
        WHERE id > %(after)s AND valid_until IS NOT NULL AND made_at <= %(until)s
            AND coalesce(channel, '') NOT IN ('voice', 'counter')
        ORDER BY id LIMIT %(limit)s
    """

    def first_passwords_after(self, after: UUID, *, until: datetime, limit: int) -> list[dict[str, Any]]:
        """First passwords by SMS, and links by e-mail, in order of id: ``id, cause, state, delivery``."""
        return self.tx.all(self.FIRST_PASSWORDS_AFTER, {"after": after, "until": until, "limit": limit})

    ERASURES_AFTER = """
        SELECT id, account_id FROM person_requests
        WHERE id > %(after)s AND kind = 'erasure' AND asked_at <= %(until)s ORDER BY id LIMIT %(limit)s
    """

    def erasures_after(self, after: UUID, *, until: datetime, limit: int) -> list[dict[str, Any]]:
        """Requests for erasure, answered or not, in order of id: ``id, account_id``."""
        return self.tx.all(self.ERASURES_AFTER, {"after": after, "until": until, "limit": limit})

    SESSIONS_ENDED = """
        SELECT account_id, max(ended_at) AS ended_at FROM sessions
        WHERE ended_at BETWEEN %(since)s AND %(until)s AND account_id > %(after)s
            AND ended_at < coalesce(refreshed_at, started_at) + %(tokens_live)s
        GROUP BY account_id ORDER BY account_id LIMIT %(limit)s
    """

    def sessions_ended(
        self, after: UUID, *, since: datetime, until: datetime, limit: int
    ) -> list[dict[str, Any]]:
        """Accounts of which sessions were ended in that time that access tokens might outlive, in order of
        id: ``account_id, ended_at``."""
        time = {"since": since, "until": until, "tokens_live": TOKENS_LIVE}
        return self.tx.all(self.SESSIONS_ENDED, {**time, "after": after, "limit": limit})

    GUARDIANSHIPS_AFTER = """
        SELECT account_id, child_person_id, confirmed_at, valid_until FROM guardianships
        WHERE (account_id, child_person_id) > (%(account_id)s, %(child_id)s) AND confirmed_at <= %(until)s
            AND (end_reason IS NULL OR valid_until <= %(until)s)
        ORDER BY account_id, child_person_id LIMIT %(limit)s
    """

    def guardianships_after(
        self, account_id: UUID, child_id: UUID, *, until: datetime, limit: int
    ) -> list[dict[str, Any]]:
        """Guardianships confirmed, or ended, until then, in order of both ids: ``account_id, child_person_id,
        confirmed_at, valid_until``."""
        after = {"account_id": account_id, "child_id": child_id}
        return self.tx.all(self.GUARDIANSHIPS_AFTER, {**after, "until": until, "limit": limit})

    LOCKED_OUT_SINCE = """
        SELECT DISTINCT a.id FROM unnest(%(ids)s::uuid[], %(times)s::timestamptz[]) AS told (account_id, at)
        JOIN accounts a ON a.id = told.account_id
        WHERE NOT EXISTS (SELECT FROM credentials c WHERE c.account_id = a.id AND c.made_at >= told.at)
    """

    def locked_out_since(self, told: Sequence[tuple[UUID, datetime]]) -> set[UUID]:
        """Of accounts that had a new password at a time: those that have none made then or later."""
        ids, times = [account_id for account_id, _ in told], [at for _, at in told]
        return {row["id"] for row in self.tx.all(self.LOCKED_OUT_SINCE, {"ids": ids, "times": times})}
