"""What a junction tells the joins of its cameras, from the first item to the end of a side."""

import numpy as np
import pytest

from pipelines.junction_facts import JunctionFacts
from smartstream.model.classes import CLASS_CODE
from smartstream.model.items import Tracks
from smartstream.model.time import MAX_NS, NS
from smartstream.model.tracks import TrackBatch
from smartstream.streams.joins.camera_watch import CameraGeometry
from smartstream.streams.joins.standing import Lane

LANE = {"S0": Lane(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)), (0.0, 1.0), "G")}
BEGIN, END = 1000, 1060


def one_car():
    seconds = range(BEGIN, END)
    batch = TrackBatch(
        run=0,
        frame_ns=np.array([t * NS for t in seconds], np.int64),
        frame_no=np.arange(len(seconds), dtype=np.uint64),
        row_end=np.arange(1, len(seconds) + 1, dtype=np.uint32),
        track=np.ones(len(seconds), np.uint32),
        box=np.tile(np.array([0.18, 0.4, 0.22, 0.5], np.float32), (len(seconds), 1)),
        score=np.ones(len(seconds), np.float32),
        class_code=np.full(len(seconds), CLASS_CODE["car"], np.uint8),
        flags=np.zeros(len(seconds), np.uint8),
    )
    return Tracks("cam", BEGIN * NS, (END - 1) * NS, batch.to_bytes())


@pytest.mark.parametrize("resumed", [False, True])
def test_a_file_that_ended_sees_no_empty_street(resumed):
    """The rest of the city goes on for minutes: a camera that can say nothing any more is not blind."""

    def junction():
        camera = CameraGeometry("cam", "j", (21.0, 105.0), LANE, frames=False)
        return JunctionFacts("j", None, (camera,), {}, guarded=False)

    def told(*, ends):
        facts = junction()
        facts.pushed(one_car())
        facts.tracks(one_car())
        if ends:
            facts.end("cam", (END - 1) * NS)
        if resumed:
            state, facts = facts.snapshot(), junction()
            facts.restore(state)
            if ends:
                facts.end("cam", MAX_NS)  # told once more
        out = facts.drain((END + 600) * NS, ended=False)
        assert next(f for f in out if f.side == "camera/cam").watermark_ns == (END + 600) * NS, "nobody waits for it"
        return [bool(fact.more.get("silent")) for f in out for fact in f.facts if fact.kind == "lanes"]

    assert sum(told(ends=False)) > 30, "lines that stop are an empty street"
    assert sum(told(ends=True)) == 0
