"""Which addresses a webhook may call: the public internet, and what the operator allows."""

from __future__ import annotations

import re
import socket
import unicodedata
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from models.errors import SettingError

Address = IPv4Address | IPv6Address

DOTS = str.maketrans("\u3002\uff0e\uff61", "...")  # other full stops, which IDNA takes for a dot
LOOPBACK = (IPv4Address("127.0.0.1"), IPv6Address("::1"))
ROUTED = IPv6Network("2000::/3")  # allocated global unicast IPv6; the rest is special
# In addition to what `ipaddress` calls private or reserved in every supported Python version.
CLOSED = tuple(
    ip_network(name)
    for name in (
        "0.0.0.0/8",  # this network
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata at 100.100.100.200
        "168.63.129.16/32",  # Azure's metadata
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata at 192.0.0.192
        "192.88.99.0/24",  # relays of 6to4
        "198.18.0.0/15",  # benchmarks
        "240.0.0.0/4",  # reserved
        "2001::/23",  # Teredo, ORCHID and other protocols
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which carries an IPv4 address
        "3fff::/20",  # documentation
    )
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What an operator allows besides the public internet: host names and networks."""

    names: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Allowed:
        """``hooks.internal, 10.0.0.5, 192.168.0.0/16``; raises SettingError for anything else."""
        names, networks = set(), []
        for word in filter(None, (part.strip() for part in text.split(","))):
            try:
                networks.append(ip_network(word))
            except ValueError:
                names.add(_checked_name(word))
        return cls(frozenset(names), tuple(networks))

    def has_name(self, host: str) -> bool:
        """Whether the host name is allowed, whatever it resolves to."""
        return _bare(host) in self.names

    def has(self, address: Address) -> bool:
        """Whether the address may be called."""
        return is_public(address) or any(address in network for network in self.networks)


def read_host(host: str) -> str | Address:
    """The host of a URL as it would be called: an address, or a name without its last dot.

    ``0x7f.1``, ``2130706433`` and ``127.0.0.1.`` are addresses too. Raises ValueError for a zone
    (``fe80::1%eth0``), an escaped character, an empty label, and a number that is no address.
    """
    if "%" in host:
        raise ValueError("it has a zone or an escaped character")
    if ":" in host:
        return ip_address(host)
    name = unicodedata.normalize("NFKC", host.translate(DOTS)).lower().removesuffix(".")
    labels = name.split(".")
    if "" in labels:
        raise ValueError("it has an empty label")
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        try:
            return IPv4Address(socket.inet_aton(name))
        except (OSError, UnicodeError) as error:
            raise ValueError("it is a number, but no address") from error
    return name


def fixed_addresses(host: str | Address) -> tuple[Address, ...]:
    """The addresses that a host has without a lookup; none for a name that must be looked up."""
    if not isinstance(host, str):
        return (host,)
    return LOOPBACK if f".{host}".endswith(".localhost") else ()


def is_public(address: Address) -> bool:
    """Whether an address is on the public internet and embeds no other address."""
    if address.version == 6 and address not in ROUTED:  # mapped, NAT64, local, multicast …
        return False
    if any(address in network for network in CLOSED):
        return False
    return address.is_global and not address.is_multicast


def _checked_name(word: str) -> str:
    labels = _bare(word).split(".")
    if not all(label.replace("-", "").replace("_", "").isalnum() for label in labels):
        raise SettingError(
            f"WEBHOOK_ALLOWED_HOSTS contains {word!r}; it may contain host names, addresses"
            " and networks (10.0.0.0/8), comma-separated"
        )
    return _bare(word)


def _bare(host: str) -> str:
    return host.lower().rstrip(".")
