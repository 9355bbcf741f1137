"""Which addresses a webhook may call: the public internet, and what the operator allows."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)

from models.errors import SettingError

Address = IPv4Address | IPv6Address

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
