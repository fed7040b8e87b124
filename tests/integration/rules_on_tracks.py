"""Rules alone over a tracks file and a signal file, without a dataflow: what `run` does, in one loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from smartstream._core import JunctionEngine
from smartstream.config.site import Site
from smartstream.ingest.lines import file_source
from smartstream.ingest.signal_lines import SignalLines
from smartstream.ingest.tracks_file import TracksFile
from smartstream.model.classes import STATE_CODE
from smartstream.model.event import CloudEvent
from smartstream.model.items import Signals, Tracks
from smartstream.rules.compile import compile_junction
from smartstream.rules.events import EventWriter
from smartstream.rules.outcome import decode_outcomes
from smartstream.testing.feeds import read_all


def events_of(site: Site) -> list[CloudEvent]:
    """Events of a site with one junction whose cameras are tracks files."""
    junction = site.junction[0]
    compiled, writer = compile_junction(site, junction), EventWriter(site, junction)
    engine = JunctionEngine(compiled.config)
    for feed in site.signal_feed:
        source = file_source("signals", Path(site.address(feed.url).target), lateness_ns=10**9)
        reader = SignalLines(source, groups=frozenset(compiled.groups))
        for item in read_all(reader):
            if isinstance(item, Signals):
                engine.signals(
                    np.array([c.time_ns for c in item.changes], np.int64),
                    np.array([compiled.groups.index(c.signal) for c in item.changes], np.uint16),
                    np.array([STATE_CODE[c.state] for c in item.changes], np.uint8),
                )
    events: list[CloudEvent] = []
    for index, camera in enumerate(c for c in site.camera if c.junction == junction.id):
        path = Path(site.address(camera.url[0]).target)
        tracks = TracksFile(side=camera.id, path=path, lateness_ns=10**9)
        while not tracks.ended:
            for item in tracks.read():
                if isinstance(item, Tracks):
                    engine.tracks(index, item.batch)
                    if len(compiled.cameras) == 1:
                        events += [writer.event(o) for o in decode_outcomes(engine.advance(item.last_ns))]
    return events + [writer.event(o) for o in decode_outcomes(engine.finish())]
