"""Which addresses webhooks may go to: those of the public Internet, and the networks of the setting WEBHOOK_NETWORKS."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from billing_site.errors import BillingError, Detail, ErrorCode

Address = IPv4Address | IPv6Address

LONGEST_URL = 500
NAT64 = ip_network("64:ff9b::/96")
PUBLIC_IPV6, DOCUMENTATION = ip_network("2000::/3"), ip_network("3fff::/20")
"""The part of IPv6 that is given out to the public Internet, and a part of it that is not. The standard library counts others
as global, of which some lead to this machine or its network: ::127.0.0.1, fec0::/10."""
PORTS = {"https": 443, "http": 80}


class NotAllowed(Exception):
    """A name leads to an address that webhooks may not go to."""


def check_url(url: str) -> None:
    """Refuse (90150) an address that cannot be sent to, whatever its name leads to. The name is resolved when something is
    sent."""
    why = _why_not(url)
    if why is not None:
        raise BillingError(ErrorCode.WEBHOOK_ADDRESS, why, field="url")


def _why_not(url: str) -> Detail | None:
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        return Detail("url: give at most {most} printable ASCII characters without spaces", most=LONGEST_URL)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return Detail("url: this is not an address")
    if parts.scheme != "https" and not (parts.scheme == "http" and settings.WEBHOOK_NETWORKS):
        return Detail("url: it must begin with https://")
    if not parts.hostname or port == 0:
        return Detail("url: this is not an address")
    if parts.username is not None or parts.password is not None or parts.fragment:
        return Detail("url: leave out the user, the password and what follows a #")
    literal = _literal(parts.hostname)
    if literal is not None and not is_allowed(literal, parts.scheme):
        return Detail("url: {address} is not an address of the public Internet", address=str(literal))
    return None


def one_form(url: str) -> str:
    """Return an accepted address in the one form of all that lead to the same place: the scheme and the name of the server in
    lower case, without the scheme's own port, and with a path."""
    parts = urlsplit(url)
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    place = name if port_of(parts) == PORTS[parts.scheme] else f"{name}:{parts.port}"
    return parts._replace(netloc=place or "", path=parts.path or "/").geturl()


def port_of(parts: SplitResult) -> int:
    return parts.port or PORTS[parts.scheme]


def addresses_of(parts: SplitResult) -> list[str]:
    """Return the network addresses that the name of a URL has now. Raises NotAllowed if any may not be sent to, and OSError if
    there is none."""
    found = socket.getaddrinfo(parts.hostname, port_of(parts), type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    for one in addresses:
        if not is_allowed(ip_address(one), parts.scheme):
            raise NotAllowed(f"{parts.hostname} has the address {one}, which is not one of the public Internet")
    return addresses


def is_allowed(address: Address, scheme: str) -> bool:
    """Whether webhooks may go to a network address: by https to the public Internet, by either to WEBHOOK_NETWORKS."""
    address = _embedded(address)
    if any(address in ip_network(one) for one in settings.WEBHOOK_NETWORKS):
        return True
    if isinstance(address, IPv6Address) and (address not in PUBLIC_IPV6 or address in DOCUMENTATION):
        return False
    return scheme == "https" and address.is_global and not address.is_multicast


def _embedded(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
