"""FastStream with psycopg's asynchronous pool and the same duties: ``python -m bench.fast_stream Stage``.

Its own ways of reading: the body is a pydantic model, the headers come with the message. Its two log lines
for each message are switched off.
"""

import asyncio
import os

import uuid_utils
import uvloop
from faststream import AckPolicy, FastStream
from faststream.rabbit import Channel, ExchangeType, RabbitBroker, RabbitExchange, RabbitMessage, RabbitQueue
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

from bench import work

LISTENER = "faststream.handle"


class Asked(BaseModel):
    item: int
    note: str


class Done(BaseModel):
    item: int
    outcome: str


async def main() -> None:
    """Run until SIGTERM."""
    workers = int(os.environ["WORKERS"])
    pool = AsyncConnectionPool(
        os.environ["DATABASE_URL"],
        min_size=workers,
        max_size=workers,
        open=False,
        kwargs={"autocommit": True},
    )
    await pool.open(wait=True)
    broker = RabbitBroker(
        os.environ["AMQP_URL"],
        default_channel=Channel(prefetch_count=int(os.environ["PREFETCH"])),
        logger=None,
    )
    events = RabbitExchange(work.EVENTS, type=ExchangeType.TOPIC, declare=False)

    @broker.subscriber(RabbitQueue(LISTENER, declare=False), ack_policy=AckPolicy.NACK_ON_ERROR)
    async def handle(asked: Asked, message: RabbitMessage) -> None:
        """Inbox, business row, outbox; commit; publish with a confirm; forget."""
        arrived, item = message.headers, asked.item
        done_id = str(uuid_utils.uuid7())
        headers, done = work.done_headers(done_id, item, arrived["ce-time"]), Done(**work.done(item))
        async with pool.connection() as connection:
            async with connection.transaction():
                inserted = await connection.execute(
                    work.INSERT_INBOX, {"listener": LISTENER, "id": arrived["ce-id"]}
                )
                if not inserted.rowcount:
                    return
                await connection.execute(work.INSERT_EFFECT, {"item": item, "note": asked.note})
                await connection.execute(
                    work.INSERT_OUTBOX,
                    {
                        "id": done_id,
                        "type": work.DONE,
                        "headers": work.as_json(headers),
                        "body": done.model_dump_json().encode(),
                    },
                )
            await broker.publish(
                done,
                exchange=events,
                routing_key=work.DONE,
                headers=headers,
                message_id=done_id,
                persist=True,
                mandatory=True,
            )
            await connection.execute(work.DELETE_OUTBOX, {"id": done_id})

    await FastStream(broker, logger=None).run()
    await pool.close()


if __name__ == "__main__":
    run = uvloop.run if os.environ["LOOP"] == "uvloop" else asyncio.run
    run(main())
