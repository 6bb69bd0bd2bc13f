"""Stand-in mail server: an SMTP server that delivers nowhere and keeps everything.

Run: ``python -m deploy.stand_ins.mail_server --port 9303 --http-port 9304 --data DIR``.

``GET /messages?to=&since=`` shows what arrived, one message per recipient; ``GET /raw?id=`` the message as
it was sent; ``GET, PUT /control`` sets refusals and delays. On disk: ``messages.jsonl`` and ``raw/<id>.eml``.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.stand_ins.control import Control
from deploy.stand_ins.http_api import HttpApi, Reply, Request, Route
from deploy.stand_ins.ledger import Ledger
from deploy.stand_ins.mailbox import Mailbox
from deploy.stand_ins.program import until_stopped

PURPOSE_HEADER = "X-Vssid-Purpose"


@dataclass(frozen=True)
class Faults:
    """``refuse_code``: this 4xx or 5xx instead of accepting, at ``refuse_at`` ("rcpt" or "data"); 0 accepts.
    ``delay_seconds``: the message is kept at once, its answer comes so much later.
    ``withhold_replies``: kept, and not answered while it is true.
    ``cut_after_accept``: kept, then the connection is cut."""

    refuse_code: int = 0
    refuse_at: str = "data"
    delay_seconds: float = 0.0
    withhold_replies: bool = False
    cut_after_accept: bool = False

    def __post_init__(self) -> None:
        if self.refuse_code and not 400 <= self.refuse_code <= 599:
            raise ValueError("refuse_code is 0 or between 400 and 599")
        if self.refuse_at not in {"rcpt", "data"}:
            raise ValueError('refuse_at is "rcpt" or "data"')


class MailServer:
    """Takes mail for every address. The methods with SMTP verbs are the hooks that aiosmtpd calls."""

    def __init__(self, data: Path, faults: Control[Faults]) -> None:
        self._raw = data / "raw"
        self._raw.mkdir(parents=True, exist_ok=True)
        self._ledger = Ledger(data / "messages.jsonl")
        self._faults = faults
        self._mailbox = Mailbox()
        for row in self._ledger.rows:
            self._mailbox.add(row)

    def routes(self) -> dict[tuple[str, str], Route]:
        return {
            ("GET", "/messages"): self._mailbox.show,
            ("GET", "/raw"): self.raw,
            **self._faults.routes(),
        }

    def raw(self, request: Request) -> Reply:
        """One message, byte for byte."""
        wanted = request.query.get("id", "")
        file = next((row["raw"] for row in self._ledger.rows if row["id"] == wanted), None)
        if file is None:
            return Reply(404, {"error": "no such message"})
        return Reply(200, (self._raw / file).read_bytes(), "message/rfc822")

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self._refusal("rcpt"):
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep first, then answer (or fail to, as the control says)."""
        if refusal := self._refusal("data"):
            return refusal
        content = envelope.original_content or b""
        self._keep(content, envelope.mail_from or "", envelope.rcpt_tos)
        faults = self._faults.now
        await asyncio.sleep(faults.delay_seconds)
        while self._faults.now.withhold_replies:
            await asyncio.sleep(0.02)
        if faults.cut_after_accept and isinstance(server.transport, asyncio.WriteTransport):
            server.transport.abort()
        return "250 OK: kept"

    def _refusal(self, at: str) -> str | None:
        faults = self._faults.now
        if not faults.refuse_code or faults.refuse_at != at:
            return None
        return f"{faults.refuse_code} {'try again later' if faults.refuse_code < 500 else 'not taken'}"

    def _keep(self, content: bytes, mail_from: str, recipients: list[str]) -> None:
        file = f"{uuid4().hex}.eml"
        (self._raw / file).write_bytes(content)
        read = _read(content)
        at = datetime.now(UTC).isoformat()
        for to in recipients:
            row = {"id": uuid4().hex, "to": to, "mail_from": mail_from, "at": at, **read, "raw": file}
            self._ledger.append(row)
            self._mailbox.add(row)


def _read(content: bytes) -> dict[str, Any]:
    """What a person would see of it. Broken mail is kept all the same, with what can be read."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    return {
        "message_id": _header(message, "Message-ID"),
        "purpose": _header(message, PURPOSE_HEADER),
        "from": _header(message, "From"),
        "subject": _header(message, "Subject"),
        "text": _body(message, "plain"),
        "html": _body(message, "html"),
    }


def _header(message: EmailMessage, name: str) -> str | None:
    value = message.get(name)
    return None if value is None else str(value).strip()


def _body(message: EmailMessage, kind: str) -> str | None:
    try:
        part = message.get_body((kind,))
        return None if part is None else part.get_content().replace("\r\n", "\n")
    except (LookupError, ValueError, AttributeError):  # unknown charset, broken structure
        return None


async def serve(host: str, port: int, http_port: int, data: Path) -> None:
    """Run both interfaces until told to stop."""
    server = MailServer(data, Control(Faults()))
    protocol = partial(SMTP, server, enable_SMTPUTF8=True, hostname="mail.stand-in", ident="stand-in")
    smtp = await asyncio.get_running_loop().create_server(protocol, host, port)
    api = HttpApi(host, http_port, server.routes())
    api.start()
    await until_stopped("mail_server", port=smtp.sockets[0].getsockname()[1], http_port=api.port)
    smtp.close()
    api.stop()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=0, show_default="a free one", help="Port of the SMTP interface.")
@click.option("--http-port", default=0, show_default="a free one", help="Port of the HTTP interface.")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder for what was received.")
def main(host: str, port: int, http_port: int, data: Path) -> None:
    """Run the stand-in mail server until SIGTERM."""
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd would log addresses
    asyncio.run(serve(host, port, http_port, data))


if __name__ == "__main__":
    main()
