"""Identity-card photo URLs and the addresses they may lead to."""

from typing import Any

import pytest

from skynet_assets.parsing.photos import (
    PhotoSource,
    classify_url,
    is_placeholder_image,
    is_public_address,
    photo_policy,
    photo_source,
)

POLICY = photo_policy(
    None, "photos.example.test, Cdn.example.test.:8443, 93.184.216.34, [2606:4700::1]:443, http://bad, x:0"
)
BASED = photo_policy(" https://photos.example.test/app/ ", "photos.example.test")
HOST = "photos.example.test"


@pytest.mark.parametrize(
    ("value", "url", "code"),
    [
        (f"https://{HOST}/a.jpg", None, None),
        (f"HTTP://{HOST.upper()}./a.jpg?x=1#y", None, None),
        (f"https://{HOST}:0443/a", None, None),
        (f"http://{HOST}:80", None, None),
        ("https://cdn.example.test:8443/a", None, None),
        ("http://93.184.216.34/a", None, None),
        ("https://[2606:4700:0::1]/a", None, None),
        ("foto/a.jpg", None, "RELATIVE_URL"),
        ("//u:p@host/a.jpg", "//host/a.jpg", "RELATIVE_URL"),
        ("1http://x", None, "RELATIVE_URL"),
        ("JavaScript:alert(1)", "javascript:", "UNSUPPORTED_SCHEME"),
        ("ftp://u:p@x/a", "ftp:", "UNSUPPORTED_SCHEME"),
        ("localhost:80/a", "localhost:", "UNSUPPORTED_SCHEME"),
        (f"http:/{HOST}/a", None, "INVALID_URL"),
        ("http:///a", None, "INVALID_URL"),
        (f"http://{HOST}/a\\b", None, "INVALID_URL"),
        (f"http://evil\\@{HOST}/", None, "INVALID_URL"),
        ("http://user@/a", "http:///a", "INVALID_URL"),
        ("http://ho st/a", None, "INVALID_URL"),
        ("http://höst/a", None, "INVALID_URL"),
        (f"http://{HOST}:/a", None, "INVALID_URL"),
        (f"http://{HOST}:x/a", None, "INVALID_URL"),
        (f"http://{HOST}:٨٠/a", None, "INVALID_URL"),
        (f"http://{HOST}:0/a", None, "INVALID_URL"),
        (f"http://{HOST}:65536/a", None, "INVALID_URL"),
        (f"http://{HOST}:{'9' * 5000}/a", None, "INVALID_URL"),
        ("http://[1.2.3.4]/a", None, "INVALID_URL"),
        ("http://[fe80::1%25eth0]/a", None, "INVALID_URL"),
        ("http://[::1/a", None, "INVALID_URL"),
        ("http://::1/a", None, "INVALID_URL"),
        (f"https://u:p@x@{HOST}/a@b", f"https://{HOST}/a@b", "URL_HAS_CREDENTIALS"),
        (f"https://@{HOST}/", f"https://{HOST}/", "URL_HAS_CREDENTIALS"),
        ("http://u@127.0.0.1/a", "http://127.0.0.1/a", "URL_HAS_CREDENTIALS"),
        ("http://169.254.169.254/x", None, "PRIVATE_ADDRESS"),
        ("http://127.0.0.1./x", None, "PRIVATE_ADDRESS"),
        ("http://127.1/x", None, "PRIVATE_ADDRESS"),
        ("http://2130706433/x", None, "PRIVATE_ADDRESS"),
        ("http://0X7f.1/x", None, "PRIVATE_ADDRESS"),
        ("http://x.0x7f/x", None, "PRIVATE_ADDRESS"),
        ("http://010.0.0.1/x", None, "PRIVATE_ADDRESS"),
        ("http://[::ffff:8.8.8.8]/x", None, "PRIVATE_ADDRESS"),
        ("http://LocalHost/x", None, "PRIVATE_ADDRESS"),
        ("http://localhost./x", None, "PRIVATE_ADDRESS"),
        ("http://a.localhost/x", None, "PRIVATE_ADDRESS"),
        ("http://nas.local:99/x", None, "PRIVATE_ADDRESS"),
        ("http://a.internal/x", None, "PRIVATE_ADDRESS"),
        ("https://foreign.example/x", None, "HOST_NOT_ALLOWED"),
        (f"https://{HOST}.evil.example/x", None, "HOST_NOT_ALLOWED"),
        ("http://8.8.8.8/x", None, "HOST_NOT_ALLOWED"),
        ("http://./x", None, "HOST_NOT_ALLOWED"),
        ("http://x/x", None, "HOST_NOT_ALLOWED"),
        (f"https://{HOST}:8443/a", None, "PORT_NOT_ALLOWED"),
        (f"http://{HOST}:443/a", None, "PORT_NOT_ALLOWED"),
        ("https://cdn.example.test/a", None, "PORT_NOT_ALLOWED"),
        ("http://[2606:4700::1]/a", None, "PORT_NOT_ALLOWED"),
        (12345, "12345", "RELATIVE_URL"),
    ],
)
def test_photo_source(value: Any, url: Any, code: Any) -> None:
    expected = PhotoSource(url or str(value), "blocked" if code else "pending", code)
    assert photo_source(value, POLICY) == expected


@pytest.mark.parametrize("value", [None, "", "-", True, [], {}, "no-image.png", "https://x/y/Avatar.JPG?v=1"])
def test_no_photo(value: Any) -> None:
    assert photo_source(value, POLICY) is None


@pytest.mark.parametrize(
    ("url", "joined", "code"),
    [
        ("foto/a.jpg", "https://photos.example.test/app/foto/a.jpg", None),
        ("/a.jpg", "https://photos.example.test/a.jpg", None),
        ("//evil.example/a.jpg", "https://evil.example/a.jpg", "HOST_NOT_ALLOWED"),
        ("//u@photos.example.test/a", "https://photos.example.test/a", "URL_HAS_CREDENTIALS"),
        ("//[bad/a.jpg", "https://[bad/a.jpg", "INVALID_URL"),
        ("\\\\evil\\a.jpg", "https://photos.example.test/app/\\\\evil\\a.jpg", "INVALID_URL"),
        ("http://evil.example/a", "http://evil.example/a", "HOST_NOT_ALLOWED"),
    ],
)
def test_relative_urls_are_joined_to_the_base(url: Any, joined: Any, code: Any) -> None:
    assert classify_url(url, BASED) == PhotoSource(joined, "blocked" if code else "pending", code)


def test_an_empty_allowlist_allows_nothing() -> None:
    for settings in (None, "", " , "):
        assert classify_url(f"https://{HOST}/a", photo_policy("", settings)).error_code == "HOST_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("noimage", True),
        ("foto/NO_IMAGE.PNG", True),
        ("https://x/default.jpg#a/b", True),
        ("https://x/y?z=/default.jpg", False),
        ("https://x/blank.", True),
        ("/a/user", True),
        ("placeholder.tar.gz", False),
        ("https://default", False),
        ("https://avatar.example/", False),
        ("avatar1.png", False),
        ("a/", False),
        ("", False),
    ],
)
def test_is_placeholder_image(url: Any, expected: Any) -> None:
    assert is_placeholder_image(url) is expected


PUBLIC = "8.8.8.8 192.0.0.9 192.0.0.10 1.1.1.1 223.255.255.255 2606:4700::1 2001:4860::8888 2001:20::1 2620:4f:8000::1"
NOT_PUBLIC = (
    "0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 169.254.169.254 172.31.0.1 192.0.0.1 192.0.2.1 192.88.99.1 192.168.1.1 "
    "198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 "
    ":: ::1 ::ffff:8.8.8.8 ::8.8.8.8 64:ff9b::808:808 64:ff9b:1::1 100::1 2001::1 2001:2::1 2001:db8::1 "
    "2002:808:808::1 3fff::1 5f00::1 fc00::1 fd00::1 fe80::1 fe80::1%eth0 2606:4700::1%eth0 fec0::1 ff02::1 x"
)


@pytest.mark.parametrize(
    ("address", "expected"),
    [*((a, True) for a in PUBLIC.split()), *((a, False) for a in NOT_PUBLIC.split())],
)
def test_is_public_address(address: Any, expected: Any) -> None:
    assert is_public_address(address) is expected
