"""Which addresses Tasks may call: those of the public internet, those that a setting allows, no metadata service.

A definition names any host, and whoever calls for it stands inside a network. The ranges are those of IANA's registries
of special-purpose addresses; anything of IPv6 that is not global unicast is refused without a row of its own.
"""

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

METADATA = (
    *("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23"),  # AWS: EC2, ECS, EKS
    "fd20:ce::254",  # Google Cloud; over IPv4 all have AWS's address
    "168.63.129.16",  # Azure's wire server
    "100.100.100.200",  # Alibaba Cloud
    "192.0.0.192",  # Oracle Cloud
)
"""Where clouds hand out credentials. No setting allows them."""
METADATA_KIND = "metadata service"

RANGES = (
    ("0.0.0.0/8", "this host"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "carrier-grade NAT"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved for protocols"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "6to4 relay"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("::/128", "this host"),
    ("::1/128", "loopback"),
    ("64:ff9b:1::/48", "private translation"),
    ("100::/64", "discard"),
    ("2001::/23", "reserved for protocols"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4"),
    ("3fff::/20", "documentation"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local"),
    ("ff00::/8", "multicast"),
)
"""What is not the public internet, and in a word what it is."""
GLOBAL_UNICAST = "2000::/3"
TRANSLATED = "64:ff9b::/96"  # an IPv4 address in IPv6, by a translator (NAT64)


class AddressGuard:
    """Judges addresses. `allowed` are networks that may be called although they are not public."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = [ipaddress.ip_network(each) for each in allowed]
        self._metadata = frozenset(ipaddress.ip_address(each) for each in METADATA)
        self._ranges: list[tuple[Network, str]] = [(ipaddress.ip_network(each), kind) for each, kind in RANGES]
        self._unicast = ipaddress.IPv6Network(GLOBAL_UNICAST)
        self._translated = ipaddress.IPv6Network(TRANSLATED)

    def refusal(self, address: str) -> str:
        """What an address is that may not be called; empty if it may."""
        meant = self._meant(address)
        if meant in self._metadata:
            return METADATA_KIND
        if any(meant in network for network in self._allowed):
            return ""
        kind = next((kind for network, kind in self._ranges if meant in network), "")
        if not kind and isinstance(meant, ipaddress.IPv6Address) and meant not in self._unicast:
            return "reserved"
        return kind

    def refusal_of_configured(self, address: str) -> str:
        """The same for a place that the configuration itself names: nothing is refused but metadata services."""
        return METADATA_KIND if self._meant(address) in self._metadata else ""

    def _meant(self, address: str) -> Address:
        """The address that is reached: of IPv4 in IPv6 the IPv4 one."""
        found = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(found, ipaddress.IPv6Address):
            if found.ipv4_mapped is not None:
                return found.ipv4_mapped
            if found in self._translated:
                return ipaddress.IPv4Address(int(found) & 0xFFFF_FFFF)
        return found
