"""The connectors: what addresses of the site file are read by which class, and what a line says."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

import msgspec

from smartstream.ingest.approval_lines import ApprovalLine
from smartstream.ingest.condition_lines import ConditionLine
from smartstream.ingest.indicator_lines import IndicatorLine
from smartstream.ingest.media_lines import MediaLine
from smartstream.ingest.report_lines import ReportLine
from smartstream.ingest.sensor_lines import SensorLine
from smartstream.ingest.signal_lines import SignalLine
from smartstream.ingest.tracks_file import TrackLine

_POLLED: Final = ("sensor_feed", "report_feed", "indicator_feed", "media_feed")
_LINES: Final = ("signal_feed", *_POLLED, "condition_feed", "approval_feed")


class Connector(msgspec.Struct, frozen=True):
    """One way in.

    Attributes:
        address: As the site file writes it.
        tables: Of the site file that may have it.
        reader: The class that reads it.
        position: What a killed run resumes from.
        extra: Extra that must be installed, if any.
        module: Top-level module which that extra brings.
    """

    address: str
    tables: tuple[str, ...]
    reader: str
    position: str
    extra: str = ""
    module: str = ""

    @property
    def installed(self) -> bool:
        """Whether what it needs is here."""
        return not self.module or find_spec(self.module) is not None


CONNECTORS: Final = (
    Connector("file:PATH (video)", ("camera",), "camera.CameraFeed", "last committed frame"),
    Connector("rtsp:, rtsps:, http: (MJPEG)", ("camera",), "camera.CameraFeed", "none: a restart begins a new run"),
    Connector("tracks:PATH", ("camera",), "tracks_file.TracksFile", "byte in the file"),
    Connector("file:PATH (NDJSON, .gz)", _LINES, "lines.LineReader", "byte in the file"),
    Connector("file:PATH.txt (station file)", ("sensor_feed",), "station_lines.StationLines", "byte in the file"),
    Connector("file:PATH.json, .csv (exports)", ("report_feed",), "report_tables.TableReader", "record of the table"),
    Connector("nats:SUBJECT", _LINES, "nats_lines.NatsLines", "sequence number of the stream"),
    Connector(
        "mqtt://HOST:PORT/TOPIC", _LINES, "mqtt_door.MqttDoor", "sequence number of the input log", "mqtt", "paho"
    ),
    Connector(
        "http://HOST:PORT/", ("report_feed",), "intake.Intake", "sequence number of the input log", "intake", "aiohttp"
    ),
    Connector(
        "sql:DATABASE://HOST/NAME",
        _POLLED,
        "sql_lines.SqlLines",
        "watermark, and the keys near it",
        "sql",
        "sqlalchemy",
    ),
)
"""Every connector."""

SCHEMAS: Final[dict[str, type[msgspec.Struct]]] = {
    "signal_feed": SignalLine,
    "sensor_feed": SensorLine,
    "report_feed": ReportLine,
    "indicator_feed": IndicatorLine,
    "media_feed": MediaLine,
    "condition_feed": ConditionLine,
    "approval_feed": ApprovalLine,
    "camera (tracks:)": TrackLine,
}
"""What a line of each table says."""
