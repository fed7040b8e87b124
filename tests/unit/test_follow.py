"""`tail`: a subject, an address, a time that cannot be is one message, not a wait for ever."""

import pytest
from click.testing import CliRunner

from smartstream.cli.tail import tail
from smartstream.errors import InvalidInputError
from smartstream.sinks.nats_follow import full_subject


@pytest.mark.parametrize("words", ["", ".", "a..b", ">.x", "x y", "ioc.", "a*", "ioc.>.b", "a\n"])
def test_a_subject_that_cannot_be_is_refused(words):
    with pytest.raises(InvalidInputError, match="words between dots"):
        full_subject(words)


@pytest.mark.parametrize("url", ["nats://127.0.0.1:99999", "nats://127.0.0.1:x", "nats://:1", "http://x", ""])
def test_an_address_that_cannot_be_is_refused(url):
    with pytest.raises(InvalidInputError, match="expected nats://HOST:PORT"):
        CliRunner().invoke(tail, ["--url", url], catch_exceptions=False)


def test_since_before_time_began():
    with pytest.raises(InvalidInputError, match="subject"):  # what comes after the time is looked at
        CliRunner().invoke(tail, ["a..b", "--since", "99999999999999d"], catch_exceptions=False)
