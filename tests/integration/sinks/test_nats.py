"""What subscribers of a real server got, compared with the event file, id by id."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import event_flow
import pytest
from conftest import Flow, ids
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StreamConfig
from slow_link import LateDeliveries, LatePublications

from smartstream.brokers.nats_access import NatsAccess, connect
from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.model.event import make_event
from smartstream.sinks.ledger import read_ledger
from smartstream.sinks.nats import NatsSink, prepare
from smartstream.sinks.nats_ids import ids_after
from smartstream.sinks.nats_streams import DEAD_LETTERS, EVENTS, StreamLimits
from smartstream.testing.broker import Broker, core_subscriber, read_stream
from smartstream.testing.running import wait_until


def lines(path: str | None) -> list[bytes]:
    assert path is not None
    return Path(path).read_bytes().splitlines()


def test_subscribers_get_what_the_file_holds(broker: Broker, flow: Flow) -> None:
    flow.config.nats = broker.access
    with core_subscriber(broker.access) as live:
        flow.run()
        wait_until(lambda: len(live) >= 1000)
    written = lines(flow.config.events)
    assert sorted(live) == sorted(written)
    stored = read_stream(broker.access, EVENTS) + read_stream(broker.access, DEAD_LETTERS)
    assert sorted(stored) == sorted(written)
    assert len(set(ids(written))) == 1000


def test_a_publisher_killed_again_and_again_sends_no_id_twice(broker: Broker, flow: Flow) -> None:
    flow.config.nats = broker.access
    flow.config.pause_s = 0.05
    chance = random.Random(7)
    with core_subscriber(broker.access) as live:
        for _ in range(4):
            flow.run_and_kill(chance.randrange(20, 180))
        flow.config.pause_s = 0
        flow.run()
        wait_until(lambda: len(live) >= 1000)
    written = lines(flow.config.events)
    assert len(written) == len(set(written)) == 1000
    assert sorted(live) == sorted(written)
    assert sorted(read_stream(broker.access, EVENTS) + read_stream(broker.access, DEAD_LETTERS)) == sorted(written)
    ledger = read_ledger(Path(str(flow.config.summary)))
    assert ledger.complete
    assert ledger.rules["red_light"].suspected == 100
    assert ledger.crossings["side-0/stop"]["car"] == {"forward": 800}
    assert ledger.dead_letters == {"ingest": {"broken_json": 100}}
    assert ledger.sides == {"side-0": {"lines": 1000}}


def test_killed_before_the_first_commit(broker: Broker, flow: Flow) -> None:
    flow.config.nats = broker.access
    flow.config.epoch_s = 60  # nothing commits
    flow.config.pause_s = 0.02
    with core_subscriber(broker.access) as live:
        process = flow.start()
        wait_until(lambda: len(live) > 100)
        process.kill()
        process.communicate()
        flow.config.pause_s, flow.config.epoch_s = 0, 0.1
        flow.run()
        wait_until(lambda: len(live) >= 1000)
    assert sorted(live) == sorted(lines(flow.config.events))


def test_outage_longer_than_the_duplicate_window(broker: Broker, flow: Flow) -> None:
    prepare(broker.access, StreamLimits(duplicate_window_s=0.2))
    flow.config.nats = broker.access
    flow.config.pause_s = 0.02
    with core_subscriber(broker.access) as live:
        flow.run_and_kill(200)
        time.sleep(0.5)  # the server has forgotten the ids by now
        flow.config.pause_s = 0
        flow.run()
        wait_until(lambda: len(live) >= 1000)
    written = sorted(lines(flow.config.events))
    assert sorted(live) == written
    assert sorted(read_stream(broker.access, EVENTS) + read_stream(broker.access, DEAD_LETTERS)) == written


def test_a_server_killed_in_mid_stream_loses_nothing(broker: Broker, flow: Flow) -> None:
    flow.config.nats = broker.access
    flow.config.count, flow.config.pause_s = 3000, 0.01
    process = flow.start()
    for so_far in (500, 1100, 1700):
        wait_until(lambda: flow.written() > so_far)  # noqa: B023  (called at once)
        broker.kill()
        time.sleep(0.2)
        broker.start()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said.decode()
    written = sorted(lines(flow.config.events))
    assert len(written) == 3000
    assert sorted(read_stream(broker.access, EVENTS) + read_stream(broker.access, DEAD_LETTERS)) == written


def test_two_processes_one_stream(broker: Broker, flow: Flow, free_addresses: list[str]) -> None:
    flow.config.nats = broker.access
    flow.config.sides = 3
    flow.config.addresses = free_addresses
    flow.config.process = 0
    with core_subscriber(broker.access) as live:
        first = flow.start()
        flow.config.process = 1
        second = flow.start()
        for process in (first, second):
            _, said = process.communicate(timeout=120)
            assert process.returncode == 0, said.decode()
        wait_until(lambda: len(live) >= 3000)
    written = lines(flow.config.events)
    assert len(set(written)) == 3000
    assert sorted(live) == sorted(written)
    assert read_ledger(Path(str(flow.config.summary))).sides == {f"side-{i}": {"lines": 1000} for i in range(3)}


def test_what_a_former_connection_sent_arrives_late(broker: Broker, tmp_path: Path) -> None:
    """Bytes of a killed run that the server has yet to read are not published a second time by the next one."""
    events = [event_flow.event("cam", n) for n in range(8)]
    with LatePublications(broker.access) as link, core_subscriber(broker.access) as live:
        sink = NatsSink(link.access, province="19", ward=None, journal=tmp_path / "journal", patience_s=20)
        killed = sink.build_part("nats", "all", None)
        killed.write_batch(events)
        wait_until(lambda: link.holding)
        killed.close()
        part = sink.build_part("nats", "all", None)
        part.write_batch(events)
        part.snapshot()
        part.close()
        wait_until(lambda: len(live) >= 8)
    assert sorted(ids(live)) == sorted(event.id for event in events)


def test_what_a_stream_holds_is_read_to_its_end(broker: Broker) -> None:
    """The server's answer that nothing is pending may come before what it has sent."""
    part = NatsSink(broker.access, province="19", ward=None).build_part("nats", "all", None)
    part.write_batch([event_flow.event("cam", n) for n in range(5)])
    part.snapshot()
    part.close()

    async def read(access: NatsAccess) -> set[str]:
        nc = await connect(access)
        try:
            return await ids_after(nc.jetstream(), EVENTS, 0, last=5, scope="ioc.", progress=lambda: None)
        finally:
            await nc.close()

    with LateDeliveries(broker.access, expected=5) as link:
        assert asyncio.run(read(link.access)) == {event_flow.event("cam", n).id for n in range(5)}


def test_an_epoch_does_not_commit_without_acknowledgement(broker: Broker) -> None:
    sink = NatsSink(broker.access, province="19", ward=None, patience_s=1.0)
    part = sink.build_part("nats", "all", None)
    part.write_batch([event_flow.event("cam", 0)])
    part.snapshot()
    broker.kill()
    part.write_batch([event_flow.event("cam", 1)])
    with pytest.raises(UnavailableError, match="1 events unacknowledged for 1 s"):
        part.snapshot()
    part.close()


def test_pressure_while_the_server_is_away(broker: Broker) -> None:
    """A batch larger than the window waits for the server instead of filling memory."""
    sink = NatsSink(broker.access, province="19", ward=None, patience_s=20)
    part = sink.build_part("nats", "all", None)
    broker.kill()
    threading.Timer(0.5, broker.start).start()
    part.write_batch([event_flow.event("cam", n) for n in range(5000)])
    part.snapshot()
    part.close()
    assert len(read_stream(broker.access, EVENTS)) == 4500


def test_an_event_too_large_becomes_a_dead_letter(tmp_path: Path, any_program: Path) -> None:
    with Broker(tmp_path / "small", any_program, max_payload=4096) as broker:
        part = NatsSink(broker.access, province="19", ward=None).build_part("nats", "all", None)
        large = make_event(
            site="test", entity="cam", kind=("violation", "red_light", "suspected"), subject="j1", at_ns=10**18,
            key="1", data={"text": "x" * 5000},
        )  # fmt: skip
        part.write_batch([large, event_flow.event("cam", 1)])
        part.snapshot()
        part.close()
        assert len(read_stream(broker.access, EVENTS)) == 1
        (letter,) = read_stream(broker.access, DEAD_LETTERS)
        assert b'"reason":"refused_by_nats"' in letter
        assert large.id.encode() in letter


def test_a_flood_of_dead_letters_is_totalled(broker: Broker) -> None:
    part = NatsSink(broker.access, province="19", ward=None).build_part("nats", "all", None)
    letters = [event_flow.event("cam", n) for n in range(9, 10_000, 10)]
    part.write_batch(letters)
    part.snapshot()
    part.close()
    bodies = read_stream(broker.access, DEAD_LETTERS)
    assert len(bodies) == 101
    assert b'"count":1000' in bodies[-1]


def test_a_stream_that_lost_its_tail_gets_it_again(broker: Broker, tmp_path: Path) -> None:
    """Acknowledged events of the open epoch are published again when the server comes back without them."""
    store, copy = tmp_path / "broker" / "jetstream", tmp_path / "copy"
    part = NatsSink(broker.access, province="19", ward=None, patience_s=20).build_part("nats", "all", None)
    part.write_batch([event_flow.event("cam", n) for n in range(5)])
    part.snapshot()
    broker.kill()
    shutil.copytree(store, copy)
    broker.start()
    part.write_batch([event_flow.event("cam", n) for n in range(5, 9)])
    wait_until(lambda: len(read_stream(broker.access, EVENTS)) == 9)
    broker.kill()
    shutil.rmtree(store)
    copy.rename(store)
    broker.start()
    part.snapshot()
    part.close()
    assert ids(read_stream(broker.access, EVENTS)) == [event_flow.event("cam", n).id for n in range(9)]


def test_clear_refusals(broker: Broker, tmp_path: Path, any_program: Path) -> None:
    with pytest.raises(InvalidInputError, match="credentials refused"):
        prepare(NatsAccess(url=broker.access.url, user="tester", password="wrong"))
    with pytest.raises(InvalidInputError, match="cannot be reached"):
        prepare(NatsAccess(url="nats://127.0.0.1:1"))
    with pytest.raises(InvalidInputError, match="expected nats://"):
        prepare(NatsAccess(url="http://127.0.0.1:1"))
    with pytest.raises(InvalidInputError, match="no such file"):
        prepare(NatsAccess(url=broker.access.url, creds="/nowhere.creds"))


def test_streams_are_made_once_and_follow_the_limits(broker: Broker) -> None:
    prepare(broker.access, StreamLimits(max_age_s=7200))
    prepare(broker.access, StreamLimits(max_age_s=60))  # an operator's limits stay
    assert stream_config(broker.access, EVENTS).max_age == 7200
    prepare(broker.access, StreamLimits(max_age_s=3600, adjust=True))
    assert stream_config(broker.access, EVENTS).max_age == 3600


def test_subjects_added_by_others_stay(broker: Broker) -> None:
    manage(broker.access, lambda js: js.add_stream(name=EVENTS, subjects=["ioc.*.*.violation.>", "other.>"]))
    prepare(broker.access)
    subjects = stream_config(broker.access, EVENTS).subjects or []
    assert {"other.>", "ioc.*.*.violation.>", "ioc.*.*.traffic.>"} <= set(subjects)


def test_a_stream_that_takes_everything_is_named(broker: Broker) -> None:
    manage(broker.access, lambda js: js.add_stream(name="ALL", subjects=["ioc.>"]))
    with pytest.raises(InvalidInputError, match=f"{EVENTS}: another stream already takes its subjects"):
        prepare(broker.access)


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ({"no_ack": True}, "no_ack"),
        ({"sealed": True}, "sealed"),
        ({"retention": RetentionPolicy.WORK_QUEUE}, "retention workqueue"),
        ({"retention": RetentionPolicy.INTEREST}, "retention interest"),
    ],
)
def test_a_stream_that_does_not_keep_what_it_is_given_is_refused(
    broker: Broker, setting: dict[str, Any], found: str
) -> None:
    sealed = setting.pop("sealed", None)
    config = StreamConfig(name=EVENTS, subjects=["ioc.*.*.traffic.>"], **setting)
    manage(broker.access, lambda js: js.add_stream(config))
    if sealed:
        manage(broker.access, lambda js: js.update_stream(config.evolve(sealed=True)))
    with pytest.raises(InvalidInputError, match=f"{EVENTS}: expected one that keeps .*{found}"):
        prepare(broker.access)


def test_a_small_disk_gets_small_streams(tmp_path: Path, program: Path) -> None:
    store = {"store_dir": str(tmp_path / "b"), "max_file_store": 200 << 20}
    with Broker(tmp_path / "b", program, jetstream=store) as broker:
        prepare(broker.access)
        assert stream_config(broker.access, EVENTS).max_bytes == 128 << 20


def test_without_jetstream(tmp_path: Path, program: Path) -> None:
    with (
        Broker(tmp_path / "b", program, jetstream=False) as broker,
        pytest.raises(InvalidInputError, match="without JetStream"),
    ):
        prepare(broker.access)


def test_a_deleted_stream_is_made_again(broker: Broker) -> None:
    part = NatsSink(broker.access, province="19", ward=None, patience_s=20).build_part("nats", "all", None)
    part.write_batch([event_flow.event("cam", n) for n in range(5)])
    part.snapshot()
    manage(broker.access, lambda js: js.delete_stream(EVENTS))
    part.write_batch([event_flow.event("cam", n) for n in range(5, 9)])
    part.snapshot()
    part.close()
    assert ids(read_stream(broker.access, EVENTS)) == [event_flow.event("cam", n).id for n in range(5, 9)]


def test_a_full_stream_stops_the_flow_with_the_reason(broker: Broker) -> None:
    full = StreamConfig(
        name=EVENTS, subjects=["ioc.*.*.traffic.>"], max_msgs=3, discard=DiscardPolicy.NEW
    )  # an operator's choice
    manage(broker.access, lambda js: js.add_stream(full))
    part = NatsSink(broker.access, province="19", ward=None, patience_s=2).build_part("nats", "all", None)
    part.write_batch([event_flow.event("cam", n) for n in (0, 1, 2, 3, 5)])
    with pytest.raises(UnavailableError, match=r"2 events unacknowledged for 2 s \(maximum messages exceeded"):
        part.snapshot()
    part.close()
    assert len(read_stream(broker.access, EVENTS)) == 3


def test_a_server_that_answers_but_never_takes_ends_the_patience(broker: Broker) -> None:
    """However often the publisher connects again meanwhile: each pause is shorter than the patience."""
    full = StreamConfig(name=EVENTS, subjects=["ioc.*.*.traffic.>"], max_msgs=3, discard=DiscardPolicy.NEW)
    manage(broker.access, lambda js: js.add_stream(full))
    part = NatsSink(broker.access, province="19", ward=None, patience_s=8).build_part("nats", "all", None)
    part.write_batch([event_flow.event("cam", n) for n in (0, 1, 2, 3, 5)])
    with bounded(60), pytest.raises(UnavailableError, match=r"2 events unacknowledged .*maximum messages exceeded"):
        part.snapshot()
    part.close()


@contextmanager
def bounded(limit_s: int) -> Iterator[None]:
    """Fail instead of hanging."""

    def too_long(_signal: int, _frame: object) -> None:
        raise AssertionError(f"not over after {limit_s} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(limit_s)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def manage(access: NatsAccess, work: Callable[[JetStreamContext], Coroutine[Any, Any, Any]]) -> Any:
    async def connected() -> Any:
        nc = await connect(access)
        try:
            return await work(nc.jetstream())
        finally:
            await nc.close()

    return asyncio.run(connected())


def stream_config(access: NatsAccess, name: str) -> StreamConfig:
    return manage(access, lambda js: js.stream_info(name)).config
