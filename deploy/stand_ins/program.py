"""What every stand-in program does the same way: say that it is ready, wait, stop when told to."""

from __future__ import annotations

import asyncio
import json
import signal


async def until_stopped(name: str, **listening: int) -> None:
    """Print one line of JSON with the ports listened on, then wait for SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(wanted, stopped.set)
    print(json.dumps({"ready": name, **listening}), flush=True)
    await stopped.wait()
