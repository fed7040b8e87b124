"""One process of a run: builds the dataflow from the plan and drives it to its end.

``python -m pipelines.worker PLAN INDEX PARENT`` is how the parent starts the processes of a cluster.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

# The entry that takes an epoch of less than the command line's whole seconds.
from bytewax._bytewax import cli_main
from bytewax.recovery import RecoveryConfig

from pipelines.arming import city_spec, junction_facts
from pipelines.children import deafen, die_with_parent, listen
from pipelines.evidence import EvidenceSpec, evidence_store
from pipelines.hot import hot_spec
from pipelines.joins import CitySpec
from pipelines.junction import JunctionSpec
from pipelines.junction_step import Junctions
from pipelines.junction_violations import Wiring, build
from pipelines.panics import HeldPanics, PeerGoneError, wrap_errors
from pipelines.rings import Rings
from pipelines.sources import junction_sides, site_sides
from pipelines.specs import desk_spec, flood_spec, media_spec, sector_spec, station_spec
from smartstream.brokers.nats_access import NatsAccess
from smartstream.config.site import Site, load_site
from smartstream.errors import InvalidInputError, SmartstreamError
from smartstream.evidence.pictures import Ring
from smartstream.ingest.board import Board
from smartstream.ingest.camera import RINGS
from smartstream.ingest.source import STOP, SideSpec, SiteSource
from smartstream.model.time import NS
from smartstream.observe.logging import configure, get_logger
from smartstream.rules.compile import compile_junction
from smartstream.rules.events import EventWriter
from smartstream.sinks.event_file import EventFileSink
from smartstream.sinks.ledger import LedgerSink
from smartstream.sinks.ledger_table import print_ledger
from smartstream.sinks.nats import NatsSink
from smartstream.sinks.recorder import RecordSink

EPOCH: Final = timedelta(seconds=1)
"""Time between commits; also the bound on what is in flight, since Bytewax holds sources back only there."""
_log = get_logger("worker")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the processes of a run must agree on.

    Attributes:
        site: Absolute path of the site file.
        speed: Event seconds per wall second; ``None``: as fast as possible.
        workers: Worker threads per process.
        addresses: Of every process, empty for a single one.
        elsewhere: Some of them run on other hosts.
        board: File of the shared board.
        summary: Where the ledger goes.
        events: Event file, ``-`` or ``None``.
        nats: How to reach the broker that events go to, or ``None``.
        inputs: How to reach the one that keeps what live feeds bring, or ``None``.
        recovery: Recovery folder, or ``None``.
        record: Folder for inputs as they came, or ``None``.
        quiet: Print no ledger.
    """

    site: str
    speed: float | None
    workers: int
    addresses: tuple[str, ...]
    elsewhere: bool
    board: str
    summary: str
    events: str | None
    nats: NatsAccess | None
    inputs: NatsAccess | None
    recovery: str | None
    record: str | None
    quiet: bool


def sides_of(plan: Plan, site: Site) -> dict[str, SideSpec]:
    """The sources of a plan."""
    state_dir = None if plan.recovery is None else Path(plan.recovery) / "vision"
    return site_sides(site, state_dir=state_dir, speed=plan.speed, inputs=plan.inputs)


def board_of(plan: Plan, sides: dict[str, SideSpec], *, create: bool = False) -> Board:
    """The shared board of a plan."""
    cameras = frozenset(name for name, spec in sides.items() if spec.start_ns is not None)
    return Board(Path(plan.board), tuple(sides), cameras, speed=plan.speed, create=create, elsewhere=plan.elsewhere)


def execute(plan: Plan, index: int | None) -> None:
    """Run this process's share until its sources end or ``STOP`` is set.

    Args:
        plan: The run's plan.
        index: Number of this process in a cluster, or ``None`` for a single one.
    """
    site = load_site(plan.site)
    sides = sides_of(plan, site)
    board = board_of(plan, sides)
    city = city_spec(site)
    specs = junction_specs(site, city)
    lent = None
    if index is not None and site.evidence is not None:
        lent = Rings(RINGS, Path(plan.board).parent, index, len(plan.addresses))
    ledger = ledger_sink(plan, site, specs, city, board)
    flow = build(
        Wiring(
            site=site.site.id,
            source=SiteSource(sides, board),
            junctions=Junctions(specs),
            stations=station_spec(site),
            desk=desk_spec(site),
            media=media_spec(site),
            sectors=sector_spec(site),
            floods=flood_spec(site),
            city=city,
            hot=hot_spec(site),
            event_sinks=event_sinks(plan, site),
            ledger=ledger,
            recorder=record_sink(plan, sides),
            evidence=evidence_spec(site, RINGS.get if lent is None else lent.get),
        )
    )
    recovery = None if plan.recovery is None else RecoveryConfig(str(Path(plan.recovery) / "epochs"))
    try:
        with HeldPanics():
            cli_main(
                wrap_errors(flow),
                workers_per_process=plan.workers,
                process_id=index,
                addresses=list(plan.addresses) or None,
                epoch_interval=EPOCH,
                recovery_config=recovery,
            )
    finally:
        if lent is not None:
            lent.close()
    if ledger.failure is not None:
        raise ledger.failure


def event_sinks(plan: Plan, site: Site) -> dict[str, EventFileSink | NatsSink]:
    """Where a plan's events go, by step."""
    sinks: dict[str, EventFileSink | NatsSink] = {}
    if plan.events is not None:
        sinks["event_file"] = EventFileSink(plan.events)
    if plan.nats is not None:
        journal = None if plan.recovery is None else Path(plan.recovery) / "nats-journal"
        sinks["nats"] = NatsSink.of_site(plan.nats, site, journal=journal)
    return sinks


def ledger_sink(plan: Plan, site: Site, specs: list[JunctionSpec], city: CitySpec | None, board: Board) -> LedgerSink:
    """Where a plan's events are counted."""
    not_armed = {rule.kind: "not built yet" for spec in specs for rule in spec.rules.not_armed}
    rules_not_armed = set(not_armed)
    if city is not None:
        not_armed |= {f"join {kind}": why for kind, why in city.not_armed.items()}
    return LedgerSink(
        Path(plan.summary),
        site=site.site.id,
        armed=tuple(sorted({rule.kind for camera in site.camera for rule in camera.rule} - rules_not_armed)),
        not_armed=not_armed,
        ended=board.all_ended,
        report=None if plan.quiet else print_ledger,
    )


def evidence_spec(site: Site, ring: Callable[[str], Ring | None]) -> EvidenceSpec | None:
    """How a site's suspicions are documented, with pictures from ``ring``."""
    store = evidence_store(site)
    return None if store is None else EvidenceSpec(site, store, ring)


def record_sink(plan: Plan, sides: dict[str, SideSpec]) -> RecordSink | None:
    """Where a plan's inputs are written down."""
    return (
        None
        if plan.record is None
        else RecordSink(Path(plan.record), tuple(side for spec in sides.values() for side in (spec.side, *spec.beside)))
    )


def junction_specs(site: Site, city: CitySpec | None = None) -> list[JunctionSpec]:
    """Each junction of the site that has a source, compiled."""
    specs = []
    for junction in site.junction:
        sides = junction_sides(site, junction.id)
        if not sides:
            continue
        read = site.reads(junction.id)
        beats = {
            group.id: round(feed.heartbeat_s * NS)
            for feed in site.signal_feed
            if feed.junction == junction.id and feed.heartbeat_s is not None
            for group in junction.signal
            if group.id not in read
        }
        rules, writer = compile_junction(site, junction), EventWriter(site, junction)
        facts = junction_facts(site, junction, watched=city.watched) if city is not None else None
        documented = site.evidence is not None
        specs.append(JunctionSpec(site.site.id, junction.id, sides, rules, writer, beats, documented, facts, read))
    return specs


def why_file(plan: Plan, index: int) -> Path:
    """Where a process of a cluster leaves why it gave up: its parent says it, once."""
    return Path(plan.board).with_name(f"why-{index}")


def stop_on_signals() -> None:
    """SIGINT and SIGTERM end the input; the flow then drains and commits."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: STOP.set())


def main() -> None:
    """A process of a cluster: dies with its parent, ends its input on SIGTERM."""
    die_with_parent()
    plan_path, index = sys.argv[1], int(sys.argv[2])
    configure()
    signal.signal(signal.SIGTERM, lambda *_: STOP.set())
    listen()
    keep_stdout_clean()
    plan = msgspec.json.decode(Path(plan_path).read_bytes(), type=Plan)
    try:
        execute(plan, index)
    except PeerGoneError:
        _leave(1)
    except SmartstreamError as e:
        why_file(plan, index).write_text(str(e), encoding="utf-8")
        _leave(2 if isinstance(e, InvalidInputError) else 1)
    finally:
        deafen()


def _leave(code: int) -> None:
    """End at once, without taking the interpreter down.

    A thread of Timely that is still at work, and asks for the interpreter meanwhile, would be unwound by force and
    abort the process (`FATAL: exception not rethrown`).
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def keep_stdout_clean() -> None:
    """Events may go to standard output; what Timely prints there about its connections goes to standard error."""
    sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)


if __name__ == "__main__":
    main()
