"""Stories of reports: received, placed, clustered, answered in time or not."""

import json
import random

import pytest
from report_lines import HERE, Town, as_set, at, line, metres, open_feed, run_lines

from smartstream.streams.report_categories import categorise


def sla(town):
    return [
        (e.data["report"], e.type.split(".")[-2], e.time[5:16], "retracts" in e.data)
        for e in town.events
        if ".sla." in e.type
    ]


def clusters(town):
    return [
        (e.type.split(".")[-2], e.data["reports"], e.data["distinct_reporters"], e.data["revision"])
        for e in town.events
        if ".cluster." in e.type
    ]


def test_a_report_is_received_and_sent_to_who_answers(tmp_path):
    (event,) = run_lines(
        tmp_path, [line(0, "r-1", "", "  Đường ngập\n sâu ", address_string="Đường Lương Ngọc Quyến")]
    ).of("received.observed")
    data = event.data
    assert (event.time, data["report"], data["category"], data["agency"]) == (
        "2026-09-21T01:00:00.000Z",
        "r-1",
        "flood",
        "Sở Xây dựng",
    )
    assert (data["description"], data["status"], data["revision"]) == ("Đường ngập sâu", "open", 0)
    assert data["due"] == "2026-09-21T05:00:00.000Z"  # four hours around the clock
    assert data["position"] == {"lat": HERE[0], "lon": HERE[1]}
    assert data["text"] == "Ngập nước: tiếp nhận lúc 08:00 ngày 21/09/2026, chuyển Sở Xây dựng."


def test_nothing_published_names_a_citizen(tmp_path):
    told = "Tôi là 0912 345 678, a.b@c.vn, CCCD 019123456789, thấy xe 20A-123.45 đổ rác"
    lines = [
        line(0, "r-1", "waste", told, phone="0912345678", email="a.b@c.vn", media_url="https://x/y.jpg"),
        line(1, "r-2", "traffic_violation", "xe 20A-123.45 vượt đèn đỏ", media_url="https://x/z.mp4"),
        line(2, "r-3", "waste", told, status="asleep"),
    ]
    town = run_lines(tmp_path, lines)
    everything = b"".join(e.to_json() for e in town.events).decode() + str(town.dead)
    for secret in ("0912", "345 678", "a.b@c", "019123456789", "123.45", "y.jpg", "z.mp4"):
        assert secret not in everything
    waste, evidence = (e.data for e in town.of("received.observed"))
    assert waste["description"] == "Tôi là [số điện thoại], [email], CCCD [số định danh], thấy xe [biển số] đổ rác"
    assert (waste["public"], waste["media"], evidence["public"], evidence["description"]) == (True, True, False, "")
    assert town.reasons() == ["unknown_status"]


@pytest.mark.parametrize(
    ("code", "text", "category"),
    [
        ("flood", "", "flood"),
        ("Noise - Residential", "Loud Music/Party", "noise"),
        ("", "Ngập nặng ở ngã tư", "flood"),
        ("", "duong ngap sau qua", "flood"),
        ("", "xe chạy ẩu", "other"),
        ("", "cháy bãi rác, khói mù mịt", "fire"),
        ("", "Ổ gà to giữa mặt đường", "road"),
        ("lạ lắm", "", "other"),
    ],
)
def test_categories(code, text, category):
    assert categorise(code, text).id == category


def test_reports_of_one_flood_are_one_cluster(tmp_path):
    lines = [
        line(0, "r-1", text="Đường ngập sâu", account_id="a"),
        line(4, "r-2", text="Nước dâng cao quá", place=(200, 0), account_id="b"),
        line(9, "r-3", text="ngập rồi", place=(100, 50), account_id="b"),
        line(12, "far", text="Đường ngập sâu", place=(900, 0), account_id="c"),
        line(15, "hole", "pothole", "ổ gà", account_id="d"),
        line(9 + 7 * 60, "later", text="Đường ngập sâu", account_id="e"),
    ]
    town = run_lines(tmp_path, lines)
    assert clusters(town) == [("opened", 2, 2, 0), ("updated", 3, 2, 1), ("closed", 3, 2, 2)]
    closed = town.of("cluster.closed")[0]
    assert closed.time == "2026-09-21T07:09:00.000Z"  # six hours after the last of them
    assert closed.data["members"] == ["r-1", "r-2", "r-3"]
    assert closed.data["position"]["lat"] == pytest.approx(metres(100)["lat"], abs=1e-6)
    assert closed.data["text"] == "Ngập nước: 3 phản ánh của 2 người, không còn phản ánh mới."


def test_further_apart_the_words_decide(tmp_path):
    same = [
        line(0, "a", "pothole", "Ổ gà lớn trước số 12"),
        line(5, "b", "pothole", "ổ gà lớn trước số 12 nhé", place=(70, 0)),
    ]
    other = [line(0, "a", "pothole", "Ổ gà lớn trước số 12"), line(5, "b", "pothole", "nắp cống vỡ", place=(70, 0))]
    near = [line(0, "a", "pothole", "Ổ gà lớn trước số 12"), line(5, "b", "pothole", "nắp cống vỡ", place=(20, 0))]
    assert [len(clusters(run_lines(tmp_path, lines))) for lines in (same, other, near)] == [2, 0, 2]


def test_without_a_place_the_address_or_the_words_decide(tmp_path):
    address = [
        line(0, "a", address_string="Số 5 Bến Oánh"),
        line(5, "b", text="úng", place=None, address_string="số 5 bến oánh"),
    ]
    text = [line(0, "a", text="Ngập ở cổng chợ Thái"), line(5, "b", text="ngập ở cổng chợ Thái!", place=None)]
    neither = [line(0, "a"), line(5, "b", text="úng", place=None)]
    assert [len(clusters(run_lines(tmp_path, lines))) for lines in (address, text, neither)] == [2, 2, 0]


def test_a_campaign_is_not_a_crowd(tmp_path):
    lines = [line(i / 10, f"r-{i}", account_id="one" if i % 10 else "two") for i in range(200)]
    town = run_lines(tmp_path, lines)
    last = town.of("cluster.closed")[0].data
    assert (last["reports"], last["distinct_reporters"], last["few_voices"]) == (200, 2, True)
    assert len(town.of("cluster.updated")) < 50  # a storm does not drown the bus
    copied = run_lines(tmp_path, [line(i / 10, f"r-{i}") for i in range(20)])
    assert copied.of("cluster.closed")[0].data["distinct_reporters"] == 1  # nameless, and word for word the same
    crowd = run_lines(tmp_path, [line(i / 10, f"r-{i}", text=f"ngập rồi {i}") for i in range(20)])
    assert crowd.of("cluster.closed")[0].data["few_voices"] is False


def test_time_to_answer_runs_out_and_the_answer_closes_it(tmp_path):
    lines = [
        line(0, "r-1"),
        line(0, "in-time", place=(5000, 0)),
        line(180, "in-time", status="closed"),
        line(300, "r-1", status="closed"),
        line(400, "x", "noise"),
    ]
    town = run_lines(tmp_path, lines)
    assert sla(town) == [("r-1", "opened", "09-21T05:00", False), ("r-1", "closed", "09-21T06:00", False)]
    assert town.of("sla.closed")[0].data["late_s"] == 3600
    assert town.of("sla.opened")[0].data["text"].startswith("Quá hạn xử lý phản ánh r-1 (Ngập nước), hạn 12:00")
    assert [e.data["revision"] for e in town.of("received.observed") if e.data["report"] == "r-1"] == [0, 1]


def test_working_time_stands_still_at_night_and_while_the_citizen_is_asked(tmp_path):
    # 24 working hours from Monday 08:00: three days of eight hours.
    lines = [
        line(0, "r-1", "noise", "ồn"),
        line(60, "r-1", "noise", status="Chờ bổ sung"),
        line(60 + 24 * 60, "r-1", status="in progress"),
    ]
    town = run_lines(tmp_path, [*lines, line(6 * 24 * 60, "x", "noise", "khác", place=(9000, 0))])
    dues = [e.data["due"] for e in town.of("received.observed") if e.data["report"] == "r-1"]
    assert dues == ["2026-09-24T01:00:00.000Z", None, "2026-09-25T01:00:00.000Z"]
    assert sla(town) == [("r-1", "opened", "09-25T01:00", False)]


def test_reopened_starts_anew(tmp_path):
    lines = [
        line(0, "r-1"),
        line(60, "r-1", status="closed"),
        line(120, "r-1", status="reopened"),
        line(600, "x", "noise"),
    ]
    town = run_lines(tmp_path, lines)
    assert [e.data["due"] for e in town.of("received.observed") if e.data["report"] == "r-1"] == [
        "2026-09-21T05:00:00.000Z", None, "2026-09-21T07:00:00.000Z",
    ]  # fmt: skip
    assert sla(town) == [("r-1", "opened", "09-21T07:00", False)]


def test_an_answer_that_comes_late_by_the_wire_takes_the_reproach_back(tmp_path):
    noise = [line(minutes, f"n{minutes}", "noise") for minutes in (300, 301, 400)]
    lines = [line(0, "r-1"), *noise[:2], line(200, "r-1", status="closed"), noise[2]]
    town = run_lines(tmp_path, lines)
    assert sla(town) == [("r-1", "opened", "09-21T05:00", False), ("r-1", "closed", "09-21T04:20", True)]
    assert town.of("sla.closed")[0].data["retracts"] == town.of("sla.opened")[0].id


def test_a_report_that_comes_days_late_is_still_taken_and_after_a_week_refused(tmp_path):
    lines = [
        line(0, "a"),
        line(6 * 1440, "b", "noise"),
        line(10, "late", place=(5000, 0)),
        line(8 * 1440, "c", "noise"),
        line(8 * 1440 + 1, "d", "noise"),
        line(20, "gone"),
    ]
    town = run_lines(tmp_path, lines)
    assert {e.data["report"] for e in town.of("received.observed")} == {"a", "b", "c", "d", "late"}
    assert town.reasons() == ["late"]


def test_a_replay_brings_nothing_twice(tmp_path):
    lines = [line(i, f"r-{i % 7}", status=("open", "in_progress", "closed")[i // 7]) for i in range(21)]
    once = run_lines(tmp_path, lines)
    twice = run_lines(tmp_path, lines + lines)
    assert as_set(once) == {e.to_json() for e in twice.events if ".dlq." not in e.type}
    assert len(twice.reasons()) == len(lines)
    assert set(twice.reasons()) <= {"duplicate", "superseded"}


def day_of_reports(seed, count=400):
    rng = random.Random(seed)
    codes = ["flood", "pothole", "noise", "waste", "lạ", "accident"]
    lines = []
    for i in range(count):
        minute = rng.uniform(0, 1200)
        place = None if rng.random() < 0.1 else (rng.choice([0, 400, 3000]) + rng.gauss(0, 60), rng.gauss(0, 60))
        text = rng.choice(["ngập sâu", "ổ gà lớn", "ồn quá", "rác đầy đường", "không biết nữa"]) + rng.choice(
            ["", " lắm", " ở cổng chợ"]
        )
        more = {"account_id": rng.randrange(40)} if rng.random() < 0.7 else {}
        lines.append((minute, line(minute, f"r-{i}", rng.choice(codes), text, place=place, **more)))
        if rng.random() < 0.5:
            later = minute + rng.uniform(1, 900)
            lines.append(
                (later, line(later, f"r-{i}", "", "", place=None, status=rng.choice(["closed", "pending", "assigned"])))
            )
    return sorted(lines)


@pytest.mark.parametrize("seed", range(3))
def test_order_within_lateness_and_cuts_anywhere_change_nothing(tmp_path, seed):
    lines = day_of_reports(seed)
    straight = run_lines(tmp_path, [text for _, text in lines])
    assert len(straight.of("cluster.opened")) > 5
    assert straight.of("sla.opened")
    rng = random.Random(seed)
    shuffled = [text for _, text in sorted(lines, key=lambda entry: entry[0] + rng.uniform(0, 4.9))]
    assert as_set(run_lines(tmp_path, shuffled)) == as_set(straight)
    late = [text for _, text in sorted(lines, key=lambda entry: entry[0] + 300 * (rng.random() < 0.05))]
    whole, cut = run_lines(tmp_path, late), run_lines(tmp_path, late, cut=True, turn_lines=1)
    assert [e.to_json() for e in cut.events] == [e.to_json() for e in whole.events]


def test_feeds_meet_in_the_same_order_whoever_is_read_first(tmp_path):
    lines = [text for _, text in day_of_reports(8, 150)]
    paths = []
    for i in range(3):
        paths.append(tmp_path / f"{i}.ndjson")
        paths[-1].write_text("\n".join(text for text in lines if int(json.loads(text)["report"][2:]) % 3 == i) + "\n")

    def together(order):
        sides = [f"reports/{i}" for i in range(3)]
        town, feeds = (
            Town(sides),
            [open_feed(path, side, turn_lines=10) for path, side in zip(paths, sides, strict=True)],
        )
        for i in order:
            town.take(feeds[i].read())
        for feed in feeds:
            while not feed.ended:
                town.take(feed.read())
        return town

    first, rng = together([]), random.Random(2)
    for _ in range(3):
        assert as_set(together(rng.choices(range(3), k=25))) == as_set(first)


def test_every_line_is_a_report_or_a_dead_letter(tmp_path):
    bad = {
        "{": "broken_json",
        json.dumps({"time": at(1)}): "bad_field",
        json.dumps({"time": "yesterday", "report": "x"}): "bad_time",
        json.dumps({"time": at(1), "report": ""}): "bad_field",
        json.dumps({"time": at(1), "report": "x", "lat": 91, "lon": 5}): "bad_position",
        json.dumps({"time": at(1), "report": "x", "status": "?"}): "unknown_status",
        json.dumps({"time": at(10**6), "report": "x"}): "absurd_time",
    }
    town = run_lines(
        tmp_path,
        [
            line(0, "a"),
            *bad,
            line(2, "b", "noise", place=None),
            json.dumps({"time": at(3), "report": 7, "lat": 0, "lon": 0}),
        ],
    )
    assert town.reasons() == sorted(bad.values())
    assert [(e.data["report"], e.data["position"] is None) for e in town.of("received.observed")] == [
        ("a", False),
        ("b", True),
        ("7", True),
    ]
