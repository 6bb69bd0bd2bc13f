"""The SMSC in the hands of a test: told to misbehave, or handed an SMS that the product knows nothing of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from smpplib import consts, gsm
from smpplib.client import Client

from deploy.native.instance import Instance


@contextmanager
def smsc(product: Instance, **faults: Any) -> Iterator[None]:
    """The SMSC does these things wrong, until the end of the block."""
    address = str(product.endpoints()["sms"]).replace("/messages", "/control")
    before = httpx.get(address).raise_for_status().json()
    httpx.put(address, json=faults).raise_for_status()
    try:
        yield
    finally:
        httpx.put(address, json=before).raise_for_status()


def submit_sms(product: Instance, to: str, text: str) -> None:
    """Hand ``text`` to the SMSC, as notification would, and wait until it is taken."""
    known = product.environment("notification")
    client = Client(known["SMPP_HOST"], int(known["SMPP_PORT"]), allow_unknown_opt_params=True)
    client.connect()
    try:
        client.bind_transmitter(system_id=known["SMPP_SYSTEM_ID"], password=known["SMPP_PASSWORD"])
        parts, data_coding, esm_class = gsm.make_parts(text)
        for part in parts:
            client.send_message(
                source_addr_ton=consts.SMPP_TON_ALNUM,
                source_addr=known["SMPP_SENDER"],
                dest_addr_ton=consts.SMPP_TON_INTL,
                dest_addr_npi=consts.SMPP_NPI_ISDN,
                destination_addr=to,
                short_message=part,
                data_coding=data_coding,
                esm_class=esm_class,
            )
            answer = client.read_pdu()
            assert answer.status == consts.SMPP_ESME_ROK, answer.status
        client.unbind()
    finally:
        client.disconnect()
