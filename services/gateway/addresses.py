"""Where a request comes from, for limits: what the site's proxies say of it, and what counts as one place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix

FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO")


class BehindProxies(ProxyFix):
    """Takes address and scheme of a request from the last ``proxies`` words of X-Forwarded-For and -Proto.

    Each proxy writes its word behind what came in, which anybody may have made up. Werkzeug reads the words
    as a list that may have quotation marks: a client's open one would swallow what the proxies wrote after.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], proxies: int) -> None:
        super().__init__(app, x_for=proxies, x_proto=proxies)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        for name in FORWARDED:
            if name in environ:
                environ[name] = environ[name].replace('"', "")
        return super().__call__(environ, start_response)


def place(address: str) -> str:
    """What limits count as one place: an address of IPv4; of IPv6 the /64, of which each household has one.

    Whatever is no address is one place together, so that nobody gets new limits by another spelling.
    """
    return _cut(address, 32, 64)


def network(address: str) -> str:
    """What somebody has who rents a range: the /24 of IPv4, the /48 of IPv6."""
    return _cut(address, 24, 48)


def hidden(place: str, key: bytes) -> str:
    """A place as services are told it: a hash that is keyed, as all addresses are soon tried."""
    return hashlib.blake2b(place.encode(), key=hashlib.sha256(key).digest(), digest_size=16).hexdigest()


def _cut(address: str, bits: int, bits_of_ipv6: int) -> str:
    try:
        ip = ip_address(address)
    except ValueError:
        return ""
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if isinstance(ip, IPv4Address):
        return str(IPv4Address(int(ip) >> 32 - bits << 32 - bits))
    return str(IPv6Address(int(ip) >> 128 - bits_of_ipv6 << 128 - bits_of_ipv6))
