from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartstream.brokers.nats_access import NatsAccess
from smartstream.brokers.subjects import covers, overlap
from smartstream.errors import InvalidInputError
from smartstream.sinks.nats_follow import full_subject
from smartstream.sinks.nats_streams import DEAD_LETTERS, EVENTS, SUBJECTS, stream_of

_TOKEN = st.sampled_from(["a", "b", "*"])
_PATTERN = st.builds(
    lambda tokens, tail: ".".join([*tokens, *tail]),
    st.lists(_TOKEN, min_size=1, max_size=3),
    st.sampled_from([[], [">"]]),
)
_WORLD = [".".join(s) for n in (1, 2, 3, 4) for s in product("abc", repeat=n)]


def matches(pattern: str, subject: str) -> bool:
    """Plain oracle of NATS matching."""
    tokens, words = pattern.split("."), subject.split(".")
    for i, token in enumerate(tokens):
        if token == ">":
            return len(words) > i
        if i >= len(words) or token not in ("*", words[i]):
            return False
    return len(tokens) == len(words)


@given(_PATTERN, _PATTERN)
def test_cover_and_overlap_as_the_subjects_say(one: str, other: str) -> None:
    a = {s for s in _WORLD if matches(one, s)}
    b = {s for s in _WORLD if matches(other, s)}
    assert overlap(one, other) == bool(a & b)
    assert covers(one, other) == (b <= a)


def test_the_streams_share_no_subject() -> None:
    every = [s for subjects in SUBJECTS.values() for s in subjects]
    assert not any(overlap(a, b) for i, a in enumerate(every) for b in every[i + 1 :])


def test_streams_of_types() -> None:
    assert stream_of("vn.ioc.violation.red_light.suspected.v1") == EVENTS
    assert stream_of("vn.ioc.dlq.ingest.observed.v1") == DEAD_LETTERS
    with pytest.raises(InvalidInputError, match="expected a class of violation"):
        stream_of("vn.ioc.weather.rain.observed.v1")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ioc.>", "ioc.>"),
        ("ioc", "ioc.>"),
        (">", ">"),
        ("violation", "ioc.*.*.violation.>"),
        ("violation.>", "ioc.*.*.violation.>"),
        ("violation.red_light", "ioc.*.*.violation.red_light.>"),
        ("violation.*.suspected", "ioc.*.*.violation.*.suspected"),
        ("ioc.19.*.dlq.>", "ioc.19.*.dlq.>"),
    ],
)
def test_subjects_as_typed(typed: str, meant: str) -> None:
    assert full_subject(typed) == meant


def test_no_secret_is_shown() -> None:
    assert NatsAccess(url="nats://user:pass@broker:4222").shown == "nats://broker:4222"
