"""What is counted: one Prometheus registry for the engine, served beside Bytewax's own numbers.

Labels come from small closed sets; no track, id or text is one.
"""

from __future__ import annotations

import time
from typing import Final

from prometheus_client import Counter, Gauge

from smartstream.model.event import CloudEvent
from smartstream.model.time import NS
from smartstream.observe.logging import get_logger

FRAMES_DROPPED: Final = Counter(
    "smartstream_frames_dropped_total",
    "Frames that were not analysed",
    ["camera", "stage", "reason", "intentional"],
)
DEAD_LETTERS: Final = Counter("smartstream_dead_letters_total", "Inputs that could not be used", ["stage", "reason"])
EVENTS: Final = Counter("smartstream_events_total", "Events that left the engine", ["class", "kind", "verb"])
EVENT_TIME: Final = Gauge(
    "smartstream_event_time_seconds", "Event time that a side has reached, epoch seconds", ["side"]
)

_log = get_logger("drops")
_SAY_EVERY_S: Final = 10.0
_said: dict[tuple[str, ...], tuple[float, int]] = {}


def count_event(event: CloudEvent) -> None:
    """Count an event that left the engine; a dead letter as such, which also says so."""
    _, _, class_, kind, verb, _ = event.type.split(".")
    EVENTS.labels(class_, kind, verb).inc()
    if class_ == "dlq":
        data = event.data
        count_dead_letter(
            stage=kind,
            reason=str(data.get("reason")),
            source=str(data.get("source", event.source)),
            detail=" ".join(str(data[name]) for name in ("place", "detail") if data.get(name)),
            count=max(1, int(data.get("count", 1))),
        )


def tell_event_time(side: str, at_ns: int) -> None:
    """How far a side is; one that has brought nothing yet is not there."""
    if at_ns > 0:
        EVENT_TIME.labels(side).set(at_ns / NS)


def count_dead_letter(*, stage: str, reason: str, source: str, detail: str = "", count: int = 1) -> None:
    """Count a dead letter and say so: data that could not be used is never lost in silence."""
    DEAD_LETTERS.labels(stage, reason).inc(count)
    if unsaid := _due(("dead", stage, reason, source), count):
        _log.error("dead letter", stage=stage, reason=reason, source=source, detail=detail, count=unsaid)


def count_dropped_frames(*, camera: str, stage: str, reason: str, intentional: bool, count: int = 1) -> None:
    """Count frames that were not analysed and say so; intended ones (a lower rate) only in debug logs."""
    FRAMES_DROPPED.labels(camera, stage, reason, str(intentional).lower()).inc(count)
    if unsaid := _due(("frames", camera, stage, reason), count):
        say = _log.debug if intentional else _log.error
        say("frames dropped", camera=camera, stage=stage, reason=reason, count=unsaid)


def _due(what: tuple[str, ...], count: int) -> int:
    """How many to speak of now; 0 while the same thing was said moments ago (its count is kept)."""
    now = time.monotonic()
    said_s, kept = _said.get(what, (-_SAY_EVERY_S, 0))
    if now - said_s < _SAY_EVERY_S:
        _said[what] = (said_s, kept + count)
        return 0
    _said[what] = (now, 0)
    return kept + count
