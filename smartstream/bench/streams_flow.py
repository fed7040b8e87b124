"""Our contestant in ``bench streams``: sources, one keyed step, a sink that counts; all of it in the recovery."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import bytewax.operators as op
import numpy as np
from bytewax._bytewax import cli_main
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import KeyedStream, StatefulBatchLogic
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir

from smartstream.model.time import MAX_NS, NS
from smartstream.streams.asof import LEFT, RIGHT, AsOfJoin
from smartstream.streams.columns import I64, Rows
from smartstream.streams.windows import WindowAggregate, Windows

TURN: Final = 16_384
"""Rows per item: a quarter second of a gateway that 200 junctions report to at backlog speed."""
_Item = tuple[str, Rows, int]


class CountByPhase:
    """Crossings by junction, phase and window.

    Args:
        junctions: Keys are below it.
        phases: Codes are below it.
        width_ns: Of a window.
    """

    def __init__(self, junctions: int, phases: int, width_ns: int) -> None:
        self._join = AsOfJoin(keys=junctions)
        self._windows = WindowAggregate(width_ns=width_ns)
        self._phases = phases
        self._frontier: dict[str, int] = {}

    def take(self, side: str, rows: Rows, watermark_ns: int) -> Windows:
        """Rows of a side; the windows that they close."""
        met = self._join.take(side, rows, watermark_ns)
        self._frontier[side] = watermark_ns
        frontier = min(self._frontier.get(side, -(2**63)) for side in (LEFT, RIGHT))
        left = met.left
        if met.late or (len(left) and met.since_ns.min() < 0):
            raise AssertionError("every crossing of this work has its phase in time")
        key = left.key * np.uint32(self._phases) + met.value.astype(np.uint32)
        return self._windows.take(Rows(left.time_ns, key, left.value), frontier)

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state."""
        return {"join": self._join.snapshot(), "windows": self._windows.snapshot(), "frontier": dict(self._frontier)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        self._join.restore(state["join"])
        self._windows.restore(state["windows"])
        self._frontier = dict(state["frontier"])


def phase_rows(time_ns: I64, rng: np.random.Generator, junctions: int, phases: int) -> Rows:
    """A phase for every junction in turn at each of ``time_ns``."""
    key = np.tile(np.arange(junctions, dtype=np.uint32), len(time_ns) // junctions)
    return Rows(time_ns, key, rng.integers(0, phases, len(time_ns)))


class _Part(StatefulSourcePartition[tuple[str, _Item], int]):
    def __init__(self, side: str, rows: Rows, turn: int, at: int) -> None:
        self._side, self._rows, self._turn, self._at = side, rows, turn, at

    def next_batch(self) -> list[tuple[str, _Item]]:
        if self._at > len(self._rows):
            raise StopIteration
        part = self._rows[self._at : self._at + self._turn]
        self._at += self._turn
        last = self._at >= len(self._rows)
        if last:
            self._at = len(self._rows) + 1
        return [("city", (self._side, part, MAX_NS if last else int(part.time_ns[-1]) - 1))]

    def snapshot(self) -> int:
        return self._at


class _Source(FixedPartitionedSource[tuple[str, _Item], int]):
    def __init__(self, sides: dict[str, tuple[Rows, int]]) -> None:
        self._sides = sides

    def list_parts(self) -> list[str]:
        return list(self._sides)

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> _Part:
        rows, turn = self._sides[for_part]
        return _Part(for_part, rows, turn, resume_state or 0)


class _Step(StatefulBatchLogic[_Item, Windows, dict[str, Any]]):
    def __init__(self, junctions: int, phases: int, resume: dict[str, Any] | None) -> None:
        self._count = CountByPhase(junctions, phases, NS)
        if resume is not None:
            self._count.restore(resume)

    def on_batch(self, values: list[_Item]) -> tuple[list[Windows], bool]:
        told = [self._count.take(*value) for value in values]
        return [windows for windows in told if len(windows)], StatefulBatchLogic.RETAIN

    def snapshot(self) -> dict[str, Any]:
        return self._count.snapshot()


class Answer:
    """A sum over (junction, phase, second, count) that does not depend on their order."""

    def __init__(self) -> None:
        self.windows = self.rows = self.mixed = 0

    def add(self, second: I64, junction: I64, phase: I64, count: I64) -> None:
        """Windows in columns, seconds counted from the first."""
        self.windows += len(count)
        self.rows += int(count.sum())
        self.mixed += int((count * (1 + junction + 1_000 * phase + 10_000 * second)).sum())

    def __str__(self) -> str:
        return f"{self.windows}/{self.rows}/{self.mixed}"


class _SinkPart(StatefulSinkPartition[Windows, tuple[int, int, int]]):
    def __init__(self, answer: Answer, phases: int, first_ns: int) -> None:
        self._answer, self._phases, self._first_ns = answer, phases, first_ns

    def write_batch(self, values: list[Windows]) -> None:
        for w in values:
            key = w.key.astype(np.int64)
            second = (w.start_ns - self._first_ns) // NS
            self._answer.add(second, key // self._phases, key % self._phases, w.count)

    def snapshot(self) -> tuple[int, int, int]:
        return self._answer.windows, self._answer.rows, self._answer.mixed


class _Sink(FixedPartitionedSink[Windows, tuple[int, int, int]]):
    def __init__(self, answer: Answer, phases: int, first_ns: int) -> None:
        self._make = (answer, phases, first_ns)

    def list_parts(self) -> list[str]:
        return ["all"]

    def build_part(self, step_id: str, for_part: str, resume_state: Any) -> _SinkPart:
        return _SinkPart(*self._make)


def run_flow(rows: Rows, phases: Rows, junctions: int, codes: int, folder: Path) -> tuple[float, float, str]:
    """CPU and wall seconds of the whole dataflow, and its answer."""
    answer = Answer()
    flow = Dataflow("bench_streams")
    turn = max(1, TURN * len(phases) // len(rows))
    items: KeyedStream[_Item] = op.input("rows", flow, _Source({LEFT: (rows, TURN), RIGHT: (phases, turn)}))
    told = op.stateful_batch("count", items, lambda resume: _Step(junctions, codes, resume))
    op.output("sum", told, _Sink(answer, codes, int(phases.time_ns[0])))
    init_db_dir(folder, 1)
    cpu, wall = time.process_time(), time.perf_counter()
    cli_main(flow, epoch_interval=timedelta(milliseconds=100), recovery_config=RecoveryConfig(str(folder)))
    return time.process_time() - cpu, time.perf_counter() - wall, str(answer)
