"""What was received, as the stand-ins of SMS and mail show it: in order of arrival, findable by recipient."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from deploy.stand_ins.http_api import Reply, Request

Message = dict[str, Any]


class Mailbox:
    """Numbers the messages from 1 on (field ``n``): a reader can ask for those after the last one seen."""

    def __init__(self) -> None:
        self._all: list[Message] = []
        self._by_recipient: defaultdict[str, list[Message]] = defaultdict(list)

    def add(self, message: Message) -> None:
        numbered = {"n": len(self._all) + 1, **message}
        self._all.append(numbered)
        self._by_recipient[_plain(message["to"])].append(numbered)

    def find(self, *, to: str | None = None, since: int = 0) -> list[Message]:
        """Messages to one recipient, or all, with a number above ``since``."""
        if to is None:
            return self._all[max(since, 0) :]
        return [message for message in self._by_recipient.get(_plain(to), []) if message["n"] > since]

    def show(self, request: Request) -> Reply:
        """``GET /messages?to=…&since=…``."""
        return Reply(200, self.find(to=request.query.get("to"), since=request.number("since", 0)))


def _plain(recipient: str) -> str:
    """A number with or without its plus, an address in any case; a plus in a query arrives as a space."""
    return recipient.strip().lstrip("+").lower()
