"""``smartstream bench fanout``: events per second acknowledged by JetStream, and how soon a hundred screens see one.

The broker is the embedded one in a fresh store. Every way publishes the same kind of event (a violation of some
700 bytes), in turns within one run, so that a busy machine is busy for all; the fastest of several rounds stands.
"""

from __future__ import annotations

import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from smartstream.bench.fanout_peers import BOUND, OURS, PEERS, Publisher, Sink
from smartstream.bench.fanout_screens import Screens
from smartstream.bench.report import gate, json_option, print_gates, print_table, write_json
from smartstream.brokers.nats_access import NatsAccess
from smartstream.model.event import CloudEvent, make_event
from smartstream.sinks.nats import prepare
from smartstream.sinks.nats_server import EmbeddedServer

BATCHES: Final = (1, 10, 100, 1000)
"""Events handed over at once."""
SHARE: Final = 2.0
"""At least so many times the events of nats-py's ``publish_async`` per CPU second, batches of 100."""
_number = count()


@click.command(name="fanout")
@click.option("--peers", is_flag=True, help="Also nats-py's own ways to publish.")
@click.option("--events", type=click.IntRange(100), default=5000, show_default=True, help="Per measurement.")
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True, help="Fastest of so many.")
@click.option("--screens", type=click.IntRange(1, 1000), default=100, show_default=True, help="Live subscribers.")
@json_option("fanout")
def bench(*, peers: bool, events: int, rounds: int, screens: int, output: Path) -> None:
    """Acknowledged events per second by batch size, and the latency of live subscribers."""
    ways = [OURS, BOUND, *(PEERS if peers else ())]
    with tempfile.TemporaryDirectory() as folder, EmbeddedServer(Path(folder) / "store") as server:
        prepare(server.access)
        publishers = {name: make(server.access) for name, make in ways}
        rates = _rates(publishers, events, rounds)
        for publisher in publishers.values():
            publisher.close()
        live = _live(server.access, screens, seconds=5, per_second=100)
    for clock, unit in (("wall", "second"), ("cpu", "CPU second of ours")):
        print_table(
            [f"acknowledged events per {unit}, batches of", *map(str, BATCHES)],
            [[name, *(f"{r[clock]:,.0f}" for r in row)] for name, row in rates.items()],
        )
    click.echo(
        f"{screens} live subscribers at {live['events_per_s']} events/s: "
        f"p50 {live['p50_ms']:.1f} ms, p99 {live['p99_ms']:.1f} ms, {live['lost']} lost"
    )
    gates = []
    if peers:
        at = BATCHES.index(100)
        ratio = rates[OURS[0]][at]["cpu"] / rates[PEERS[1][0]][at]["cpu"]
        gates.append(gate("times nats-py's publish_async per CPU second, batches of 100", ratio, SHARE))
    print_gates(gates)
    body = {"events": events, "rounds": rounds, "batches": BATCHES, "rates": rates, "live": live, "gates": gates}
    write_json(output, "fanout", body)


def _rates(publishers: dict[str, Publisher], events: int, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Per way and batch size the best rate by wall clock and by this process's CPU time."""
    rates = {name: [{"wall": 0.0, "cpu": 0.0} for _ in BATCHES] for name in publishers}
    turns = [(i, size, name) for _ in range(rounds) for i, size in enumerate(BATCHES) for name in publishers]
    with click.progressbar(turns, label=f"{len(publishers)} ways", file=sys.stderr) as progress:
        for i, size, name in progress:
            n = min(events, 500 * size)
            batch = [_event(time.time_ns()) for _ in range(n)]
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            for at in range(0, n, size):
                publishers[name].publish(batch[at : at + size])
            publishers[name].barrier()
            best = rates[name][i]
            best["wall"] = max(best["wall"], n / (time.perf_counter() - wall_s))
            best["cpu"] = max(best["cpu"], n / (time.process_time() - cpu_s))
    return rates


def _live(access: NatsAccess, screens: int, *, seconds: int, per_second: int) -> dict[str, Any]:
    """From the sink's ``write_batch`` to each of many plain subscribers, an event at a time."""
    total = seconds * per_second
    sink = Sink(access)
    with Screens(access, screens, total) as watching:
        for i in range(total):
            due_s = time.perf_counter() + 1 / per_second
            sink.publish([_event(time.time_ns())])
            if i % per_second == 0:
                sink.barrier()
            time.sleep(max(0.0, due_s - time.perf_counter()))
        sink.barrier()
        ages_ms = watching.ages_ms()
    sink.close()
    p50, p99 = np.percentile(ages_ms, [50, 99])
    return {
        "screens": screens,
        "events_per_s": per_second,
        "p50_ms": round(float(p50), 2),
        "p99_ms": round(float(p99), 2),
        "lost": total * screens - len(ages_ms),
    }


def _event(sent_ns: int) -> CloudEvent:
    n = next(_number)
    return make_event(
        site="bench",
        entity="cam-s",
        kind=("violation", "red_light", "suspected"),
        subject="j1/cam-s/S1",
        at_ns=1_790_000_000_000_000_000 + n * 40_000_000,
        key=f"cam-s/0/{n}",
        data={
            "kind": "red_light",
            "verdict": "suspected",
            "revision": 0,
            "junction": "j1",
            "camera": "cam-s",
            "lane": "S1",
            "class": "motorcycle",
            "track": f"cam-s/0/{n}",
            "signal": {"group": "S-through", "state": "red", "since_s": 19.6},
            "clauses": [],
            "evidence_id": f"{n:032x}",
            "text": "Xe máy nghi vượt đèn đỏ tại Ngã tư Tân Long, làn S1, 21:13:32",
            "sent_ns": sent_ns,
        },
    )
