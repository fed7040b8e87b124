"""The stations' part of the dataflow on the real runtime: aborted and resumed, on one worker and on two."""

import random
from datetime import timedelta

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.inputs import AbortExecution, FixedPartitionedSource, StatefulSourcePartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import TestingSink, TestingSource, cluster_main, run_main
from station_lines import as_set, open_feed, run, spec_of, write
from test_station import noisy_city

from pipelines.environment import SENSORS, station_events
from smartstream.model.items import Readings
from smartstream.testing.feeds import read_all


@pytest.fixture
def story(tmp_path):
    """Turns of a feed with late lines among them, and the events of an undisturbed run."""
    rng = random.Random(11)
    lines = sorted(noisy_city(4, hours=20), key=lambda entry: entry[0] + 300 * (rng.random() < 0.02))
    path = write(tmp_path / "sensors.ndjson", [text for _, text in lines])
    turns = [(SENSORS, item) for item in read_all(open_feed(path, turn_lines=40)) if isinstance(item, Readings)]
    return turns, as_set(run(path))


class Aborting(FixedPartitionedSource):
    """A list whose run breaks off behind the items in ``breaks``, each once.

    Bytewax's own ``TestingSource.ABORT`` shifts the resume index by one for every abort it has passed.
    """

    def __init__(self, items, breaks):
        self.items, self.breaks = items, set(breaks)

    def list_parts(self):
        return ["one"]

    def build_part(self, step_id, for_part, resume_state):
        return _Aborting(self, resume_state or 0)


class _Aborting(StatefulSourcePartition):
    def __init__(self, source, index):
        self._source, self._index = source, index

    def next_batch(self):
        if self._index in self._source.breaks:
            self._source.breaks.discard(self._index)
            raise AbortExecution
        if self._index >= len(self._source.items):
            raise StopIteration
        self._index += 1
        return [self._source.items[self._index - 1]]

    def snapshot(self):
        return self._index


def build(source):
    seen = []
    flow = Dataflow("stations")
    events = station_events(op.input("in", flow, source), spec_of(["sensors/0"]))
    op.output("out", events, TestingSink(seen))
    return flow, seen


def test_aborted_behind_every_turn(story, tmp_path):
    turns, expected = story
    source, found = Aborting(turns, range(1, len(turns))), set()
    (tmp_path / "recovery").mkdir()
    init_db_dir(tmp_path / "recovery", 2)
    recovery = RecoveryConfig(str(tmp_path / "recovery"))
    for _ in turns:
        flow, seen = build(source)
        run_main(flow, epoch_interval=timedelta(0), recovery_config=recovery)
        found |= {event.to_json() for _, event in seen}
    assert found == expected
    assert not source.breaks


@pytest.mark.parametrize("workers", [1, 2])
def test_on_workers(story, workers):
    turns, expected = story
    flow, seen = build(TestingSource(turns))
    cluster_main(flow, [], 0, worker_count_per_proc=workers)
    assert {event.to_json() for _, event in seen} == expected
