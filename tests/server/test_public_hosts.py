"""Names and addresses that lead inside are none that an administrator of a channel may set."""

from __future__ import annotations

import pytest

from tests.server.conftest import Place
from twofold.errors import Refused
from twofold.fetching.addresses import is_public_host
from twofold.server.auth.trusted_publishers import add_public_publisher

INNER = [
    "127.1",
    "10.1",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "2130706433",
    "127.0.0.1.",
    "[::ffff:10.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "db.INTERNAL",
    "db\u3002local",
    "localhost",
]


@pytest.mark.parametrize("host", INNER)
def test_an_inner_host_is_not_public(place: Place, host: str) -> None:
    assert not is_public_host(host.strip("[]"))
    with pytest.raises(Refused) as refused:
        claims = {"repository": "o/r"}
        add_public_publisher(place.registry, "ann", "main", "p", f"https://{host}:1", claims)
    assert refused.value.code in ("internal-address", "invalid-issuer", "forbidden-address")


def test_an_address_that_some_tables_call_global_is_not_public() -> None:
    for address in (
        *("224.0.0.1", "239.1.2.3", "ff02::1", "ff0e::1"),  # groups
        *("192.0.0.8", "192.88.99.1", "fec0::1", "5f00::1", "3fff::1", "64:ff9b:1::a00:1"),
        *("::ffff:0:127.0.0.1", "::ffff:0:a00:1", "2002:7f00:1::", "::10.0.0.1"),  # of IPv4
    ):
        assert not is_public_host(address), address
    for address in ("1.1.1.1", "2606:4700::1111", "::ffff:0:1.1.1.1", "64:ff9b::101:101"):
        assert is_public_host(address), address


def test_a_name_or_address_of_everybody_is_public() -> None:
    for host in ("example.org", "3.example.org", "8.8.8.8", "xn--bcher-kva.example", "a0x.org"):
        assert is_public_host(host), host


@pytest.mark.parametrize(
    "url",
    [
        *("https://u@ci.example", "https://[", "https://", "https://x/?a", "https://x:99999"),
        *(
            "https://x:0",
            "https://\u2460.example",
            "https://x.example/\u2028",
            "https://x y.example",
        ),
    ],
)
def test_an_issuer_that_is_no_plain_address_is_refused(place: Place, url: str) -> None:
    with pytest.raises(Refused) as refused:
        add_public_publisher(place.registry, "ann", "main", "p", url, {"repository": "o/r"})
    assert refused.value.code == "invalid-issuer"
