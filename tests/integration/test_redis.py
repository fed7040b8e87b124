"""Hot state in the process and in a real Redis: the same answers; nothing stops when Redis dies, stalls or is full."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from pipelines.hot import HotSpec, HotStep
from smartstream.brokers.hot_state import Entry, LocalState
from smartstream.model.event import make_event
from smartstream.testing.running import wait_until
from smartstream.testing.servers import RedisServer, program

pytest.importorskip("redis", reason="the extra redis is not installed")
if program("redis-server") is None:
    pytest.skip("no redis-server: apt-get install redis-server", allow_module_level=True)

import redis

from smartstream.brokers.redis_state import RedisState


@pytest.fixture
def server(tmp_path):
    with RedisServer(tmp_path / "redis") as running:
        yield running


def url_of(server):
    return f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture
def shared(server):
    state = RedisState(url_of(server), "s")
    yield state
    state.close()


def camera(i, at_ns=1_790_000_000_000_000_000, revision=0, value=b"v"):
    return Entry("camera", f"cam-{i}", at_ns, revision, value, (21.6 + i * 0.001, 105.84))


@pytest.fixture(params=["local", "redis"])
def state(request):
    return LocalState() if request.param == "local" else request.getfixturevalue("shared")


def settle(state):
    if isinstance(state, RedisState):
        assert state.settle()
        state._own = LocalState()  # so that only Redis can answer


def test_later_wins_whatever_comes_last(state):
    at = 1_790_000_000_000_000_001
    said = [
        camera(1, at, 1, b"new"),
        camera(1, at, 0, b"old"),
        camera(1, at - 1, 9, b"older"),
        camera(1, at, 1, b"again"),
    ]
    for entry in said:
        state.put([entry])
    settle(state)
    assert state.get("camera", "cam-1") == said[0]
    assert state.get("camera", "cam-2") is None


def test_what_is_near(state):
    state.put([camera(i) for i in range(10)] + [Entry("camera", "nowhere", 1, 0, b"")])
    state.put([Entry("camera", "pole", 1, 0, b"", (89.0, 0.0))])
    settle(state)
    found = state.near("camera", 21.602, 105.84, 250)
    assert found[0][0] == "cam-2"
    assert {name for name, _ in found} == {"cam-0", "cam-1", "cam-2", "cam-3", "cam-4"}
    assert dict(found)["cam-1"] == pytest.approx(111.2, abs=1)
    assert state.near("camera", 21.602, 105.84, 250, limit=1) == found[:1]
    assert state.near("junction", 21.602, 105.84, 250) == []


def test_keys_lists_and_sweeping(state):
    assert [state.first_time("k", 60) for _ in range(2)] == [True, False]
    assert state.first_time("short", 0.001)
    time.sleep(0.01)
    assert state.first_time("short", 60)
    state.watch("stolen", ["h1", "h2"])
    state.watch("stolen", ["h2", "h3"])
    assert [state.watched("stolen", h) for h in ("h1", "h2", "h3")] == [False, True, True]
    state.put([camera(1, 10**18), camera(2, 2 * 10**18), Entry("junction", "j1", 0, 0, b"of the site", (21.6, 105.8))])
    if isinstance(state, RedisState):
        assert state.settle()
    state.sweep(2 * 10**18)
    settle(state)
    assert state.get("camera", "cam-1") is None
    assert [name for name, _ in state.near("camera", 21.6, 105.84, 1000)] == ["cam-2"]
    assert [name for name, _ in state.near("junction", 21.6, 105.8, 1000)] == ["j1"]  # was never said, and stays


def test_processes_share_it(server, shared):
    other = RedisState(url_of(server), "s")
    shared.put([camera(1)])
    assert shared.settle()
    assert other.get("camera", "cam-1") == camera(1)
    assert shared.first_time("event", 60)
    assert not other.first_time("event", 60)
    other.close()


def wait_for_news(state, verb, limit_s=20):
    deadline = time.monotonic() + limit_s
    while (news := state.news()) is None or news[0] != verb:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return news


def test_a_redis_that_dies_is_built_again(server, shared):
    shared.put([camera(i) for i in range(50)])
    shared.watch("stolen", ["h1"])
    assert shared.settle()
    server.kill()
    shared.put([camera(1, 2 * 10**18)])
    wait_for_news(shared, "opened")
    assert shared.get("camera", "cam-1").at_ns == 2 * 10**18
    assert len(shared.near("camera", 21.6, 105.84, 1000)) > 5
    assert shared.watched("stolen", "h1")
    server.start()  # empty
    wait_for_news(shared, "closed")
    assert shared.settle()
    other = RedisState(url_of(server), "s")
    assert other.get("camera", "cam-1").at_ns == 2 * 10**18
    assert other.get("camera", "cam-49") == camera(49)
    assert other.watched("stolen", "h1")
    other.close()


def test_every_outage_is_told_under_its_own_id(server):
    step = HotStep(HotSpec(url_of(server), "s", ()))
    reading = make_event(
        site="s", entity="wl", kind=("env", "level", "observed"), subject="wl", at_ns=10**18, key="wl", data={}
    )
    told = []

    def wait_for(verb):
        deadline = time.monotonic() + 20
        while not told or told[-1].type.split(".")[4] != verb:
            assert time.monotonic() < deadline
            told.extend(step.on_batch([reading])[0])  # the same instant again and again
            time.sleep(0.01)

    for _ in range(2):
        server.kill()
        wait_for("opened")
        server.start()
        wait_for("closed")
    assert len(told) == len({event.id for event in told}) == 4
    assert [event.time for event in told] == sorted(event.time for event in told)
    step.on_eof()


def test_a_redis_that_stalls_holds_nobody_up(server, shared):
    shared.put([camera(1)])
    assert shared.settle()
    os.kill(server.pid, signal.SIGSTOP)
    try:
        began = time.process_time()
        for i in range(1000):
            shared.put([camera(i % 7, 10**18 + i)])
        assert time.process_time() - began < 5
        wait_for_news(shared, "opened")
        assert shared.get("camera", "cam-2") is not None
    finally:
        os.kill(server.pid, signal.SIGCONT)
    wait_for_news(shared, "closed")


def test_a_redis_that_is_full_is_told_and_used_again(tmp_path):
    with RedisServer(tmp_path / "small", maxmemory="3mb", maxmemory_policy="noeviction") as server:
        state = RedisState(url_of(server), "s")
        state.put([camera(i, value=os.urandom(20_000)) for i in range(400)])
        assert "memory" in wait_for_news(state, "opened")[1]
        assert len(state.get("camera", "cam-399").value) == 20_000
        state.sweep(3 * 10**18)
        state._client.config_set("maxmemory", "100mb")
        wait_for_news(state, "closed")
        state.close()


def in_redis(server, key):
    return shared_client(server).hlen(f"smartstream:s:state:{key}")


def shared_client(server):
    return redis.Redis(port=server.port)


def test_a_key_of_another_type_under_our_name_holds_up_nothing_else(server, shared):
    foreign = shared_client(server)
    foreign.set("smartstream:s:state:env.level", "x")
    shared.put([Entry("env.level", f"{i}", 1, 0, b"") for i in range(3)] + [camera(i) for i in range(1500)])
    assert "WRONGTYPE" in wait_for_news(shared, "opened")[1]
    wait_until(lambda: in_redis(server, "camera") == 1500)
    foreign.delete("smartstream:s:state:env.level")
    wait_for_news(shared, "closed")
    assert in_redis(server, "env.level") == 3


def test_what_nobody_can_read_is_replaced(server, shared):
    foreign = shared_client(server)
    foreign.hset("smartstream:s:state:camera", "cam-1", "garbage")
    foreign.hset("smartstream:s:state:camera", "cam-x", b"\xff garbage \xff")
    assert shared.get("camera", "cam-x") is None
    shared.put([camera(i) for i in range(3)])
    settle(shared)
    assert shared.get("camera", "cam-1") == camera(1)


@pytest.mark.parametrize("lose", ["flushall", "evict"])
def test_what_redis_lost_is_told_and_written_again(server, shared, lose):
    foreign = shared_client(server)
    shared.put([camera(i) for i in range(50)])
    assert shared.settle()
    if lose == "flushall":
        foreign.flushall()
    else:
        foreign.delete("smartstream:s:state:camera")  # eviction takes whole keys
    shared.put([Entry("env.level", "x", 1, 0, b"")])
    assert "lost" in wait_for_news(shared, "opened")[1]
    wait_for_news(shared, "closed")
    assert in_redis(server, "camera") == 50


def test_a_busy_run_catches_up_with_a_redis_that_was_away(server, shared):
    server.kill()
    shared.put([camera(i) for i in range(25_000)])
    wait_for_news(shared, "opened")
    server.start()
    later = iter(range(2 * 10**18, 3 * 10**18))

    def busy():
        shared.put([camera(next(later) % 1000, next(later))])
        return in_redis(server, "camera") == 25_000

    wait_until(busy, limit_s=60)
    wait_for_news(shared, "closed")


def test_what_is_no_redis_at_all_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            with suppress(OSError):
                while True:
                    with listening.accept()[0] as caller:
                        caller.recv(4096)
                        caller.sendall(b":x\r\n*1e3\r\nHTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        state = RedisState(f"redis://127.0.0.1:{listening.getsockname()[1]}/0", "s")
        state.put([camera(1)])
        wait_for_news(state, "opened")
        assert state.get("camera", "cam-1") == camera(1)
        state.close()


SITE = """
[site]
id = "x"
province = "19"
[redis]
url = "{url}"
[[indicator_feed]]
url = "file:i.ndjson"
[[report_feed]]
url = "file:r.ndjson"
"""


def run(site, out):
    command = [sys.executable, "-m", "smartstream", "run", str(site), "--no-nats", "--events", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return {line for line in out.read_text().splitlines() if ".camera.health." not in line}, out.read_text()


def test_a_run_tells_the_same_with_redis_and_without(tmp_path, server, shared):
    figures = [
        {"time": 1_790_000_000 + i, "indicator": "a.b", "area": f"{i % 3}", "value": i, "unit": "x"} for i in range(600)
    ]
    reports = [
        {"time": 1_790_000_000 + i, "report": f"r{i}", "service_code": "flood", "lat": 21.6, "lon": 105.84 + i / 1e4}
        for i in range(20)
    ]
    for name, lines in (("i", figures), ("r", reports)):
        (tmp_path / f"{name}.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    site = tmp_path / "site.toml"
    site.write_text(SITE.format(url=url_of(server)).replace('id = "x"', 'id = "s"'))
    with_redis, _ = run(site, tmp_path / "with")
    last = shared.get("indicator.a_b", "2/a.b")
    assert json.loads(last.value)["data"]["value"] == 599
    assert len(shared.near("report.received", 21.6, 105.84, 55)) == 6
    server.kill()
    without, text = run(site, tmp_path / "without")
    assert without == with_redis
    assert ".camera.health.opened." in text
