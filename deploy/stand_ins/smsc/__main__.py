"""Run: ``python -m deploy.stand_ins.smsc --port 9305 --http-port 9306 --data DIR``.

SMPP 3.4 on ``--port``. Over HTTP: ``GET /messages?to=&since=`` shows whole texts, ``GET /parts?since=`` each
accepted ``submit_sm`` and each receipt taken, ``GET, PUT /control`` sets refusals, delays and receipts.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import click

from deploy.stand_ins.control import Control
from deploy.stand_ins.http_api import HttpApi
from deploy.stand_ins.program import until_stopped
from deploy.stand_ins.smsc.faults import Faults
from deploy.stand_ins.smsc.messages import Messages
from deploy.stand_ins.smsc.receipts import Receipts
from deploy.stand_ins.smsc.sessions import Logins, Session


async def serve(host: str, port: int, http_port: int, data: Path, logins: Logins, faults: Faults) -> None:
    """Run both interfaces until told to stop; then unbind from everybody."""
    control, messages = Control(faults), Messages(data)
    sessions: set[Session] = set()
    receipts = Receipts(messages, control, lambda: sessions)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(
            reader,
            writer,
            logins=logins,
            messages=messages,
            faults=control,
            receipt_answered=receipts.answered,
        )
        sessions.add(session)
        try:
            await session.run()
        finally:
            sessions.discard(session)

    smpp = await asyncio.start_server(connected, host, port)
    routes = {("GET", "/messages"): messages.show, ("GET", "/parts"): messages.show_parts, **control.routes()}
    api = HttpApi(host, http_port, routes)
    api.start()
    sending = asyncio.create_task(receipts.run())
    await until_stopped("smsc", port=smpp.sockets[0].getsockname()[1], http_port=api.port)
    smpp.close()
    sending.cancel()
    await asyncio.gather(*(session.end() for session in list(sessions)))
    api.stop()
    messages.close()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=0, show_default="a free one", help="Port of the SMPP interface.")
@click.option("--http-port", default=0, show_default="a free one", help="Port of the HTTP interface.")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder for messages.jsonl.")
@click.option("--system-id", envvar="SMPP_SYSTEM_ID", help="Who may bind; anybody when left out.")
@click.option("--password", envvar="SMPP_PASSWORD", help="The password wanted; any when left out.")
@click.option("--receipt-delay-seconds", default=Faults().receipt_delay_seconds, show_default=True)
def main(
    host: str,
    port: int,
    http_port: int,
    data: Path,
    system_id: str | None,
    password: str | None,
    receipt_delay_seconds: float,
) -> None:
    """Run the stand-in SMSC until SIGTERM."""
    logging.basicConfig(level=logging.INFO)
    faults = Faults(receipt_delay_seconds=receipt_delay_seconds)
    asyncio.run(serve(host, port, http_port, data, Logins(system_id, password), faults))


if __name__ == "__main__":
    main()
