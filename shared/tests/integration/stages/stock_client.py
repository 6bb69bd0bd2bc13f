"""A client of stock Nameko, with nothing of the kit: makes one call and prints what came back, as JSON.

usage: ``stock_client.py AMQP_URL SERVICE METHOD KEYWORDS``
"""

from __future__ import annotations

import json
import sys

from nameko.exceptions import RemoteError
from nameko.standalone.rpc import ClusterRpcClient


def main(url: str, service: str, method: str, keywords: str) -> None:
    with ClusterRpcClient(uri=url, timeout=10) as cluster:
        try:
            print(json.dumps({"result": cluster[service][method](**json.loads(keywords))}))
        except RemoteError as error:
            print(json.dumps({"remote_error": error.exc_type, "value": error.value}))


if __name__ == "__main__":
    main(*sys.argv[1:])
