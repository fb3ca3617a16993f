"""User-supplied URLs: strict parsing, and which addresses belong to the public internet.

A URL is parsed once, strictly, only by this module, so that no two parsers can disagree about it. Public
addresses follow the IANA special-purpose registries (RFC 6890 and its successors). The table is
included here because ``ipaddress.is_global`` differs between Python versions and calls some tunnels global.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import quote

import idna

from core.errors import InvalidRequest

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_URL = 2048  #: characters
MAX_HOST = 253  #: characters; a label has at most 63 (RFC 1035)

_SCHEME_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.\-]*)://(?P<authority>[^/?#]*)(?P<target>[^#]*)(#.*)?", re.I | re.A | re.S)
_OTHER_SCHEME = re.compile(r"(?!https?:)[a-z][a-z0-9+.\-]*:", re.I | re.A)
_AUTHORITY = re.compile(
    r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[^:\[\]]+))(?::(?P<port>0|[1-9][0-9]{0,4}))?", re.I | re.A
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # a last label that inet_aton() would take for an address
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")

_NOT_PUBLIC_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's host agent, reachable from its guests alone
        "169.254.0.0/16",  # link-local, clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, withdrawn
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
#: All that is assigned as global unicast. Loopback, unspecified, v4-mapped, v4-compatible, local NAT64
#: (64:ff9b:1::/48), discard-only, unique local, link-local, site-local and multicast lie outside.
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, withdrawn: carries an IPv4 address
        "3fff::/20",  # documentation
    )
)
#: The well-known prefix of NAT64 (RFC 6052): how an IPv6-only network reaches IPv4. Its IPv4 address is checked.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads: the parsed URL and the addresses that it may be reached at, best first."""

    scheme: str
    host: str  #: ASCII and lower case; an IPv6 address without brackets
    port: int
    path: str  #: path and query as they are sent
    addresses: tuple[str, ...] = ()

    @property
    def authority(self) -> str:
        """The ``Host`` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _SCHEME_PORTS[self.scheme] else f"{host}:{self.port}"


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, by the registries alone."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not any(address in network for network in _NOT_PUBLIC_V4)
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _UNICAST_V6 and address.is_global and not any(address in network for network in _NOT_PUBLIC_V6)


def parse(url: str) -> Target:
    """The parts of an absolute http(s) URL, without resolving its host; ``addresses`` stays empty.

    Stricter than RFC 3986 and than browsers: what two parsers might read in two ways is refused.
    Raises `InvalidRequest`: ``url_malformed``, ``url_scheme_not_allowed``, ``url_has_credentials``, and
    ``url_not_allowed`` for an IPv4 address in another form than four decimal numbers.
    """
    if len(url) > MAX_URL:
        raise refused("url_malformed", f"The URL is longer than {MAX_URL} characters.")
    if _UNSAFE.search(url):
        raise refused("url_malformed", "The URL holds a space, a control character or a backslash.")
    whole = _URL.fullmatch(url)
    if (whole or _OTHER_SCHEME.match(url)) and url.split(":", maxsplit=1)[0].lower() not in _SCHEME_PORTS:
        raise refused("url_scheme_not_allowed", "The URL must begin with http:// or https://.")
    if whole is None:
        raise refused("url_malformed", "This is not an absolute URL.")
    if "@" in whole["authority"]:
        raise refused("url_has_credentials", "The URL must not hold a user name or password.")
    authority = _AUTHORITY.fullmatch(whole["authority"])
    if authority is None:
        raise refused("url_malformed", "The URL's host or port cannot be read.")
    scheme = whole["scheme"].lower()
    port = int(authority["port"] or _SCHEME_PORTS[scheme])
    if port > 65535:
        raise refused("url_malformed", "The URL's port cannot be read.")
    host = _literal_v6(authority["v6"]) if authority["v6"] else host_name(authority["name"])
    target = whole["target"]
    return Target(scheme, host, port, _encoded(target if target.startswith("/") else f"/{target}"))


def host_name(name: str) -> str:
    """A host name or a plain IPv4 address in ASCII and lower case. Names are those of IDNA 2008, unmapped."""
    if len(name) > MAX_HOST:
        raise refused("url_malformed", "The URL's host is too long.")
    if not name.isascii():
        # Mapping (full-width digits and dots, ligatures) is how a filter and a resolver come to differ.
        if unicodedata.normalize("NFKC", name) != name:
            raise refused("url_malformed", "The URL's host is written with characters that stand for others.")
        try:
            name = idna.encode(name.lower(), strict=True).decode()
        except (idna.IDNAError, UnicodeError) as error:
            raise refused("url_malformed", "The URL's host is not a valid international name.") from error
    name = name.lower()
    labels = name.split(".")
    if len(name) > MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise refused("url_malformed", "The URL's host is not a valid name.")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError as error:
            raise refused("url_not_allowed", "An IPv4 address is written as four decimal numbers.") from error
    return name


def _literal_v6(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError as error:
        raise refused("url_malformed", "The URL's IPv6 address cannot be read.") from error


def _encoded(path: str) -> str:
    try:
        return quote(path, safe="".join(map(chr, range(0x21, 0x7F))))
    except UnicodeEncodeError as error:
        raise refused("url_malformed", "The URL holds half a character.") from error


def refused(code: str, message: str) -> InvalidRequest:
    """The error of a URL that will not be called."""
    return InvalidRequest(message, code=code)
