"""Where a request comes from, for limits: what the site's proxies say of it, and what counts as one place."""

from __future__ import annotations

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
    try:
        ip = ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or IPv6Address(int(ip) >> 64 << 64))
