"""Lines of report feeds through the real feed and the desk, without Bytewax around them."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pipelines.reports import DeskSpec, DeskStep
from smartstream.ingest.lines import file_source
from smartstream.ingest.report_lines import ReportLines
from smartstream.ingest.report_tables import with_tables
from smartstream.model.items import DeadLetter, Reports
from smartstream.model.time import NS

MORNING = datetime(2026, 9, 21, 1, tzinfo=UTC)  # Monday, 8 o'clock in Viet Nam
HERE = (21.6103, 105.8412)
LATENESS = 300 * NS


def at(minutes):
    return (MORNING + timedelta(minutes=minutes)).isoformat()


def metres(north, east=0):
    return {"lat": HERE[0] + north / 111_195, "lon": HERE[1] + east / 103_400}


def line(minutes, report, code="flood", text="Đường ngập sâu", *, place=(0, 0), status="open", **more):
    where = {} if place is None else metres(*place)
    said = {"time": at(minutes), "report": report, "service_code": code, "description": text, "status": status}
    return json.dumps({**said, **where, **more}, ensure_ascii=False)


def open_feed(path, side="reports/0", resume=None, timezone="Asia/Ho_Chi_Minh", turn_lines=256):
    zone = ZoneInfo(timezone)
    source = with_tables(file_source(side, path, lateness_ns=LATENESS, turn_lines=turn_lines), path, zone)
    return ReportLines(source, site="demo", resume=resume)


class Town:
    """A desk behind its feeds; ``cut`` replaces it by a fresh one from its snapshot."""

    def __init__(self, sides=("reports/0",), wards=None, timezone="Asia/Ho_Chi_Minh"):
        self.spec = DeskSpec("demo", tuple(sides), timezone, LATENESS, wards)
        self.desk = DeskStep(self.spec)
        self.events, self.dead = [], []

    def take(self, items):
        self.dead += [item for item in items if isinstance(item, DeadLetter)]
        events, _ = self.desk.on_batch([item for item in items if isinstance(item, Reports)])
        self.events += events

    def cut(self):
        self.desk = DeskStep(self.spec, self.desk.snapshot())

    def of(self, name):
        return [e for e in self.events if e.type == f"vn.ioc.report.{name}.v1"]

    def reasons(self):
        return sorted([d.reason for d in self.dead] + [e.data["reason"] for e in self.events if ".dlq." in e.type])


def run(path, *, cut=False, wards=None, timezone="Asia/Ho_Chi_Minh", turn_lines=256):
    town, feed = Town(wards=wards, timezone=timezone), open_feed(path, timezone=timezone, turn_lines=turn_lines)
    while not feed.ended:
        town.take(feed.read())
        if cut:
            feed = open_feed(path, resume=feed.snapshot(), timezone=timezone, turn_lines=turn_lines)
            town.cut()
    return town


def run_lines(tmp_path, lines, **more):
    path = tmp_path / "reports.ndjson"
    path.write_text("\n".join(lines) + "\n")
    return run(path, **more)


def as_set(town):
    return {e.to_json() for e in town.events}
