"""An SMS submitted by the test itself, beside the product: what a blind repetition would look like."""

from __future__ import annotations

from smpplib import consts, gsm
from smpplib.client import Client

from deploy.native.instance import Instance


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
