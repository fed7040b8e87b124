"""The JetStream streams: events in one, dead letters in one of their own, subjects never overlapping."""

from __future__ import annotations

from typing import Final, Self

import msgspec
import nats.errors
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from smartstream.brokers.nats_access import NO_STORAGE, OVERLAP
from smartstream.config.site import Site
from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.observe.logging import get_logger

EVENTS: Final = "IOC_EVENTS"
DEAD_LETTERS: Final = "IOC_DLQ"
EVENT_CLASSES: Final = (
    "violation", "traffic", "signal", "camera", "air", "env", "indicator", "media", "report", "incident",
    "warning",
)  # fmt: skip
SUBJECTS: Final = {
    EVENTS: [f"ioc.*.*.{name}.>" for name in EVENT_CLASSES],
    DEAD_LETTERS: ["ioc.*.*.dlq.>"],
}
_SMALLEST: Final = 32 << 20

_log = get_logger("nats")


class StreamLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream keeps; the oldest goes first.

    Attributes:
        max_bytes: Of the events, less where the disk has no room; a fourth of it for dead letters.
        max_age_s: None keeps until ``max_bytes``.
        adjust: Set age and window of existing streams, too; otherwise they are for the server's operator.
        duplicate_window_s: How long the server itself knows an id. Retries end well within it; a restarted
            run reads what the stream already holds, however long it was away.
    """

    max_bytes: int = 1 << 30
    max_age_s: float | None = None
    duplicate_window_s: float = 120.0
    adjust: bool = False

    @classmethod
    def of_site(cls, site: Site) -> Self:
        """What the site file says; the embedded server's streams follow it when it changes."""
        return cls(
            max_age_s=site.nats.retention_days * 86_400,
            duplicate_window_s=site.nats.duplicate_window_s,
            adjust=site.nats.url == "embedded",
        )


DEFAULT_LIMITS: Final = StreamLimits()


def stream_of(event_type: str) -> str:
    """The stream an event type belongs to.

    Raises:
        InvalidInputError: The class of the type has no stream.
    """
    name = event_type.split(".", 3)[2]
    if name == "dlq":
        return DEAD_LETTERS
    if name in EVENT_CLASSES:
        return EVENTS
    raise InvalidInputError(f"event type {event_type}: expected a class of {', '.join(EVENT_CLASSES)}, dlq")


async def ensure_streams(js: JetStreamContext, limits: StreamLimits) -> dict[str, StreamInfo]:
    """Both streams, created or brought up to date; doing it again changes nothing.

    Args:
        js: Of a connection that may manage streams.
        limits: What a new stream gets; with ``adjust`` an existing one, too.

    Raises:
        InvalidInputError: Another stream holds our subjects, there is no room for the streams, or somebody has made one
            that does not keep what it is given.
        UnavailableError: JetStream does not answer.
    """
    return {name: await _ensure(js, name, limits) for name in SUBJECTS}


async def _ensure(js: JetStreamContext, name: str, limits: StreamLimits) -> StreamInfo:
    try:
        try:
            info = await js.stream_info(name)
        except NotFoundError:
            return await _create(js, name, limits)
        _require_keeping(name, info.config)
        wanted = info.config.evolve(subjects=sorted({*(info.config.subjects or []), *SUBJECTS[name]}))
        if limits.adjust:
            ours = _config(name, limits)
            wanted = wanted.evolve(max_age=ours.max_age, duplicate_window=ours.duplicate_window)
        if wanted != info.config.evolve(subjects=sorted(info.config.subjects or [])):
            info = await js.update_stream(wanted)
    except (ServiceUnavailableError, nats.errors.NoRespondersError) as e:
        raise UnavailableError("the NATS server runs without JetStream: events could not be kept") from e
    except APIError as e:
        if e.err_code == OVERLAP:
            raise InvalidInputError(
                f"NATS stream {name}: another stream already takes its subjects {', '.join(SUBJECTS[name])}"
            ) from e
        if e.err_code in NO_STORAGE:
            raise InvalidInputError(f"NATS stream {name}: no room for it: {e.description}") from e
        raise UnavailableError(f"NATS stream {name}: {e.description}") from e
    except (nats.errors.Error, TimeoutError) as e:
        raise UnavailableError(f"NATS stream {name}: {e or 'no answer'}") from e
    return info


def _require_keeping(name: str, found: StreamConfig) -> None:
    """A stream made by others must keep what it acknowledges: whoever comes later reads it, a resumed run, too."""
    wrong = {
        "no_ack: it acknowledges nothing": found.no_ack,
        "sealed": found.sealed,
        "a mirror of another stream": found.mirror,
        f"retention {found.retention}: messages go when they are read": found.retention
        not in (None, RetentionPolicy.LIMITS),
    }
    for what, is_so in wrong.items():
        if is_so:
            raise InvalidInputError(
                f"NATS stream {name}: expected one that keeps what it is given (retention limits), found {what}"
            )


async def _create(js: JetStreamContext, name: str, limits: StreamLimits) -> StreamInfo:
    """As large as the disk allows, if that is less than wished."""
    while True:
        try:
            return await js.add_stream(_config(name, limits))
        except APIError as e:
            if e.err_code not in NO_STORAGE or limits.max_bytes < _SMALLEST:
                raise
        limits = msgspec.structs.replace(limits, max_bytes=limits.max_bytes // 2)
        _log.warning("NATS stream gets less room: the disk is nearly full", stream=name, bytes=limits.max_bytes)


def _config(name: str, limits: StreamLimits) -> StreamConfig:
    return StreamConfig(
        name=name,
        subjects=SUBJECTS[name],
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_bytes=limits.max_bytes if name == EVENTS else limits.max_bytes // 4,
        max_age=limits.max_age_s or 0,
        duplicate_window=limits.duplicate_window_s,
    )
