"""Items that go round the joins: dead letters and the health of cameras, as events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import msgspec

from smartstream.model.event import CloudEvent, make_event
from smartstream.model.items import DeadLetter, Gap, Health, Item
from smartstream.model.time import rfc3339


def beside_events(site: str, item: Item) -> list[CloudEvent]:
    """The events of an item that needs no join; most items have none."""
    match item:
        case DeadLetter():
            return [dead_letter_event(site, item)]
        case Health(side, what, verb, at_ns, detail, found_ns, shift):
            more: dict[str, Any] = {"detail": detail}
            if found_ns is not None:
                more["found"] = rfc3339(found_ns)
            if shift is not None:
                more["shift"] = list(shift)
            return [_health(site, side, what, verb, at_ns, more)]
        case Gap(side, run, at_ns, reason):
            return [_health(site, side, "gap", "opened", at_ns, {"run": run, "detail": reason})]
    return []


def as_events(site: str, told: Iterable[CloudEvent | DeadLetter]) -> list[CloudEvent]:
    """What a step tells, its dead letters as events among the others."""
    return [dead_letter_event(site, one) if isinstance(one, DeadLetter) else one for one in told]


def dead_letter_event(site: str, letter: DeadLetter) -> CloudEvent:
    """``dlq.<stage>.observed``: the letter itself is the payload."""
    data = cast(dict[str, Any], msgspec.to_builtins(letter))
    del data["type"], data["at_ns"]
    return make_event(
        site=site,
        entity=letter.source,
        kind=("dlq", letter.stage, "observed"),
        subject=f"{letter.source}/{letter.reason}",
        at_ns=letter.at_ns,
        key=f"{letter.reason}/{letter.place}",
        data=data,
    )


def _health(site: str, camera: str, what: str, verb: str, at_ns: int, more: dict[str, Any]) -> CloudEvent:
    return make_event(
        site=site,
        entity=camera,
        kind=("camera", "health", verb),
        subject=f"{camera}/{what}",
        at_ns=at_ns,
        key=what,
        data={"camera": camera, "what": what, **more},
    )
