"""What may be asked: nothing private is reached, by whatever way."""

from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.config import FetchSettings, load_settings
from indexer.errors import (
    ConfigError,
    FetchError,
)
from indexer.fetch import PhotoSource
from indexer.fetch.addresses import is_public
from indexer.images import ImageLimits
from tests.indexer.fetch.conftest import at, source
from tests.photo_server import HOST, NOT_PUBLIC, PHOTO, PhotoServer, reply, to


def test_a_photo_is_downloaded_from_the_address_that_was_checked(server: PhotoServer) -> None:
    answers = [["127.0.0.1"], ["169.254.169.254"]]  # a name that changes once it is checked
    photos = source(f"{HOST}:{server.port}", resolve=lambda *_: answers.pop(0))
    assert photos.read(server.url) == PHOTO
    assert len(answers) == 1
    assert server.requests[0][1]["Host"] == f"{HOST}:{server.port}"


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_a_host_with_an_address_that_is_not_public_is_refused(address: str) -> None:
    photos = source(resolve=at("8.8.8.8", address))
    with pytest.raises(FetchError, match=r"not on the public internet; .* fetch\.allowed_hosts"):
        photos.read("https://shop.example/a.jpg")


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "0.0.0.0", "::", "224.0.0.1"])
def test_even_an_allowed_host_is_not_asked_at_a_link_local_address(address: str) -> None:
    photos = source("shop.example", resolve=at(address))
    with pytest.raises(FetchError, match="not on the public internet"):
        photos.read("https://shop.example/a.jpg")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "localhost", "[::1]", "[::ffff:7f00:1]"]
)
def test_no_way_to_write_this_machine_gets_through(host: str, server: PhotoServer) -> None:
    photos = PhotoSource(ImageLimits(), FetchSettings(timeout_s=1))
    with pytest.raises(FetchError):
        photos.read(f"http://{host}/a.jpg")
    with pytest.raises(FetchError, match="port"):
        photos.read(f"http://{host}:{server.port}/a.jpg")
    assert server.connections == 0


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://user:secret@shop.example/a.jpg", "user name or password"),
        ("http://user@shop.example/a.jpg", "user name or password"),
        ("http://shop.example:22/a.jpg", "not fetched from port 22"),
        ("https://shop.example:99999/a.jpg", "invalid URL"),
        ("http:///a.jpg", "must start with http"),
        ("http://[::1/a.jpg", "invalid URL"),
        (f"http://{'a' * 70}.example/a.jpg", "invalid host name"),
    ],
)
def test_a_url_that_is_not_for_photos_is_refused(url: str, reason: str) -> None:
    photos = PhotoSource(ImageLimits(), FetchSettings(timeout_s=1))
    with pytest.raises(FetchError, match=reason):
        photos.read(url)


@given(st.ip_addresses())
def test_no_address_of_a_special_network_is_public(address: IPv4Address | IPv6Address) -> None:
    special = [
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "::/3"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "4000::/2", "8000::/1"),
    ]
    assert is_public(address) != any(address in ip_network(network) for network in special)


@given(st.ip_addresses(v=4))
def test_no_address_that_carries_another_is_public(inner: IPv4Address) -> None:
    number = int(inner)
    for prefix in ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::"):
        assert not is_public(IPv6Address(int(IPv6Address(prefix)) | number))
    assert not is_public(IPv6Address(int(IPv6Address("2002::")) | number << 80))
    assert not is_public(IPv6Address(int(IPv6Address("2001::")) | number ^ 0xFFFFFFFF))


def test_hosts_are_allowed_by_a_list_or_by_text_with_commas(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("fetch: {allowed_hosts: [photos.internal, '[fd00::1]:8080']}")
    hosts = ["photos.internal", "[fd00::1]:8080"]
    variable = {"IMAGE_SEARCH_FETCH_ALLOWED_HOSTS": ", ".join(hosts)}
    assert load_settings(file, {}).fetch.allowed_hosts == hosts
    assert load_settings(environ=variable).fetch.allowed_hosts == hosts
    for wrong in ("https://photos.internal", "photos.internal:https", "a/b", "user@host"):
        with pytest.raises(ConfigError, match=r"fetch\.allowed_hosts: received .*photos\.internal"):
            load_settings(environ={"IMAGE_SEARCH_FETCH_ALLOWED_HOSTS": wrong})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(server: PhotoServer, photos: PhotoSource, status: int) -> None:
    server.answers = [to("/b.jpg", status), reply()]
    assert photos.read(server.url) == PHOTO
    assert [path for path, _ in server.requests] == ["/a.jpg", "/b.jpg"]


@pytest.mark.parametrize(
    "location",
    [
        *("http://internal.example/", "//169.254.169.254/latest/meta-data", "http://127.0.0.1/"),
        *("file:///etc/passwd", "http://u:p@shop.example/", "http://shop.example:6379/"),
        *("http://[::1", "http://photos.example:1/"),
    ],
)
def test_a_redirect_is_checked_as_the_url_is(server: PhotoServer, location: str) -> None:
    def resolve(host: str, port: int) -> list[str]:  # noqa: ARG001
        return [{HOST: "127.0.0.1", "internal.example": "10.0.0.1"}.get(host, host)]

    server.answers = [to(location)]
    with pytest.raises(FetchError):
        source(f"{HOST}:{server.port}", resolve=resolve).read(server.url)
    assert {path for path, _ in server.requests} == {"/a.jpg"}


def test_redirects_that_do_not_end_are_given_up(server: PhotoServer, photos: PhotoSource) -> None:
    server.answers = [to("/again")]
    with pytest.raises(FetchError, match="redirects more than 3 times"):
        photos.read(server.url)
    assert len(server.requests) == 4
