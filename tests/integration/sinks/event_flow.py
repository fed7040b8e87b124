"""A small flow for the sink tests: numbered events from a file of counts, into the sinks under test.

Run as a program so that a test can kill it: ``event_flow.py CONFIG.json``, a JSON with ``count``, ``sides``,
``pause_s``, ``recovery``, ``events``, ``summary``, ``nats`` (a ``NatsAccess``), ``process``, ``addresses``.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import msgspec
from bytewax._bytewax import cli_main
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.recovery import RecoveryConfig

from smartstream.brokers.nats_access import NatsAccess
from smartstream.model.event import CloudEvent, make_event
from smartstream.model.items import Tally
from smartstream.sinks.event_file import EventFileSink
from smartstream.sinks.ledger import LedgerSink
from smartstream.sinks.nats import NatsSink


class Config(msgspec.Struct):
    count: int
    sides: int = 1
    pause_s: float = 0.0
    batch: int = 20
    epoch_s: float = 0.1
    recovery: str | None = None
    events: str | None = None
    summary: str | None = None
    nats: NatsAccess | None = None
    process: int | None = None
    addresses: list[str] = []


def event(side: str, n: int) -> CloudEvent:
    at_ns = 1_790_000_000_000_000_000 + n * 40_000_000
    if n % 10 == 9:
        return make_event(
            site="test", entity=side, kind=("dlq", "ingest", "observed"), subject="broken_json", at_ns=at_ns,
            key=f"line {n}", data={"stage": "ingest", "reason": "broken_json", "source": side, "count": 1},
        )  # fmt: skip
    if n % 10 == 4:
        return make_event(
            site="test", entity=side, kind=("violation", "red_light", "suspected"), subject=side, at_ns=at_ns,
            key=str(n), data={"kind": "red_light", "verdict": "suspected", "revision": 0, "n": n},
        )  # fmt: skip
    return make_event(
        site="test", entity=side, kind=("traffic", "crossing", "observed"), subject=side, at_ns=at_ns,
        key=str(n), data={"line": "stop", "camera": side, "class": "car", "direction": "forward", "n": n},
    )  # fmt: skip


class _Numbers(StatefulSourcePartition[CloudEvent | Tally, int]):
    def __init__(self, side: str, at: int, config: Config) -> None:
        self._side, self._at, self._config = side, at, config
        self._next: datetime | None = None

    def next_batch(self) -> list[CloudEvent | Tally]:
        if self._at >= self._config.count:
            raise StopIteration
        end = min(self._at + self._config.batch, self._config.count)
        items: list[CloudEvent | Tally] = [event(self._side, n) for n in range(self._at, end)]
        self._at = end
        if self._config.pause_s:
            self._next = datetime.now(UTC) + timedelta(seconds=self._config.pause_s)
        return [*items, Tally(self._side, {"lines": end})]

    def next_awake(self) -> datetime | None:
        return self._next

    def snapshot(self) -> int:
        return self._at


class Numbers(FixedPartitionedSource[CloudEvent | Tally, int]):
    def __init__(self, config: Config) -> None:
        self._config = config

    def list_parts(self) -> list[str]:
        return [f"side-{i}" for i in range(self._config.sides)]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> _Numbers:
        return _Numbers(for_part, resume_state or 0, self._config)


def flow(config: Config) -> Dataflow:
    flow = Dataflow("events")
    items = op.input("numbers", flow, Numbers(config))
    keyed = op.key_on("key", items, lambda i: i.side if isinstance(i, Tally) else i.id)
    events = op.filter("events_only", keyed, lambda kv: isinstance(kv[1], CloudEvent))
    if config.events:
        op.output("file", events, EventFileSink(config.events))
    if config.nats:
        journal = Path(config.recovery) / "nats.json" if config.recovery else None
        sink = NatsSink(config.nats, province="19", ward=None, journal=journal, patience_s=20)
        op.output("nats", events, sink)
    if config.summary:
        op.output("ledger", keyed, LedgerSink(Path(config.summary), site="test"))
    return flow


def main(config: Config) -> None:
    kwargs: dict[str, Any] = {}
    if config.recovery:
        kwargs["recovery_config"] = RecoveryConfig(config.recovery)
    cli_main(
        flow(config),
        process_id=config.process,
        addresses=config.addresses or None,
        epoch_interval=timedelta(seconds=config.epoch_s),
        **kwargs,
    )


if __name__ == "__main__":
    main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Config))
