"""Peers of ``bench streams``: ``python streams_peers.py NAME DATA.npz`` prints one line of JSON.

Runs by its path in whatever Python has the peer, so it imports nothing of smartstream.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

NS = 1_000_000_000
_Data = dict[str, Any]
_Peer = tuple[str, Callable[[], str]]


def cpu_s() -> float:
    """CPU seconds of this process and its children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def answer(windows: Sequence[Any]) -> str:
    """The sum that the contestants are compared by; ``windows`` are (second, junction, phase, count)."""
    second, junction, phase, count = (np.asarray(c, np.int64) for c in windows)
    mixed = int((count * (1 + junction + 1_000 * phase + 10_000 * second)).sum())
    return f"{len(count)}/{int(count.sum())}/{mixed}"


def duckdb(data: _Data) -> _Peer:
    """Batch, one thread, Arrow in memory: a join by second, quicker than its ASOF JOIN and here the same."""
    import duckdb as db
    import pyarrow as pa

    link: Any = db.connect()
    link.register("crossings", pa.table({"t": data["time"], "j": data["key"]}))
    link.register("phases", pa.table({"t": data["phase_time"], "j": data["phase_key"], "p": data["phase"]}))
    link.execute("SET threads = 1")
    begin = int(data["phase_time"][0])
    query = f"""SELECT s, j, p, count(*) FROM (SELECT (t - {begin}) // {NS} AS s, j FROM crossings)
                JOIN (SELECT (t - {begin}) // {NS} AS s, j, p FROM phases) USING (s, j) GROUP BY ALL"""
    return "join by second, one thread, Arrow in memory", lambda: answer(link.sql(query).to_arrow_table().columns)


def polars(data: _Data) -> _Peer:
    """Batch, one thread: join_asof and group_by."""
    os.environ["POLARS_MAX_THREADS"] = "1"
    import polars as pl

    crossings = pl.DataFrame({"t": data["time"], "j": data["key"]})
    phases = pl.DataFrame({"t": data["phase_time"], "j": data["phase_key"], "p": data["phase"]})
    begin = int(data["phase_time"][0])

    def run() -> str:
        met = crossings.lazy().join_asof(phases.lazy(), on="t", by="j")
        counted = met.group_by(((pl.col("t") - begin) // NS).alias("s"), "j", "p").len().collect()
        return answer([counted[c].to_numpy() for c in ("s", "j", "p", "len")])

    return "join_asof, one thread, frames in memory", run


def bytewax(data: _Data) -> _Peer:
    """Its own join_window and count_window, one item per row, recovery on."""
    from collections import Counter
    from datetime import UTC, datetime, timedelta

    import bytewax.operators as op
    import bytewax.operators.windowing as win
    from bytewax._bytewax import cli_main
    from bytewax.dataflow import Dataflow
    from bytewax.recovery import RecoveryConfig, init_db_dir
    from bytewax.testing import TestingSink, TestingSource

    begin = int(data["phase_time"][0])
    zero = datetime(2026, 1, 1, tzinfo=UTC)

    def rows(time_ns: Any, key: Any, value: Any) -> Iterator[Any]:
        for t, k, v in zip(time_ns.tolist(), key.tolist(), value.tolist(), strict=True):
            yield str(k), (zero + timedelta(microseconds=(t - begin) // 1000), v)

    left = list(rows(data["time"], data["key"], np.zeros(len(data["time"]), np.int64)))
    right = list(rows(data["phase_time"], data["phase_key"], data["phase"]))

    def run() -> str:
        # Sides are fed at one pace: its watermark is the maximum over them, so that a slower side would be late.
        flow, out = Dataflow("peer"), list[Any]()
        crossings = op.input("crossings", flow, TestingSource(left, batch_size=100 * len(left) // len(right)))
        phases = op.input("phases", flow, TestingSource(right, batch_size=100))
        clock: Any = win.EventClock(lambda item: item[0], wait_for_system_duration=timedelta(seconds=60))
        windower = win.TumblingWindower(length=timedelta(seconds=1), align_to=zero)
        met = win.join_window("join", clock, windower, crossings, phases, insert_mode="product", emit_mode="final")
        op.output("out", met.down, TestingSink(out))
        with tempfile.TemporaryDirectory() as folder:
            init_db_dir(Path(folder), 1)
            cli_main(flow, epoch_interval=timedelta(seconds=1), recovery_config=RecoveryConfig(folder))
        counted = Counter((window, int(key), p[1]) for key, (window, (c, p)) in out if c is not None and p is not None)
        second, junction, phase = zip(*counted, strict=True)
        return answer([second, junction, phase, list(counted.values())])

    return "join_window product, tuples in memory, recovery on", run


def pathway(data: _Data) -> _Peer:
    """A join on junction and second, which is quicker than its asof_join and here gives the same, then a count."""
    os.environ["PATHWAY_THREADS"] = "1"
    import pandas as pd
    import pathway as pw

    begin = int(data["phase_time"][0])
    columns = {"s": (data["time"] - begin) // NS, "j": data["key"].astype(np.int64)}
    states = {"s": (data["phase_time"] - begin) // NS, "j": data["phase_key"].astype(np.int64), "p": data["phase"]}
    crossings, phases = pd.DataFrame(columns), pd.DataFrame(states)

    def run() -> str:
        left, right = pw.debug.table_from_pandas(crossings), pw.debug.table_from_pandas(phases)
        met = left.join(right, left.j == right.j, left.s == right.s).select(left.s, left.j, right.p)
        counted = met.groupby(met.s, met.j, met.p).reduce(met.s, met.j, met.p, n=pw.reducers.count())
        found = pw.debug.table_to_pandas(counted)
        return answer([found[c].to_numpy() for c in ("s", "j", "p", "n")])

    return "join by second, one thread, pandas frames in memory", run


def pyflink(data: _Data) -> _Peer:
    """Streaming SQL: an event-time temporal join and tumbling windows, parallelism 1, CSV in the JVM."""
    from pyflink.table import EnvironmentSettings, TableEnvironment

    begin = int(data["phase_time"][0])
    folder = tempfile.mkdtemp(prefix="peer-")

    def write(name: str, columns: Sequence[Any]) -> None:
        np.savetxt(Path(folder) / name, np.stack(columns, axis=1), fmt="%d", delimiter=",")

    write("crossings.csv", [(data["time"] - begin) // 1_000_000, data["key"]])
    write("phases.csv", [(data["phase_time"] - begin) // 1_000_000, data["phase_key"], data["phase"]])

    def run() -> str:
        table = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
        table.get_config().set("parallelism.default", "1")
        table.get_config().set("table.local-time-zone", "UTC")
        for name, more in (("crossings", ""), ("phases", "p BIGINT, PRIMARY KEY (j) NOT ENFORCED, ")):
            table.execute_sql(
                f"""CREATE TABLE {name} (ms BIGINT, j BIGINT, {more} t AS TO_TIMESTAMP_LTZ(ms, 3),
                WATERMARK FOR t AS t - INTERVAL '1' SECOND) WITH ('connector' = 'filesystem',
                'path' = 'file://{folder}/{name}.csv', 'format' = 'csv')"""
            )
        table.execute_sql(
            """CREATE TEMPORARY VIEW met AS SELECT c.t AS t, c.j AS j, x.p AS p FROM crossings c
            JOIN phases FOR SYSTEM_TIME AS OF c.t AS x ON c.j = x.j"""
        )
        found = table.execute_sql(
            """SELECT UNIX_TIMESTAMP(CAST(window_start AS STRING)), j, p, count(*)
            FROM TABLE(TUMBLE(TABLE met, DESCRIPTOR(t), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, j, p"""
        )
        with found.collect() as rows:
            windows = [tuple(row) for row in rows]
        return answer(list(zip(*windows, strict=True)))

    return "SQL, temporal join, parallelism 1, CSV; start of the JVM included", run


def quixstreams(data: _Data) -> _Peer:  # noqa: ARG001  # one face for all  # noqa: ARG001  # one face for all
    """Needs a Kafka broker, with no source or sink that does without one."""
    raise SystemExit("needs a Kafka broker, which this machine has not")


def main() -> None:
    """Run one peer on one set of rows."""
    peer, path = sys.argv[1], sys.argv[2]
    data = dict(np.load(path))
    try:
        what, run = {f.__name__: f for f in (duckdb, polars, bytewax, pathway, pyflink, quixstreams)}[peer](data)
    except ImportError as e:
        raise SystemExit(f"not installed: {e}") from None
    cpu, wall = cpu_s(), time.perf_counter()
    said = run()
    cpu, wall = cpu_s() - cpu, time.perf_counter() - wall
    package = {"pyflink": "apache-flink"}.get(peer, peer)
    print(
        json.dumps(
            {
                "version": version(package),
                "rows": len(data["time"]),
                "cpu_s": cpu,
                "wall_s": wall,
                "answer": said,
                "what": what,
            }
        )
    )


if __name__ == "__main__":
    main()
