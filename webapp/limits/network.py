"""What a limit counts of an address: an IPv4 address, or an IPv6 network (/64).

One customer of a provider has at least a whole /64, so single IPv6 addresses cannot be counted.
nginx.conf has the same in its map ``$network``.
"""

from __future__ import annotations

import ipaddress


def network_of(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """``192.0.2.1`` for that address and for ``::ffff:192.0.2.1``; ``2001:db8::/64`` for IPv6."""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:  # all of these are in one /64
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False))


def network_of_text(address: str | None) -> str:
    """The same for a request's address; a text that is none (a Unix socket) counts as itself."""
    try:
        return network_of(ipaddress.ip_address(address or ""))
    except ValueError:
        return address or ""
