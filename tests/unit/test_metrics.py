from __future__ import annotations

import io
import json

import pytest
from prometheus_client import REGISTRY

from smartstream.model.event import make_event
from smartstream.observe import metrics
from smartstream.observe.logging import configure


@pytest.fixture
def said() -> io.StringIO:
    out = io.StringIO()
    configure("info", "json", stream=out)
    metrics._said.clear()
    yield out
    configure()


def test_said_and_counted_together(said: io.StringIO) -> None:
    labels = {"stage": "ingest", "reason": "late"}
    before = REGISTRY.get_sample_value("smartstream_dead_letters_total", labels) or 0
    for _ in range(50):
        metrics.count_dead_letter(stage="ingest", reason="late", source="signals", detail="by 3 s", count=2)
    assert REGISTRY.get_sample_value("smartstream_dead_letters_total", labels) == before + 100
    (line,) = said.getvalue().splitlines()
    assert json.loads(line)["count"] == 2


def test_what_was_not_said_is_said_later(said: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(metrics.time, "monotonic", lambda: now[0])
    for at in (0.0, 1.0, 2.0, 11.0):
        now[0] = at
        metrics.count_dropped_frames(camera="c", stage="decode", reason="corrupt", intentional=False)
    counts = [json.loads(line)["count"] for line in said.getvalue().splitlines()]
    assert counts == [1, 3]


def test_events_by_type() -> None:
    event = make_event(
        site="t", entity="cam", kind=("violation", "red_light", "suspected"), subject="", at_ns=0, key="", data={}
    )
    metrics.count_event(event)
    labels = {"class": "violation", "kind": "red_light", "verb": "suspected"}
    assert REGISTRY.get_sample_value("smartstream_events_total", labels) >= 1


@pytest.mark.parametrize("level", ["warning", "nonsense"])
def test_levels(level: str) -> None:
    out = io.StringIO()
    configure(level, "json", stream=out)
    from smartstream.observe.logging import get_logger

    get_logger("t").info("hello", n=1)
    assert bool(out.getvalue()) == (level == "nonsense")
    configure()


def test_how_far_a_side_is() -> None:
    """The gauge was declared, and nobody ever set it."""
    metrics.tell_event_time("cam-0", -1)
    assert REGISTRY.get_sample_value("smartstream_event_time_seconds", {"side": "cam-0"}) is None
    metrics.tell_event_time("cam-0", 1_790_000_012_500_000_000)
    assert REGISTRY.get_sample_value("smartstream_event_time_seconds", {"side": "cam-0"}) == 1_790_000_012.5
