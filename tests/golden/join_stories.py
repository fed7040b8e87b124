"""Stories of the joins: facts by side, told in seconds of one morning, and what must come out."""

from zoneinfo import ZoneInfo

from smartstream.model.facts import Fact
from smartstream.model.time import NS
from smartstream.streams.joins.air_spike import AirSpike
from smartstream.streams.joins.camera_guard import CameraBlind, CameraDrift
from smartstream.streams.joins.corridor import Corridor
from smartstream.streams.joins.coverage import Coverage
from smartstream.streams.joins.crash import Crash
from smartstream.streams.joins.flood import Flood
from smartstream.streams.joins.gateway import Gateway, GatewayBalance
from smartstream.streams.joins.network import NetworkOutage
from smartstream.streams.joins.repeated import RepeatedVerdict
from smartstream.streams.joins.report_evidence import FalseClosing, ReportEvidence
from smartstream.streams.joins.roads import Road
from smartstream.streams.joins.signal_failure import SignalFailure
from smartstream.streams.joins.spillback import Spillback

T0 = 1_790_000_100
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
HERE, BESIDE, FAR = (21.61, 105.84), (21.6105, 105.8405), (21.70, 105.90)
KINDS = {
    "cam": "camera",
    "cam-b": "camera",
    "gauges": "sensor",
    "reports": "report",
    "verdicts": "verdict",
    "duty": "condition",
}


def fact(t, kind, entity, what="", value=0.0, at=HERE, junction="j1", **more):
    return Fact(round((T0 + t) * NS), kind, entity, what, value, junction, at, more)


def report(t, name, what, status="open", at=BESIDE, **more):
    return fact(t, "report", name, what, at=at, junction=None, status=status, **more)


def lanes(
    t,
    camera,
    vehicles=5.0,
    still=0.0,
    count=5,
    junction="j1",
    of=None,
    obstacles=0,
    blocked=(),
    at_begin=None,
    **counts,
):
    seen = round(vehicles * 15)
    of = of or {"S0": [vehicles, still]}
    found = counts or {"car": count}
    more = {"seconds": 15, "vehicles": vehicles, "still": still, "inside": seen, "seen": seen, "speed": 1.0}
    more |= {"obstacles": obstacles, "blocked": list(blocked), "at_begin": at_begin or {}}
    return fact(t, "lanes", camera, junction=junction, counts=found, lanes=of, **more)


def fault(t, verb, group, junction="j1"):
    more = {"group": group, "faults": ["stuck"], "since_ns": (T0 + t - 60) * NS}
    return fact(t, "fault", junction, verb, junction=junction, **more)


def impact(t, camera, name, began):
    more = {"impact": name, "tracks": [1, 2], "lanes": ["S0"], "began_ns": (T0 + began) * NS}
    return fact(t, "impact", camera, **more)


def stuck_pair(t, camera, name, began):
    return fact(t, "stuck_pair", camera, **impact(t, camera, name, began).more)


def moved_off(t, camera, name, stood_s):
    return fact(t, "moved_off", camera, impact=name, stood_s=stood_s)


def water(levels, station="wl", every=300):
    return [fact(i * every, "reading", station, "water_level", level) for i, level in enumerate(levels)]


def dust(levels, station="aq", every=300):
    return [fact(i * every, "reading", station, "pm25", level) for i, level in enumerate(levels)]


def lights(cycle, junction="j2", until=1200):
    """Signals of a junction that turn green every so often; the feed says it twice."""
    changes = [(t + s, state) for t in range(0, until, cycle) for s, state in ((1, "green"), (5, "green"), (20, "red"))]
    return [fact(t, "signal", junction, state, junction=junction, group="W") for t, state in changes]


def quiet(seconds, camera="cam", **how):
    return [lanes(t, camera, **how) for t in range(15, seconds, 15)]


def make(join, **more):
    sides = {side: kind for side, kind in KINDS.items() if kind in join.needs}
    return lambda: join("demo", ZONE, sides, **more)


ROADS = (
    Road("j1", "j2", "cam-b", ("W0",), 40.0, "cam", ("S0",)),
    Road("j2", "j3", "cam-c", ("W0",), 40.0),
)
ENTRIES = (Road("j1", "j2", "cam-b", ("W0",), 40.0, entry_camera="cam", entry_lanes=("SO",)),)
SEEN = {"cameras": {"cam": HERE}, "alarm_m": {"wl": 1.0}}


def violation(t, camera, kind, track, name, lane="S0", class_="car"):
    more = {"class": class_, "lane": lane, "track": track, "id": name, "verdict": "suspected", "group": "S"}
    return fact(t, "violation", camera, kind, **more)


STORIES = {
    "flood by a gauge; a spike alone opens nothing; reports and slow traffic update": (
        make(Flood, alarm_m={"wl": 1.0}),
        {
            "gauges": water([0.2, 1.4, 0.3, 0.9, 1.1, 1.2, 1.3, 1.2, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2]),
            "reports": [report(1000, "r1", "flood"), report(1600, "r2", "flood"), report(1700, "far", "flood", at=FAR)],
            "cam": quiet(1500) + [lanes(t, "cam", still=4.0) for t in range(1500, 2400, 15)],
        },
        [("opened", "wl", 0), *(("updated", "wl", i) for i in (1, 2, 3, 4)), ("closed", "wl", 5)],
    ),
    "flood by rain and two voices where there is no gauge": (
        make(Flood, alarm_m={}),
        {
            "gauges": [fact(i * 300, "reading", "rain-1", "rain", 6.0) for i in range(8)],
            "reports": [report(1300, "r1", "flood"), report(1900, "r2", "flood"), report(2000, "r2", "flood")],
        },
        [("opened", "rain-1", 0), ("closed", "rain-1", 1)],
    ),
    "air spike that goes with burning": (
        make(AirSpike),
        {
            "gauges": dust(
                [30, 32, 29, 31, 30, 33, 30, 31, 30, 30, 80, 90, 95, 92, 91, 90, 88, 40, 32, 31, 30, 30, 30, 30, 30]
            ),
            "reports": [report(3100, "fire-1", "fire", burning=True), report(3200, "x", "waste", burning=False)],
        },
        [("opened", "aq", 0), ("updated", "aq", 1), ("updated", "aq", 2), ("closed", "aq", 3)],
    ),
    "crash: possible by the camera, suspected with a report": (
        make(Crash),
        {
            "cam": [
                *quiet(600),
                fact(600, "impact", "cam", impact="i1", tracks=[1, 2], lanes=["S0"], began_ns=(T0 + 597) * NS),
            ],
            "gauges": [fact(598, "reading", "mic", "noise", 97.0), fact(300, "reading", "mic", "noise", 60.0)],
            "reports": [report(720, "r1", "accident"), report(730, "r1", "accident"), report(100, "old", "accident")],
        },
        [("opened", "j1", 0), ("updated", "j1", 1), ("updated", "j1", 2), ("closed", "j1", 3)],
    ),
    "crash taken back: they drove off and nobody else spoke": (
        make(Crash),
        {
            "cam": [
                fact(600, "impact", "cam", impact="i1", tracks=[1, 2], lanes=["S0"], began_ns=(T0 + 597) * NS),
                fact(609, "moved_off", "cam", impact="i1", stood_s=12.0),
            ],
            "reports": [report(700, "far", "accident", at=FAR)],
        },
        [("opened", "j1", 0), ("retracted", "j1", 1)],
    ),
    "a pair that came to a stop slowly is a crash when there was a noise, and when two citizens say so": (
        make(Crash),
        {
            "cam": [
                stuck_pair(660, "cam", "heard", 600),
                moved_off(900, "cam", "heard", 300.0),
                stuck_pair(3660, "cam", "nobody", 3600),
                stuck_pair(6660, "cam", "reported", 6600),
                moved_off(6700, "cam", "reported", 100.0),
                stuck_pair(9660, "cam", "fled", 9600),
                moved_off(9670, "cam", "fled", 18.0),
                *quiet(12000),
            ],
            "gauges": [
                fact(t, "reading", "mic", "noise", 96.0 if t in (610, 9620) else 70.0) for t in range(10, 12000, 30)
            ],
            "reports": [
                *(report(t, f"r{t}", "accident") for t in (3700, 7000, 7100)),
                report(11000, "late", "accident"),
            ],
        },
        [("opened", "j1", 0), ("closed", "j1", 1), ("opened", "j1", 0), ("closed", "j1", 1)],
    ),
    "one citizen who calls three times is one voice: no crash of a pair that stopped slowly": (
        make(Crash),
        {
            "cam": [stuck_pair(660, "cam", "jam", 600), moved_off(900, "cam", "jam", 300.0), *quiet(3000)],
            "reports": [report(t, f"r{t}", "accident", voice="him") for t in (700, 800, 900)],
        },
        [],
    ),
    "heavy rain and one citizen who writes three times, then another": (
        make(Flood, alarm_m={}),
        {
            "gauges": [fact(t, "reading", "wl", "rain", 15.0) for t in (300, 600, 7500, 7800)],
            "reports": [
                *(report(t, f"r{t}", "flood", voice="him") for t in (700, 800, 900)),
                *(report(t, f"r{t}", "flood", voice="him") for t in (7900, 8000)),
                report(8100, "hers", "flood", voice="her"),
            ],
        },
        [("opened", "wl", 0), ("closed", "wl", 1)],
    ),
    "two that stood for two minutes and drove on: a microphone beside them heard nothing": (
        make(Crash),
        {
            "cam": [
                impact(600, "cam", "quiet", 570),
                moved_off(700, "cam", "quiet", 120.0),
                impact(3600, "cam", "heard", 3570),
                moved_off(3700, "cam", "heard", 120.0),
                impact(6600, "cam", "deaf", 6570),
                moved_off(6700, "cam", "deaf", 120.0),
                impact(9600, "cam", "long", 9570),
                moved_off(9900, "cam", "long", 320.0),
            ],
            "gauges": [
                fact(t, "reading", "mic", "noise", 96.0 if t == 3580 else 70.0)
                for t in range(10, 12000, 30)
                if not 6000 < t < 7000
            ],
        },
        [
            ("opened", "j1", 0),
            ("retracted", "j1", 1),
            ("opened", "j1", 0),
            ("updated", "j1", 1),
            ("closed", "j1", 2),
            ("opened", "j1", 0),
            ("closed", "j1", 1),
            ("opened", "j1", 0),
            ("closed", "j1", 1),
        ],
    ),
    "a pair that one camera is surer of than the other is told once": (
        make(Crash),
        {
            "cam": [stuck_pair(660, "cam", "slow", 600), *quiet(3000)],
            "cam-b": [impact(700, "cam-b", "sure", 601), moved_off(2000, "cam-b", "sure", 1300.0)],
            "gauges": [fact(610, "reading", "mic", "noise", 96.0)],
        },
        [("opened", "j1", 0), ("updated", "j1", 1), ("closed", "j1", 2)],
    ),
    "reports beside what cameras see: corroborated, contradicted, no coverage": (
        make(ReportEvidence, **SEEN),
        {
            "reports": [
                report(900, "seen", "parking"),
                report(3600, "not-so", "parking"),
                report(900, "nobody", "parking", at=FAR),
                report(9000, "seen", "parking", status="closed"),
            ],
            "cam": [lanes(t, "cam", still=4.0, obstacles=1) for t in range(15, 1200, 15)]
            + [lanes(t, "cam", still=4.0) for t in range(1200, 5000, 15)],
        },
        [
            ("opened", "nobody", 0),
            ("opened", "seen", 0),
            ("opened", "not-so", 0),
            ("closed", "nobody", 1),
            ("closed", "seen", 1),
            ("closed", "not-so", 1),
        ],
    ),
    "a report that says more is asked about once, one closed at once is over when it is answered": (
        make(ReportEvidence, **SEEN),
        {
            "reports": [
                report(900, "more", "parking"),
                report(1000, "more", "parking"),
                report(2400, "more", "parking"),
                report(3000, "brief", "parking"),
                report(3100, "brief", "parking", status="closed"),
                report(4000, "brief", "parking"),
                report(9000, "brief", "parking", status="closed"),
                report(9000, "more", "parking", status="closed"),
            ],
            "cam": [lanes(t, "cam", still=4.0) for t in range(15, 9000, 15)],
        },
        [
            ("opened", "more", 0),
            ("opened", "brief", 0),
            ("opened", "brief", 0),
            ("closed", "brief", 1),
            ("closed", "brief", 1),
            ("closed", "more", 1),
        ],
    ),
    "one citizen who says three times that it is not done, and two who say so": (
        make(FalseClosing, **SEEN),
        {
            "reports": [
                report(300, "a", "parking", voice="him"),
                report(1200, "a", "parking", status="closed"),
                *(report(t, f"again-{t}", "parking", voice="him") for t in (2000, 2100, 2200)),
                report(300, "b", "flood", at=FAR, voice="him"),
                report(1200, "b", "flood", status="closed", at=FAR),
                *(report(t, f"b-{who}", "flood", at=FAR, voice=who) for t, who in ((2000, "him"), (2100, "her"))),
            ],
        },
        [("opened", "b", 0), ("closed", "b", 1)],
    ),
    "a report closed while the water stands": (
        make(FalseClosing, **SEEN),
        {
            "reports": [
                report(300, "wrong", "flood"),
                report(1200, "wrong", "flood", status="closed"),
                report(300, "right", "flood", at=FAR),
                report(1200, "right", "flood", status="closed", at=FAR),
                report(9000, "wrong", "flood", status="open"),
            ],
            "gauges": water([1.3] * 24),
        },
        [("opened", "wrong", 0), ("closed", "wrong", 1)],
    ),
    "somebody else parks there later, and somebody never left": (
        make(FalseClosing, **SEEN),
        {
            "reports": [
                report(300, "later", "parking"),
                report(1200, "later", "parking", status="closed"),
                report(9300, "stays", "parking"),
                report(10200, "stays", "parking", status="closed"),
            ],
            "cam": [
                lanes(
                    t,
                    "cam",
                    still=4.0,
                    obstacles=int(t < 1000 or 2000 < t < 5000 or (t > 9000 and not 10800 < t < 10990)),
                )
                for t in range(15, 13000, 15)
            ],
        },
        [("opened", "stays", 0), ("closed", "stays", 1)],
    ),
    "who was reported has left, another one stops there, and then the report is closed": (
        make(FalseClosing, **SEEN),
        {
            "reports": [report(300, "left", "parking"), report(2200, "left", "parking", status="closed")],
            "cam": [
                lanes(t, "cam", still=4.0, obstacles=int(t < 1000 or 2100 < t < 6000)) for t in range(15, 7000, 15)
            ],
        },
        [],
    ),
    "an accident that goes on when it is closed, and another one there an hour and a half later": (
        make(FalseClosing, **SEEN),
        {
            "reports": [
                report(300, "still", "accident"),
                report(2400, "in between", "accident"),
                report(2700, "still", "accident", status="closed"),
                report(2700, "in between", "accident", status="closed"),
                *(report(t, f"others-{t}", "accident") for t in (3600, 4500)),
                report(4600, "others-4500", "accident", status="closed"),
                *(report(t, f"later-{t}", "accident") for t in (10_000, 10_100, 10_200)),
                report(20_000, "still", "accident"),
                report(20_000, "in between", "accident"),
            ],
        },
        [
            ("opened", "in between", 0),
            ("opened", "still", 0),
            ("closed", "in between", 1),
            ("closed", "still", 1),
        ],
    ),
    "a switch that takes its stations with it": (
        make(NetworkOutage, devices={"sw": frozenset({"a", "b", "c"}), "other": frozenset({"d", "e"})}, silent_s=600),
        {
            "gauges": [
                fact(t, "reading", s, "pm25", 30.0)
                for t in range(0, 6000, 300)
                for s in "abcde"
                if not (s in "abc" and 1500 < t < 4000) and not (s == "d" and 1500 < t < 3000)
            ]
        },
        [("opened", "sw", 0), ("closed", "sw", 1)],
    ),
    "the city fills through its gateways": (
        make(GatewayBalance, gateways=(Gateway("north", "cam", "N", "forward"),), limit=100),
        {
            "verdicts": [
                fact(t, "crossing", "cam", "N", direction="forward" if t % 3 else "backward", **{"class": "car"})
                for t in range(0, 5400, 9)
            ]
            + [fact(t, "crossing", "cam", "N", direction="forward", **{"class": "car"}) for t in range(1, 3600, 20)],
            "cam": quiet(5400),
        },
        None,
    ),
    "a city that fills and empties again within the hour": (
        make(GatewayBalance, gateways=(Gateway("north", "cam", "N", "forward"),), limit=100),
        {
            "verdicts": [
                fact(t, "crossing", "cam", "N", direction="forward" if t < 1800 else "backward", **{"class": "car"})
                for t in range(0, 3600, 15)
            ],
            "cam": quiet(3600),
        },
        [("opened", "cordon/in", 0), ("opened", "cordon/out", 0), ("closed", "cordon/in", 1)],
    ),
    "a city that seems to fill: a camera was covered, and later pushed aside": (
        make(
            GatewayBalance,
            gateways=(Gateway("in", "cam", "N", "forward"), Gateway("out", "cam-b", "N", "backward")),
            limit=50,
        ),
        {
            "verdicts": [
                fact(t + 4 * (camera == "cam-b"), "crossing", camera, "N", direction="forward", **{"class": "car"})
                for t in range(0, 9000, 25)
                for camera in ("cam", "cam-b")
                if camera == "cam" or not (3000 <= t < 4800 or 6000 <= t < 7200)
            ],
            "cam-b": [
                fact(6600, "moved", "cam-b", since_ns=(T0 + 5990) * NS),
                fact(7300, "settled", "cam-b"),
            ],
        },
        [],
    ),
    "one act under two rules, and seen by two cameras": (
        make(RepeatedVerdict),
        {
            "verdicts": [
                violation(10, "cam", "stop_line", "cam/0/1", "v1"),
                violation(14, "cam", "red_light", "cam/0/1", "v2"),
                violation(14.5, "cam-b", "red_light", "cam-b/0/9", "v3"),
                violation(40, "cam", "red_light", "cam/0/5", "v4", class_="truck"),
                violation(300, "cam", "wrong_way", "cam/0/7", "v5"),
            ]
        },
        [("opened", "j1/cam/0/1", 0), ("updated", "j1/cam/0/1", 1), ("closed", "j1/cam/0/1", 2)],
    ),
    "an ambulance from junction to junction": (
        make(Corridor, roads=ROADS),
        {
            "duty": [
                fact(100, "condition", "j1", "emergency_vehicle", origin="A-115"),
                fact(150, "condition", "j2", "emergency_vehicle", origin="A-115", junction="j2"),
                fact(160, "condition", "j1", "officer_control"),
                fact(3000, "condition", "j3", "emergency_vehicle", origin="A-9", junction="j3"),
            ],
            "cam": [
                fact(90, "signal", "j2", "red", junction="j2", group="W"),
                lanes(95, "cam-b", still=3.0, junction="j2"),
            ],
        },
        [("opened", "j1", 0), ("updated", "j1", 1), ("closed", "j1", 2), ("opened", "j3", 0), ("closed", "j3", 1)],
    ),
    "an ambulance that one junction did not hear": (
        make(Corridor, roads=(ROADS[0], Road("j2", "j3", "cam-c", ("W0",), 40.0))),
        {
            "duty": [
                fact(100, "condition", "j1", "emergency_vehicle", origin="siren-j1"),
                fact(190, "condition", "j3", "emergency_vehicle", origin="siren-j3", junction="j3"),
            ]
        },
        [("opened", "j1", 0), ("updated", "j1", 1), ("closed", "j1", 2)],
    ),
    "a queue that reaches back into the junction before": (
        make(Spillback, roads=ROADS),
        {
            "cam": [lanes(t, "cam", still=5.0, blocked=["S0"] if 150 < t < 400 else []) for t in range(15, 600, 15)],
            "cam-b": [
                lanes(t, "cam-b", junction="j2", of={"W0": [8.0, 8.0 if 120 < t < 420 else 1.0]})
                for t in range(15, 600, 15)
            ],
        },
        [("opened", "j1→j2", 0), ("closed", "j1→j2", 1)],
    ),
    "a camera that sees nothing while its neighbour does": (
        make(CameraBlind),
        {
            "cam": [lanes(t, "cam", count=0 if 900 < t < 1500 else 5) for t in range(15, 2400, 15)],
            "cam-b": [lanes(t, "cam-b", count=6) for t in range(15, 2400, 15)],
        },
        [("opened", "cam", 0), ("closed", "cam", 1)],
    ),
    "a street that is empty for both cameras is no blindness": (
        make(CameraBlind),
        {
            "cam": [lanes(t, "cam", count=0 if 900 < t < 1500 else 5) for t in range(15, 2400, 15)],
            "cam-b": [lanes(t, "cam-b", count=0 if 870 < t < 1500 else 6) for t in range(15, 2400, 15)],
        },
        [],
    ),
    "a queue that stands in the first metres of a road, and one that does not": (
        make(Spillback, roads=ENTRIES),
        {
            "cam": [
                lanes(t, "cam", of={"SO": [6.0, 5.5 if still else 1.0]}, at_begin={"SO": 2.0 if still else 0.2})
                for t in range(15, 900, 15)
                for still in (100 < t < 300,)
            ],
            "cam-b": [
                lanes(t, "cam-b", junction="j2", of={"W0": [8.0, 8.0 if 60 < t < 600 else 1.0]})
                for t in range(15, 900, 15)
            ],
        },
        [("opened", "j1→j2", 0), ("closed", "j1→j2", 1)],
    ),
    "a queue that moves up at green and stands again; it goes from the entry before it goes from the approach": (
        make(Spillback, roads=ENTRIES),
        {
            "cam": [
                lanes(t, "cam", of={"SO": [9.0, 5.0]}, at_begin={"SO": 3.0 if still else 0.2})
                for t in range(15, 900, 15)
                for still in (100 < t < 145 or 160 < t < 205 or 220 < t < 300 or 600 < t < 655,)
            ],
            "cam-b": [
                lanes(t, "cam-b", junction="j2", of={"W0": [8.0, 8.0 if t % 90 < 60 else 2.0]})
                for t in range(15, 900, 15)
            ],
        },
        [("opened", "j1→j2", 0), ("closed", "j1→j2", 1)],
    ),
    "a signal whose cycle is short: a queue that is back a cycle later is another one": (
        make(Spillback, roads=ENTRIES),
        {
            "cam": [
                lanes(t, "cam", of={"SO": [6.0, 5.5]}, at_begin={"SO": 2.0 if still else 0.2})
                for t in range(15, 1200, 15)
                for still in (400 < t < 520 or 585 < t < 700,)
            ],
            "cam-b": sorted(
                [lanes(t, "cam-b", junction="j2", of={"W0": [8.0, 8.0]}) for t in range(15, 1200, 15)] + lights(60),
                key=lambda one: one.time_ns,
            ),
        },
        [("opened", "j1→j2", 0), ("closed", "j1→j2", 1), ("opened", "j1→j2", 0), ("closed", "j1→j2", 1)],
    ),
    "a signal whose cycle is long: its next green clears the queue": (
        make(Spillback, roads=ENTRIES),
        {
            "cam": [
                lanes(t, "cam", of={"SO": [6.0, 5.5]}, at_begin={"SO": 2.0 if 600 < t < 720 else 0.2})
                for t in range(15, 1200, 15)
            ],
            "cam-b": sorted(
                [lanes(t, "cam-b", junction="j2", of={"W0": [8.0, 8.0]}) for t in range(15, 1200, 15)] + lights(140),
                key=lambda one: one.time_ns,
            ),
        },
        [],
    ),
    "a queue in the picture of a camera that had been pushed aside": (
        make(Spillback, roads=ENTRIES),
        {
            "cam": [
                *(
                    lanes(t, "cam", of={"SO": [6.0, 5.5]}, at_begin={"SO": 2.0 if still else 0.2})
                    for t in range(15, 1200, 15)
                    for still in (100 < t < 300 or 600 < t < 800,)
                ),
                fact(1200, "moved", "cam", shift=[0.1, 0.0], fit=0.9, was=0.5, since_ns=(T0 + 590) * NS),
            ],
            "cam-b": [lanes(t, "cam-b", junction="j2", of={"W0": [8.0, 8.0]}) for t in range(15, 1500, 15)],
        },
        [
            ("opened", "j1→j2", 0),
            ("closed", "j1→j2", 1),
            ("opened", "j1→j2", 0),
            ("closed", "j1→j2", 1),
            ("retracted", "j1→j2", 2),
        ],
    ),
    "a queue whose other end nobody sees has to stand for two cycles": (
        make(Spillback, roads=ENTRIES),
        {
            "cam": [
                lanes(t, "cam", of={"SO": [6.0, 5.5]}, at_begin={"SO": 2.0 if still else 0.2})
                for t in range(15, 1500, 15)
                for still in (100 < t < 250 or 600 < t < 900,)
            ],
            "cam-b": [fact(20, "moved", "cam-b", shift=[0.1, 0.0], fit=0.9, was=0.5, since_ns=T0 * NS)],
        },
        [("opened", "j1→j2", 0), ("closed", "j1→j2", 1)],
    ),
    "a queue that nearly fills a road": (
        make(Spillback, roads=ENTRIES),
        {
            "cam": [lanes(t, "cam", of={"SO": [6.0, 5.5]}, at_begin={"SO": 0.2}) for t in range(15, 600, 15)],
            "cam-b": [lanes(t, "cam-b", junction="j2", of={"W0": [8.0, 8.0]}) for t in range(15, 600, 15)],
        },
        [],
    ),
    "a camera that was pushed aside and put right": (
        make(CameraDrift),
        {
            "cam": [
                *quiet(7200),
                fact(3600, "moved", "cam", shift=[0.06, 0.0], fit=0.9, was=0.7, since_ns=T0 * NS),
                fact(5400, "settled", "cam"),
            ],
        },
        [("opened", "cam", 0), ("closed", "cam", 1)],
    ),
    "lights that are not believed, a citizen who saw it, and the second group": (
        make(SignalFailure),
        {
            "verdicts": [
                fault(600, "opened", "S"),
                fault(640, "opened", "W"),
                fault(900, "closed", "S"),
                fault(930, "updated", "W"),
                fault(960, "closed", "W"),
                fault(1100, "opened", "S"),  # believed for two minutes: the same failure
                fault(1400, "closed", "S"),
                fault(1700, "opened", "S"),  # for five: another one
                fault(1800, "closed", "S"),
                fault(3000, "opened", "S", junction="j2"),
            ],
            "reports": [
                report(300, "r1", "traffic_light"),
                report(700, "r2", "traffic_light"),
                report(710, "far", "traffic_light", at=FAR),
            ],
        },
        [
            ("opened", "j1", 0),
            ("updated", "j1", 1),
            ("updated", "j1", 2),
            ("closed", "j1", 3),
            ("opened", "j1", 0),
            ("closed", "j1", 1),
            ("opened", "j2", 0),
        ],
    ),
    "two cameras see one crash, and a second one follows": (
        make(Crash),
        {
            "cam": [
                impact(600, "cam", "i1", 570),
                impact(2000, "cam", "i3", 1950),
                moved_off(1700, "cam", "i1", 1100.0),
            ],
            "cam-b": [impact(640, "cam-b", "i2", 572), moved_off(1690, "cam-b", "i2", 1100.0)],
        },
        [("opened", "j1", 0), ("updated", "j1", 1), ("closed", "j1", 2), ("opened", "j1", 0), ("closed", "j1", 1)],
    ),
}

STORIES["seconds in which a camera could judge, was blind, or did not know the signal"] = (
    make(Coverage, rules={"cam": ("red_light", "wrong_way")}, groups={"cam": frozenset({("j1", "S")})}),
    {
        "cam": [fact(1, "signal", "j1", "red", group="S"), fact(700, "signal", "j1", "unknown", group="S")]
        + [fact(1000, "signal", "j1", "green", group="S")]
        + [lanes(t, "cam") for t in range(15, 6000, 15) if not 2000 < t <= 2300]
        + [fact(2010, "dark", "cam", since_ns=(T0 + 2000) * NS), fact(2300, "back", "cam", since_ns=(T0 + 2000) * NS)],
        "gauges": [fact(t, "reading", "aq", "pm25", 30.0) for t in range(0, 6000, 60) if not 3000 < t < 4200],
    },
    [],
)

STORIES["light rules were not armed while the signals were not believed, nor any rule while the view had moved"] = (
    make(
        Coverage,
        rules={"cam": ("red_light", "wrong_way"), "cam-b": ("wrong_way",)},
        groups={"cam": frozenset({("j1", "S"), ("j1", "W")}), "cam-b": frozenset()},
    ),
    {
        "cam": [fact(1, "signal", "j1", "red", group=group) for group in "SW"]
        + [lanes(t, "cam") for t in range(15, 9000, 15)],
        "cam-b": [lanes(t, "cam-b") for t in range(15, 9000, 15)]
        + [fact(8000, "moved", "cam-b", since_ns=(T0 + 7400) * NS), fact(8600, "settled", "cam-b")],
        "verdicts": [
            fault(3700, "opened", "S"),  # not believed since a minute before
            fault(3800, "opened", "W"),
            fault(3900, "updated", "S"),
            fault(4300, "closed", "S"),
            fault(4400, "closed", "W"),
            fact(6400, "fault", "j1", "opened", group="S", faults=["stuck"], since_ns=(T0 + 6200) * NS),
            fact(6900, "fault", "j1", "closed", group="S", faults=["stuck"], since_ns=(T0 + 6200) * NS),
        ],
    },
    [],
)
