"""Lines of sensor feeds through the real feed and steps, without Bytewax around them."""

import json
from datetime import UTC, datetime, timedelta

from pipelines.environment import ArrivalStep, StationSpec, StationStep
from smartstream.ingest.lines import file_source
from smartstream.ingest.sensor_lines import SensorLines
from smartstream.model.event import CloudEvent
from smartstream.model.items import DeadLetter, Readings
from smartstream.model.time import NS

DAY = datetime(2026, 9, 20, 17, tzinfo=UTC)  # midnight of 21 September in Viet Nam
LATENESS = 600 * NS


def at(hours, minutes=0):
    return (DAY + timedelta(hours=hours, minutes=minutes)).isoformat()


def line(time, value, *, sensor="s1", station="aq-1", kind="pm25", unit="µg/m³", status="measuring", **more):
    return json.dumps(
        {"time": time, "sensor": sensor, "station": station, "kind": kind, "value": value, "unit": unit,
         "status": status, **more}
    )  # fmt: skip


def spec_of(sides):
    return StationSpec("demo", tuple(sides), "Asia/Ho_Chi_Minh", LATENESS)


def open_feed(path, side="sensors/0", resume=None, turn_lines=256):
    return SensorLines(file_source(side, path, lateness_ns=LATENESS, turn_lines=turn_lines), resume)


class City:
    """The steps behind the feeds; ``cut`` replaces every one by a fresh one from its snapshot."""

    def __init__(self, sides=("sensors/0",)):
        self.spec = spec_of(sides)
        self.arrivals = ArrivalStep(self.spec)
        self.stations = {}
        self.events = []
        self.dead = []

    def take(self, items):
        for item in items:
            if isinstance(item, DeadLetter):
                self.dead.append(item)
        dealt, _ = self.arrivals.on_batch([item for item in items if isinstance(item, Readings)])
        for station, turn in dealt:
            step = self.stations.setdefault(station, StationStep(self.spec))
            events, _ = step.on_batch([turn])
            assert all(isinstance(event, CloudEvent) for event in events)
            self.events += events

    def cut(self):
        self.arrivals = ArrivalStep(self.spec, self.arrivals.snapshot())
        self.stations = {name: StationStep(self.spec, step.snapshot()) for name, step in self.stations.items()}

    def of(self, name):
        return [e for e in self.events if e.type == f"vn.ioc.{name}.v1"]

    def standing(self, name="air.aqi.updated"):
        """The highest revision of each index: (period, at) to data."""
        newest = {}
        for event in self.of(name):
            newest[event.data.get("kind"), event.data["period"], event.data["at"]] = event.data
        return newest


def run(path, *, cut=False, turn_lines=256):
    city, feed = City(), open_feed(path, turn_lines=turn_lines)
    while not feed.ended:
        city.take(feed.read())
        if cut:
            feed = open_feed(path, resume=feed.snapshot(), turn_lines=turn_lines)
            city.cut()
    return city


def write(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def run_lines(tmp_path, lines, **more):
    return run(write(tmp_path / "sensors.ndjson", lines), **more)


def as_set(city, *, dead=True):
    return {e.to_json() for e in city.events if dead or ".dlq." not in e.type}
