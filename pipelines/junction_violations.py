"""The main dataflow: cameras and signal states in, crossings and verdicts out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.operators import KeyedStream
from bytewax.outputs import Sink

from pipelines.beside import beside_events
from pipelines.environment import StationSpec, station_events
from pipelines.evidence import ChainSink, EvidenceSpec, withdrawn
from pipelines.floods import FloodSpec, flood_conditions
from pipelines.hot import HotSpec, hot_events
from pipelines.joins import CitySpec, incident_events
from pipelines.junction import Told
from pipelines.junction_step import Junctions
from pipelines.media import MediaSpec, media_events
from pipelines.reports import DeskSpec, report_events
from pipelines.sectors import SectorSpec, sector_events
from smartstream.evidence.chain import Packed, Withdrawn
from smartstream.evidence.desk import Case
from smartstream.ingest.source import SiteSource
from smartstream.model.event import CloudEvent
from smartstream.model.items import Item, Joined, Recorded, Tally


@dataclass(frozen=True)
class Wiring:
    """What the flow is built from.

    Attributes:
        site: Site id.
        source: Every source of the site.
        junctions: Builds the step of each junction.
        stations: What the stations need to know; ``None`` when no sensor feed is read.
        desk: What the desk of reports needs to know; ``None`` when no report feed is read.
        media: What the media desk needs to know; ``None`` when no media feed is read.
        sectors: What the indicators need to know; ``None`` when no indicator feed is read.
        floods: Gauges that lift rules; ``None`` when there are none.
        city: What the joins need to know; ``None`` when none is armed.
        hot: Where the hot state is; ``None`` without Redis.
        event_sinks: Where events go.
        ledger: Where events are counted, with the sources' own totals.
        evidence: How suspicions are documented; ``None`` documents none.
        recorder: Where inputs are written down as they came; ``None`` writes none.
    """

    site: str
    source: SiteSource
    junctions: Junctions
    stations: StationSpec | None
    desk: DeskSpec | None
    media: MediaSpec | None
    sectors: SectorSpec | None
    floods: FloodSpec | None
    city: CitySpec | None
    hot: HotSpec | None
    event_sinks: Mapping[str, Sink[tuple[str, CloudEvent]]]
    ledger: Sink[tuple[str, CloudEvent | Tally]]
    recorder: Sink[tuple[str, Recorded]] | None
    evidence: EvidenceSpec | None = None


def build(wiring: Wiring) -> Dataflow:
    """Sources → one stateful step per junction → sinks; everything that cannot be joined goes round it."""
    flow = Dataflow("junction_violations")
    items: KeyedStream[Item] = op.input("sources", flow, wiring.source)
    near = op.filter("of_junctions", items, lambda keyed: not keyed[0].startswith("/"))
    joined: KeyedStream[Joined] = op.filter_map_value("joined", near, lambda i: i if isinstance(i, Joined) else None)
    if wiring.floods is not None:
        joined = op.merge("lifted", joined, flood_conditions(items, wiring.floods))
    judged: KeyedStream[Told] = op.stateful_batch("junction", joined, wiring.junctions)
    verdicts: KeyedStream[CloudEvent] = op.filter_map_value(
        "verdicts", judged, lambda t: t if isinstance(t, CloudEvent) else None
    )
    beside: KeyedStream[CloudEvent] = op.flat_map(
        "beside", items, lambda keyed: [("events", event) for event in beside_events(wiring.site, keyed[1])]
    )
    told = [verdicts]
    if wiring.evidence is not None:
        told.append(_documented(judged, wiring.evidence))
    if wiring.stations is not None:
        told.append(station_events(items, wiring.stations))
    if wiring.desk is not None:
        told.append(report_events(items, wiring.desk))
    if wiring.sectors is not None:
        told.append(sector_events(items, wiring.sectors))
    if wiring.city is not None:
        told.append(incident_events(items, judged, wiring.city))
    if wiring.media is not None:
        told.append(media_events(items, list(told), wiring.media))
    one_key = op.map("one_key", op.merge("told", *told), lambda keyed: ("events", keyed[1]))
    events = op.merge("events", one_key, beside)
    if wiring.hot is not None:
        events = op.merge("with_health", events, hot_events(events, wiring.hot))
    for name, sink in wiring.event_sinks.items():
        op.output(name, events, sink)
    tallies: KeyedStream[Tally] = op.filter_map_value("tallies", items, lambda i: i if isinstance(i, Tally) else None)
    counted: KeyedStream[CloudEvent | Tally] = op.merge("counted", events, tallies)
    op.output("ledger", counted, wiring.ledger)
    if wiring.recorder is not None:
        inputs: KeyedStream[Recorded] = op.filter_map_value(
            "inputs", items, lambda i: i if isinstance(i, Recorded) else None
        )
        by_side = op.map("by_side", inputs, lambda keyed: (keyed[1].side, keyed[1]))
        op.output("record", by_side, wiring.recorder)
    return flow


def _documented(judged: KeyedStream[Told], spec: EvidenceSpec) -> KeyedStream[CloudEvent]:
    """Cases to packages: the event of each goes with the others, its link and its retraction to the chain."""
    cases: KeyedStream[Case] = op.filter_map_value("cases", judged, lambda t: t if isinstance(t, Case) else None)
    packed: KeyedStream[CloudEvent | Packed] = op.flat_map_value("evidence", cases, spec.packer())
    links: KeyedStream[Packed | Withdrawn] = op.filter_map_value(
        "links", packed, lambda p: p if isinstance(p, Packed) else None
    )
    # What is taken back here must be so for the officer who opens the store, too.
    taken_back: KeyedStream[Packed | Withdrawn] = op.filter_map_value("taken_back", judged, withdrawn)
    op.output("evidence_chain", op.merge("linked", links, taken_back), ChainSink(spec.store))
    return op.filter_map_value("evidence_events", packed, lambda p: p if isinstance(p, CloudEvent) else None)
