"""One spelling of a root, and a token that goes nowhere else."""

import pytest
import requests

from calrecords.archive.origins import (
    NoAuth,
    OriginTokenAuth,
    checked_token,
    normalised_root,
    origin_of,
    without_secrets,
)
from calrecords.errors import ConfigurationError


@pytest.mark.parametrize(
    ("root", "normalised"),
    [
        ("http://h", "http://h/"),
        ("http://h/api", "http://h/api/"),
        ("http://h/api/", "http://h/api/"),
        ("http://h/api///", "http://h/api/"),
        (" HTTPS://Archive.Example:443/API ", "https://archive.example/API/"),
        ("http://h:80/", "http://h/"),
        ("http://h:443/", "http://h:443/"),
        ("http://h:8000", "http://h:8000/"),
        ("http://[::1]:8000", "http://[::1]:8000/"),
    ],
)
def test_a_root_has_one_spelling(root, normalised):
    assert normalised_root(root) == normalised


@pytest.mark.parametrize(
    "root",
    [
        "",
        "archive.example",
        "ftp://h/",
        "http://",
        "http:///api",
        "http://h:port/",
        "http://h:99999/",
        "http://[::1",
        "http://user:SECRET@h/",
        "http://SECRET@h/",
        "http://h/?token=SECRET",
        "http://h/#SECRET",
    ],
)
def test_what_is_no_root_is_refused_without_repeating_it(root):
    with pytest.raises(ConfigurationError, match="API_ROOT") as caught:
        normalised_root(root)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://H/a?b", ("https", "h", 443)),
        ("http://h:8000", ("http", "h", 8000)),
        ("http://h:0/", ("http", "h", 0)),
        ("http://u:p@h/", ("http", "h", 80)),
    ],
)
def test_an_origin_is_scheme_host_and_port(url, origin):
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:SECRET@h:1/a/b?sig=SECRET#SECRET", "https://h:1/a/b"),
        ("http://h/a\x00\x1b[2J\u202e/b", "http://h/a??[2J?/b"),
        ("http://h\u202e\x85/b", "http://h??/b"),
        ("mailto:SECRET", "an address that cannot be read"),
        ("http://[SECRET", "an address that cannot be read"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url, shown):
    assert without_secrets(url) == shown


@pytest.mark.parametrize(
    "root",
    [
        "http://127.0.0.1:1/",
        "http://[::1]/",
        "http://localhost/",
        "http://a.localhost/",
        "http://127.8.8.8/",
        "https://h/",
    ],
)
def test_a_token_may_stay_on_this_machine_or_be_encrypted(root):
    assert checked_token(" secret\n", root, allow_plain_http=False) == "secret"


@pytest.mark.parametrize(
    "root",
    ["http://h/", "http://10.0.0.1/", "http://localhost.evil.org/", "http://127.0.0.1.evil.org/"],
)
def test_a_token_crosses_a_network_unencrypted_only_where_that_is_allowed(root):
    with pytest.raises(ConfigurationError, match="allow_plain_http") as caught:
        checked_token("secret", root, allow_plain_http=False)
    assert "secret" not in str(caught.value)
    assert checked_token("secret", root, allow_plain_http=True) == "secret"
    assert checked_token(None, root, allow_plain_http=False) is None


@pytest.mark.parametrize("token", ["Token s3cret", "s3\r\nX: cret", "s3crét", "s3\tcret"])
def test_what_is_no_token_is_refused_without_repeating_it(token):
    with pytest.raises(ConfigurationError, match="AUTH_TOKEN") as caught:
        checked_token(token, "https://h/", allow_plain_http=False)
    assert token not in str(caught.value)


@pytest.mark.parametrize("token", [None, "", "  "])
def test_no_token_is_none(token):
    assert checked_token(token, "https://h/", allow_plain_http=False) is None


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://h/api/frames/", "Token secret"),
        ("https://H:443/other", "Token secret"),
        ("http://h/api/", None),
        ("https://h:8443/api/", None),
        ("https://h.evil.org/api/", None),
        ("https://evil.org/?https://h/", None),
        ("https://h@evil.org/", None),
    ],
)
def test_the_token_goes_to_its_own_origin_only(url, sent):
    auth = OriginTokenAuth("secret", origin_of("https://h/api/"))
    request = requests.Request("GET", url, headers={"Authorization": "left over"}, auth=auth)
    assert request.prepare().headers.get("Authorization") == sent


def test_no_credentials_are_none():
    request = requests.Request("GET", "https://h/", headers={"Authorization": "x"}, auth=NoAuth())
    assert "Authorization" not in request.prepare().headers
