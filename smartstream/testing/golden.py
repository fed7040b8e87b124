"""Playing a site without Bytewax: turn by turn, cut and resumed wherever one likes, in any order of the sides.

What comes out must be the same events as ``smartstream run`` gives; a golden story holds them written down.
"""

from __future__ import annotations

import pickle
import random
import time
from pathlib import Path

from pipelines.beside import beside_events
from pipelines.junction import JunctionLogic
from pipelines.sources import site_sides
from pipelines.worker import junction_specs
from smartstream.config.site import load_site
from smartstream.model.event import CloudEvent
from smartstream.model.items import Joined


def play(site_path: Path, *, cut: int = 0, order_seed: int | None = None) -> list[str]:
    """Events of a site whose sources are files, one JSON text each, sorted.

    Args:
        site_path: The site file.
        cut: Throw every object away behind every so many turns and go on from its pickled snapshot; 0 never does.
        order_seed: Read the sides in a random order of turns instead of one after the other.
    """
    site = load_site(site_path)
    specs = {spec.junction: spec for spec in junction_specs(site)}
    sides = site_sides(site, live=False)
    feeds = {name: spec.open(None) for name, spec in sides.items() if spec.junction in specs}
    logic = {name: JunctionLogic(spec) for name, spec in specs.items()}
    rng = random.Random(order_seed)
    events: list[str] = []
    turns = 0
    while open_sides := [name for name, feed in feeds.items() if not feed.ended]:
        side = open_sides[0] if order_seed is None else rng.choice(open_sides)
        junction = sides[side].junction
        items = feeds[side].read()
        if not items:
            time.sleep(0.001)  # a camera's thread is at work
        for item in items:
            events.extend(event.to_json().decode() for event in beside_events(site.site.id, item))
        joined = [item for item in items if isinstance(item, Joined)]
        told = logic[junction].take(joined)
        events.extend(event.to_json().decode() for event in told if isinstance(event, CloudEvent))
        turns += 1
        if cut and turns % cut == 0:
            stood = pickle.dumps(feeds[side].snapshot())
            feeds[side].close()
            feeds[side] = sides[side].open(pickle.loads(stood))
            state = pickle.loads(pickle.dumps(logic[junction].snapshot()))
            logic[junction] = JunctionLogic(specs[junction])
            logic[junction].restore(state)
    return sorted(events)
