"""URLs and the policy of outgoing calls, without a connection."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.errors import ConfigurationError, InvalidRequest, ReceiverUnavailable
from core.outgoing.egress import Egress
from core.outgoing.urls import is_public, parse

PUBLIC = "93.184.216.34"
CODES = {
    "url_malformed",
    "url_scheme_not_allowed",
    "url_has_credentials",
    "url_port_not_allowed",
    "url_not_resolved",
    "url_not_allowed",
}

NOT_PUBLIC = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.254", "100.100.100.200", "127.0.0.1"),
    *("127.255.255.254", "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1"),
    *("192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1"),
    *("64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::1"),
    *("64:ff9b:1::8.8.8.8", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1"),
    *("2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "4000::1"),
    *("5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%1", "2606:4700::1%1", "fec0::1", "ff02::1"),
    *("ff0e::1",),
]
IS_PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "93.184.216.34", "100.63.255.255", "100.128.0.1", "172.32.0.1", "168.63.129.17"),
    *("11.0.0.1", "192.0.1.1", "223.255.255.255", "198.20.0.1", "2606:4700::1111", "2001:4860:4860::8888"),
    *("2003::1", "2a00:1450::1", "64:ff9b::8.8.8.8"),
]


def fixed(*addresses: str) -> Callable[[str, int], list[str]]:
    return lambda host, port: list(addresses)


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(InvalidRequest) as caught:
        call()
    assert caught.value.message
    return caught.value.code


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    assert code_of(lambda: Egress(resolver=fixed(address)).check("http://a.example/")) == "url_not_allowed"
    assert code_of(lambda: Egress(resolver=fixed(PUBLIC, address)).check("http://a.example/")) == "url_not_allowed"


@pytest.mark.parametrize("address", IS_PUBLIC)
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
    assert Egress(resolver=fixed(address)).check("https://a.example/").addresses == (
        str(ipaddress.ip_address(address)),
    )


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("http://a.example", "a.example", 80, "/", "a.example"),
        ("HTTPS://A.Example/x?y=1&z=%20#part", "a.example", 443, "/x?y=1&z=%20", "a.example"),
        ("https://a.example?q", "a.example", 443, "/?q", "a.example"),
        ("https://a.example:80/", "a.example", 80, "/", "a.example:80"),
        ("https://a.example:443/", "a.example", 443, "/", "a.example"),
        ("http://a.example/b@c:d//e", "a.example", 80, "/b@c:d//e", "a.example"),
        ("http://8.8.8.8/", "8.8.8.8", 80, "/", "8.8.8.8"),
        ("http://[2606:4700:0:0::1111]:443/", "2606:4700::1111", 443, "/", "[2606:4700::1111]:443"),
        ("https://bücher.example/übung", "xn--bcher-kva.example", 443, "/%C3%BCbung", "xn--bcher-kva.example"),
        ("https://BÜCHER.example/", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
        ("https://my_bucket.s3.example/a?X-Sig=ab%2Fc", "my_bucket.s3.example", 443, "/a?X-Sig=ab%2Fc", None),
        ("https://1.2.3.example/", "1.2.3.example", 443, "/", None),
        ("https://0xfeed.example/", "0xfeed.example", 443, "/", None),
    ],
)
def test_urls_are_read(url: str, host: str, port: int, path: str, authority: str | None) -> None:
    target = parse(url)
    assert (target.host, target.port, target.path) == (host, port, path)
    assert target.authority == (authority or host)


@pytest.mark.parametrize("name", ["a" * 63 + ".example", ".".join(["a" * 63] * 3 + ["b" * 61])])
def test_the_longest_names_pass_and_longer_ones_do_not(name: str) -> None:
    assert parse(f"https://{name}/").host == name
    assert code_of(lambda: parse(f"https://a{name}/")) == "url_malformed"


def test_a_literal_address_and_a_number_never_reach_the_resolver() -> None:
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return [PUBLIC]

    egress = Egress(resolver=resolver)
    assert egress.check("http://8.8.8.8/").addresses == ("8.8.8.8",)
    assert egress.check("http://[2606:4700::1111]/").addresses == ("2606:4700::1111",)
    for host in ("2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "127.1", "127.0.1", "0", "a.0x7f", "127.0.0.0x1"):
        assert code_of(lambda host=host: egress.check(f"http://{host}/")) == "url_not_allowed"
    assert asked == []
    egress.check("http://a.example/")
    assert asked == ["a.example"]


def test_addresses_come_in_the_resolvers_order_once_each_and_not_too_many() -> None:
    many = [f"93.184.216.{n}" for n in range(50, 10, -1)]
    assert Egress(resolver=fixed(*many, *many)).check("http://a.example/").addresses == tuple(many[:4])
    # An address that is beyond those tried counts as well.
    assert code_of(lambda: Egress(resolver=fixed(*many, "10.0.0.1")).check("http://a.example/")) == "url_not_allowed"


def failing(error: BaseException) -> Callable[[str, int], list[str]]:
    def resolver(host: str, port: int) -> list[str]:
        raise error

    return resolver


@pytest.mark.parametrize(
    ("resolver", "retryable"),
    [
        (failing(socket.gaierror(socket.EAI_NONAME, "unknown")), False),
        (failing(socket.gaierror(socket.EAI_AGAIN, "try again")), True),
        (failing(UnicodeError("label")), False),
        (fixed(), False),
        (fixed("no address"), False),
    ],
)
def test_names_without_an_address(resolver: Callable[[str, int], list[str]], retryable: bool) -> None:
    with pytest.raises(ReceiverUnavailable if retryable else InvalidRequest) as caught:
        Egress(resolver=resolver).check("https://a.example/")
    assert (caught.value.code, caught.value.status) == ("url_not_resolved", 422)
    assert caught.value.retryable is retryable


def test_a_fault_of_the_resolver_itself_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        Egress(resolver=failing(ZeroDivisionError())).check("https://a.example/")


def test_a_resolver_that_hangs_holds_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.outgoing.egress.RESOLVE_TIMEOUT", 0.1)
    release = threading.Event()

    def resolver(host: str, port: int) -> list[str]:
        release.wait(10)
        return [PUBLIC]

    with pytest.raises(ReceiverUnavailable) as caught:
        Egress(resolver=resolver).check("https://a.example/")
    release.set()
    assert (caught.value.code, caught.value.retryable) == ("url_not_resolved", True)


@pytest.mark.parametrize(
    ("allow", "ports", "url", "address", "code"),
    [
        # a network opens its addresses on the usual ports alone
        (["10.0.0.0/8"], (80, 443), "http://a.example/", "10.1.2.3", None),
        (["10.0.0.0/8"], (80, 443), "http://10.1.2.3/", "", None),
        (["10.0.0.0/8"], (80, 443), "http://a.example:9000/", "10.1.2.3", "url_port_not_allowed"),
        (["10.0.0.0/8"], (80, 443, 9000), "http://a.example:9000/", "10.1.2.3", None),
        (["10.0.0.0/8"], (80, 443), "http://a.example/", "11.1.2.3", None),
        (["10.0.0.0/8"], (80, 443), "http://a.example/", "192.168.0.1", "url_not_allowed"),
        (["10.1.2.3"], (80, 443), "http://a.example/", "10.1.2.4", "url_not_allowed"),
        (["fd00::/8"], (80, 443), "http://[fd00::1]/", "", None),
        (["fd00::/8"], (80, 443), "http://a.example/", "10.0.0.1", "url_not_allowed"),
        # neither do other spellings of an address slip in
        (["127.0.0.0/8"], (80, 443), "http://[::ffff:127.0.0.1]/", "", "url_not_allowed"),
        (["127.0.0.0/8"], (80, 443), "http://[64:ff9b::127.0.0.1]/", "", "url_not_allowed"),
        (["127.0.0.0/8"], (80, 443), "http://127.1/", "", "url_not_allowed"),
        # an address with a port opens that port alone, by whatever name
        (["10.1.2.3:9000"], (80, 443), "http://a.example:9000/", "10.1.2.3", None),
        (["10.1.2.3:9000"], (80, 443), "http://10.1.2.3:9000/", "", None),
        (["10.1.2.3:9000"], (80, 443), "http://10.1.2.3/", "", "url_not_allowed"),
        (["10.1.2.3:9000"], (80, 443), "http://a.example:9000/", "10.1.2.4", "url_not_allowed"),
        (["10.1.2.3:9000"], (80, 443), "http://a.example:9000/", PUBLIC, "url_port_not_allowed"),
        (["10.0.0.0/8:9000"], (80, 443), "http://10.9.9.9:9000/", "", None),
        (["[fd00::/8]:9000"], (80, 443), "http://[fd00::5]:9000/", "", None),
        (["[fd00::5]:9000"], (80, 443), "http://[fd00::6]:9000/", "", "url_not_allowed"),
        # a name with a port is trusted, wherever it leads; other names that lead there are not
        (["A.example:9000"], (80, 443), "http://a.EXAMPLE:9000/", "127.0.0.1", None),
        (["a.example:9000"], (80, 443), "http://a.example/", "127.0.0.1", "url_not_allowed"),
        (["a.example:9000"], (80, 443), "http://b.example:9000/", "127.0.0.1", "url_not_allowed"),
        (["a.example:9000"], (80, 443), "http://xa.example:9000/", PUBLIC, "url_port_not_allowed"),
        (["bücher.example:80"], (443,), "http://xn--bcher-kva.example/", "127.0.0.1", None),
        # ports alone
        ([], (80, 443), "http://a.example:8080/", PUBLIC, "url_port_not_allowed"),
        ([], (8080,), "http://a.example:8080/", PUBLIC, None),
        ([], (8080,), "http://a.example/", PUBLIC, "url_port_not_allowed"),
    ],
)
def test_the_allow_list(allow: list[str], ports: tuple[int, ...], url: str, address: str, code: str | None) -> None:
    egress = Egress(allow, ports, fixed(address))
    if code is None:
        assert egress.check(url).addresses
    else:
        assert code_of(lambda: egress.check(url)) == code


@pytest.mark.parametrize(
    "entry",
    [
        *(
            "",
            "*",
            "a.example",
            "a.example:",
            "a.example:0",
            "a.example:65536",
            "a.example:http",
            ":80",
            "*.example:80",
        ),
        *("10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8:0", "300.1.1.1:80", "127.1:80", "http://a.example:80"),
        *("a.example:80/x", "u@a.example:80", "[a.example]:80", "[::1", "[::1]:", "a b:80", "[10.0.0.1/8]:80"),
    ],
)
def test_entries_of_the_allow_list_that_cannot_be_read(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="allow-list"):
        Egress([entry])


def test_settings_are_lists_with_commas() -> None:
    egress = Egress.configured(" 10.0.0.0/8 , a.example:9000,", "443, 8443")
    assert egress.check("http://10.0.0.1:8443/").port == 8443
    assert code_of(lambda: egress.check("http://10.0.0.1/")) == "url_port_not_allowed"
    assert Egress.configured().check("http://8.8.8.8/").port == 80
    for ports in ("http", "0", "65536", "80;443", "-1", "²"):
        with pytest.raises(ConfigurationError, match="ports"):
            Egress.configured("", ports)
    with pytest.raises(ConfigurationError, match="nonsense"):
        Egress.configured("10.0.0.0/8,nonsense")


def test_this_machines_own_public_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    card = type(next(iter(psutil.net_if_addrs().values()))[0])
    own = {
        "eth0": [
            card(socket.AF_INET, PUBLIC, None, None, None),
            card(socket.AF_INET6, "2606:4700::1111%eth0", None, None, None),
        ]
    }
    monkeypatch.setattr("psutil.net_if_addrs", lambda: own)
    assert code_of(lambda: Egress().check(f"http://{PUBLIC}/")) == "url_not_allowed"
    assert code_of(lambda: Egress().check("http://[2606:4700:0::1111]/")) == "url_not_allowed"
    assert Egress([f"{PUBLIC}:80"]).check(f"http://{PUBLIC}/").addresses == (PUBLIC,)
    assert Egress().check("http://8.8.8.8/").addresses == ("8.8.8.8",)


def test_a_refusal_does_not_tell_what_a_name_resolved_to() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Egress(resolver=fixed("10.20.30.40")).check("https://intranet.example/token-in-path")
    assert "10.20" not in caught.value.message
    assert "token" not in caught.value.message


PIECES = st.sampled_from(
    [
        *("http", "https", "ftp", "file", ":", "//", "/", "\\", "@", "#", "?", "%", "[", "]", ".", "..", "-", "_", " "),
        *(
            "127",
            "0",
            "1",
            "0x7f",
            "0177",
            "2130706433",
            "127.0.0.1",
            "10.0.0.1",
            "8.8.8.8",
            "::1",
            "::ffff:",
            "fe80::1",
        ),
        *(
            "64:ff9b::",
            "2002:7f00:1::",
            "2606:4700::1111",
            "%25eth0",
            "a.example",
            "xn--",
            "xn--bcher-kva",
            "ü",
            "。",
            "．",
        ),
        *(
            "１",
            "①",
            "١",
            "\u200b",
            "\u00ad",
            "\u202e",
            "\r\n",
            "\t",
            "\0",
            "\ud800",
            "ſ",
            "\u212a",
            "%00",
            "%2f",
            "80",
        ),
        *("443", "8080", "65536", "user:pw", "é", "ß", "localhost", "A" * 64, "x" * 300),
    ]
)
URLS = st.one_of(
    st.text(max_size=60),
    st.lists(PIECES, max_size=12).map("".join),
    st.builds(lambda scheme, rest: f"{scheme}://{''.join(rest)}", st.sampled_from(["http", "https"]), st.lists(PIECES)),
    st.builds(lambda host: f"http://{host}/", st.text(max_size=30)),
    st.builds(lambda address: f"http://{address}/", st.ip_addresses(v=4)),
    st.builds(lambda address: f"http://[{address}]/", st.ip_addresses(v=6)),
    st.builds(lambda number: f"http://{number}/", st.integers(0, 2**33)),
    st.builds(lambda number: f"http://{number:#x}/", st.integers(0, 2**33)),
)
ADDRESSES = st.one_of(st.ip_addresses().map(str), st.sampled_from(NOT_PUBLIC + IS_PUBLIC), st.text(max_size=8))
ALLOWED = ipaddress.ip_network("10.0.0.0/8")


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(url=URLS, answers=st.lists(ADDRESSES, max_size=3))
@example(url="http://\ud800/", answers=[])
@example(url="http://a.example/\ud800", answers=[PUBLIC])
@example(url="http://a.example:443/", answers=[PUBLIC, "10.0.0.1"])
def test_what_is_accepted_is_public_or_allowed_and_what_is_not_is_an_error_of_ours(
    url: str, answers: list[str]
) -> None:
    try:
        target = Egress(["10.0.0.0/8"], resolver=fixed(*answers)).check(url)
    except InvalidRequest as error:
        assert error.code in CODES
        return
    assert target.addresses
    assert target.port in (80, 443)
    assert target.scheme in ("http", "https")
    assert target.path.isascii() and target.path.isprintable() and " " not in target.path
    for text in target.addresses:
        address = ipaddress.ip_address(text)
        assert is_public(address) or address in ALLOWED


@settings(max_examples=1000, deadline=None)
@given(url=URLS)
@example(url="http://a.example/x")
@example(url="http://8.8.8.8/")
def test_other_parsers_and_inet_aton_read_an_accepted_host_alike(url: str) -> None:
    with contextlib.suppress(InvalidRequest):
        target = parse(url)
        with contextlib.suppress(OSError):
            # What a lenient resolver takes for a number is the very address that we saw.
            assert socket.inet_ntoa(socket.inet_aton(target.host)) == target.host
        if url.isascii():
            assert urlsplit(url).port in (target.port, None)
            host = urlsplit(url).hostname or ""
            assert host == target.host or ipaddress.ip_address(host) == ipaddress.ip_address(target.host)
            again = f"{target.scheme}://{target.authority}{target.path}"
            assert httpx.URL(again).raw_host.decode() == target.host
            assert parse(again) == target
