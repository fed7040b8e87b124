"""Media: promotion out, near-duplicates together, bursts per topic and ward, links whatever came first."""

import itertools
import json
import pickle
import random

import pytest
from media_fixtures import FLOOD, INJECTED, PROMOTION, REWRITTEN, SCHOOL

from pipelines.media import MediaSpec, MediaStep
from smartstream.ingest.lines import file_source
from smartstream.ingest.media_lines import MediaLines
from smartstream.model.items import MediaItems
from smartstream.model.media_text import clean, same_share, signature
from smartstream.model.time import NS
from smartstream.streams.media import Happening, MediaDesk

T0 = 1_790_000_000
WARDS = {"Phường Phan Đình Phùng": "05443", "Phường Quyết Thắng": "05482"}


@pytest.mark.parametrize("kind", INJECTED)
def test_what_was_injected_goes_and_the_news_stays(kind):
    cleaned = clean("Ngập sâu sau mưa lớn", INJECTED[kind], "vi")
    assert 0 < cleaned.spam_share < 0.6
    for word in ("kèo", "ngoại hạng", "作者", "viagra", "casino", "no-hu"):
        assert word not in cleaned.text.lower()
    assert "hàng chục xe máy chết máy" in cleaned.text
    assert same_share(signature(cleaned.text), signature("Ngập sâu sau mưa lớn " + FLOOD)) > 0.7


@pytest.mark.parametrize("text", [FLOOD, SCHOOL])
def test_honest_news_stays_whole(text):
    assert clean("", text, "vi").spam_share == 0


@pytest.mark.parametrize("text", PROMOTION)
def test_what_is_promotion_is_none(text):
    assert clean("", text, "vi").spam_share > 0.6


def test_likeness_of_texts():
    assert same_share(signature(FLOOD), signature(REWRITTEN)) > 0.5
    assert same_share(signature(FLOOD), signature(SCHOOL)) < 0.1


def story(i, minute, text=FLOOD, **more):
    return {"time": T0 + 60 * minute, "media": f"m-{i}", "source": "press", "title": "Ngập", "text": text, **more}


def floods(count, start=0, step=5):
    """Stories of one topic and ward that are no copies of each other."""
    rng = random.Random(count + start)
    streets = ["Hoàng Văn Thụ", "Lương Ngọc Quyến", "Bắc Kạn", "Phan Bội Châu", "Minh Cầu", "Cách Mạng Tháng Tám"]
    for i in range(count):
        words = " ".join(f"nhân chứng {rng.randrange(10**6)} kể chuyện {rng.randrange(10**6)}" for _ in range(8))
        text = f"Đường {streets[i % 6]} ở phường Phan Đình Phùng ngập sâu lúc {i} giờ. {words}."
        yield story(f"f{start}-{i}", start + i * step, text)


def tell(folder, lines, happened=(), *, turn_lines=256, cut=False, first="items"):
    path = folder / "m.ndjson"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    spec = MediaSpec("s", ("m",), 300 * NS, None, "Asia/Ho_Chi_Minh")

    def step_of(state=None):
        step = MediaStep(spec)
        step._desk = MediaDesk("s", WARDS, 300 * NS)
        if state is not None:
            step._arrivals.restore(state["arrivals"])
            step._desk.restore(state["desk"])
        return step

    source = file_source("m", path, lateness_ns=300 * NS, turn_lines=turn_lines)
    feed, step, events = MediaLines(source), step_of(), []
    if first == "happened":
        events += step.on_batch(list(happened))[0]
    while not feed.ended:
        events += step.on_batch([item for item in feed.read() if isinstance(item, MediaItems)])[0]
        if cut:
            feed = MediaLines(source, pickle.loads(pickle.dumps(feed.snapshot())))
            step = step_of(pickle.loads(pickle.dumps(step.snapshot())))
    if first == "items":
        events += step.on_batch(list(happened))[0]
    return events


def kinds(events, kind):
    return [e.data for e in events if f".{kind}." in e.type]


def test_copies_are_one_cluster_spam_and_repeats_are_letters(tmp_path):
    lines = [story(1, 0), story(2, 3, INJECTED["pills"], source="social"), story(3, 4, REWRITTEN), story(4, 5, SCHOOL),
             story(5, 6, PROMOTION[0], title=""), story(1, 7)]  # fmt: skip
    events = tell(tmp_path, lines)
    clusters = kinds(events, "media.cluster")
    assert [(c["items"], c["topic"], c["ward"]) for c in clusters] == [
        (1, "flood", "05443"), (2, "flood", "05443"), (3, "flood", "05443"), (1, clusters[3]["topic"], "05482"),
    ]  # fmt: skip
    assert clusters[2]["sources"] == ["press", "social"]
    assert [d["reason"] for d in kinds(events, "dlq.streams")] == ["spam", "duplicate"]


def test_a_burst_is_of_stories_not_of_copies(tmp_path):
    assert not kinds(tell(tmp_path, [story(i, i) for i in range(30)]), "media.burst")
    [first, *more] = kinds(tell(tmp_path, list(floods(8))), "media.burst")
    assert (first["stories"], first["topic"], first["ward"], first["usual_per_hour"]) == (5, "flood", "05443", 0)
    assert "đột biến" in first["text"]
    assert more
    steady = [line for hour in range(30) for line in floods(5, hour * 60, 12)]
    late = kinds(tell(tmp_path, steady), "media.burst")
    assert all(burst["since"] < "2026-09-21T22" for burst in late)  # what is always so is no burst any more


@pytest.mark.parametrize(
    ("text", "ward"),
    [("ngập ở phường Tân An hôm nay", "1"), ("phường Tân Anh ngập", ""), ("PHƯỜNG TÂN AN: ngập", "1"), ("Tân An", "")],
)
def test_a_ward_is_named_by_whole_words(text, ward):
    assert MediaDesk("s", {"Phường Tân An": "1"}, 300 * NS)._ward(text) == ward


def test_a_story_that_comes_late_makes_no_burst_of_the_hours_after_it(tmp_path):
    """Six stories in half a day, and one from before them: they were taken for seven in its hour."""
    slow = list(floods(12, 0, 120))
    behind = {**next(floods(1, 500)), "time": T0 + 9 * 3600}
    events = tell(tmp_path, [*slow, behind], turn_lines=1)
    assert len(kinds(events, "media.cluster")) == 13
    assert not kinds(events, "media.burst")


def test_what_the_joins_tell_days_later_is_linked_all_the_same(tmp_path):
    lines = [*floods(6), *(next(floods(1, 1440 * day)) for day in range(1, 7))]
    told = [
        {e.to_json() for e in tell(tmp_path, lines, NEAR, first=first) if ".link." in e.type}
        for first in ("items", "happened")
    ]
    assert told[0] == told[1]
    assert len(told[0]) == 2


NEAR = [
    Happening("cl-1", "flood", "05443", (T0 - 3600) * NS),
    Happening("in-2", "flood", "", (T0 + 1500) * NS),
]
FAR = [
    Happening("x-1", "fire", "05443", T0 * NS),
    Happening("x-2", "flood", "05482", T0 * NS),
    Happening("x-3", "flood", "05443", (T0 - 9 * 3600) * NS),
]


@pytest.mark.parametrize("first", ["items", "happened"])
def test_a_burst_is_linked_to_what_is_open_whichever_came_first(tmp_path, first):
    links = kinds(tell(tmp_path, list(floods(6)), [*NEAR, *FAR], first=first), "media.link")
    assert {link["incident"] for link in links} == {"cl-1", "in-2"}


def test_any_order_within_the_lateness_any_turn_and_any_cut_tell_the_same(tmp_path):
    lines = [*floods(9), story(1, 2), story(2, 4, REWRITTEN), story(3, 8, PROMOTION[1], title=""), story(4, 9, SCHOOL)]
    lines.sort(key=lambda line: line["time"])
    lines[3], lines[4] = lines[4], lines[3]
    seen = []
    for turn_lines, cut, first in itertools.product((256, 1, 3), (False, True), ("items", "happened")):
        events = tell(tmp_path, lines, NEAR, turn_lines=turn_lines, cut=cut, first=first)
        seen.append({(e.id, e.to_json()) for e in events if ".dlq." not in e.type})
    assert all(s == seen[0] for s in seen)
    assert len(seen[0]) > 12
