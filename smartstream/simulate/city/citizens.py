"""What people write: reports about what happens, false ones and everyday ones, and what the press makes of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Final

from smartstream.simulate.city.driving import Driven
from smartstream.simulate.city.happenings import World
from smartstream.simulate.city.stations import Line, district_place
from smartstream.simulate.city.streets import centre, position
from smartstream.simulate.network import ARMS

_SAID: Final[dict[str, tuple[str, ...]]] = {
    "flood": (
        "Đường ngập sâu, xe máy chết máy", "Nước ngập đến nửa bánh xe, không đi được", "Ngập nặng ở đây, tắc đường",
        "Nước dâng tràn mặt đường", "Chỗ này lại ngập rồi",
    ),
    "accident": (
        "Có tai nạn giữa hai xe, có người ngã", "Va chạm xe, tắc cả làn", "Vừa có vụ tông xe ở ngã tư",
        "Hai xe va chạm, đề nghị cử người đến", "Tai nạn giao thông, cần cấp cứu",
    ),
    "fire": (
        "Đốt rác khói mù mịt", "Có người đốt rơm, khói khét cả khu", "Mùi khói khét không chịu nổi",
        "Bãi rác bị đốt, khói đen",
    ),
    "parking": ("Ô tô đỗ xe chắn lối", "Xe đậu xe lấn chiếm lòng đường", "Dừng xe chiếm cả làn ngoài"),
    "waste": ("Rác thải chất đống không ai thu", "Có người đổ trộm rác", "Mùi hôi từ điểm tập kết rác"),
    "noise": ("Hát karaoke ầm ĩ", "Loa kéo quá to", "Tiếng ồn từ quán ăn"),
    "road": ("Ổ gà to giữa đường", "Nắp cống bị hỏng", "Mặt đường sụt lún"),
    "street_light": ("Đèn đường không sáng", "Mất điện đường cả đoạn", "Đèn chiếu sáng hỏng"),
    "tree": ("Cây đổ chắn vỉa hè", "Gãy cành cây xanh", "Cây gãy sau mưa"),
}  # fmt: skip
_PRESS: Final = {
    "flood": ("Ngập sâu tại {where}", "Mưa lớn khiến nhiều tuyến đường tại {where} ngập, giao thông khó khăn."),
    "crash": ("Va chạm giao thông tại {where}", "Hai xe va chạm, lực lượng chức năng đang xử lý hiện trường."),
    "gathering": (
        "Hàng nghìn người đổ về trung tâm",
        "Lượng xe vào trung tâm tăng cao, người dân nên chọn đường khác.",
    ),
}
_SPAM: Final = "Khuyến mãi sốc, mua ngay kẻo lỡ, liên hệ hotline 0900000000 để nhận quà miễn phí!!!"


@dataclass
class Written:
    """Lines of both feeds, times in seconds of the scenario, and what each report is about.

    Attributes:
        about: By report, the happening it speaks of; reports of the same happening belong together.
        wrongly_closed: Reports that a clerk closed while what they say was still so.
    """

    reports: list[Line] = field(default_factory=list)
    media: list[Line] = field(default_factory=list)
    about: dict[str, str] = field(default_factory=dict)
    wrongly_closed: list[str] = field(default_factory=list)


def write(world: World, driven: Driven) -> Written:
    """Everything that anybody writes."""
    desk = _Desk(world)
    for flood in world.of("flood"):
        desk.flood(flood.name, int(flood.place), flood.begin_s, flood.end_s)
    for puddle in world.of("puddle"):
        at = puddle.begin_s
        desk.report(puddle.name, "flood", at, district_place(int(puddle.place)), closed_s=at + 900)
    for fire in world.of("burning"):
        for _ in range(desk.rng.randrange(1, 4)):
            at = max(0.0, fire.begin_s + desk.rng.uniform(60, 2400))
            desk.report(fire.name, "fire", at, district_place(int(fire.place)))
    for crash in world.of("crash"):
        if (hit := driven.happened.get(crash.name, {}).get("at_s")) is not None:
            callers = desk.rng.randrange(2, 6) if crash.more["injury"] else desk.rng.randrange(0, 2)
            for _ in range(callers):
                said = hit + desk.rng.uniform(40, 420)
                desk.report(crash.name, "accident", said, approach_place(crash.place), closed_s=said + 3000)
    for hoax in world.of("hoax"):
        desk.report(hoax.name, "accident", hoax.begin_s, position(*centre(hoax.place)), closed_s=hoax.begin_s + 2400)
    for parked in world.of("parking"):
        stood = driven.happened.get(parked.name, {}).get("at_s")
        if stood is not None and stood + 400 < parked.end_s:
            said = desk.rng.uniform(stood + 360, parked.end_s)
            desk.report(parked.name, "parking", said, approach_place(parked.place), closed_s=parked.end_s + 1200)
    for complaint in world.of("complaint"):
        place = desk.spread(district_place(int(complaint.place)), 900)
        hands = desk.rng.choice((1, 1, 1, 2, 3))
        for _ in range(hands):
            at = complaint.begin_s + desk.rng.uniform(0, 3000)
            desk.report(complaint.name, complaint.more["category"], at, place, off_m=20)
    desk.press(driven)
    desk.out.reports.sort(key=lambda line: (line["time"], line["report"], line["status"]))
    desk.out.media.sort(key=lambda line: (line["time"], line["media"]))
    return desk.out


def approach_place(approach: str) -> tuple[float, float]:
    """Degrees of the road before the stop line of an approach."""
    x, y = centre(approach[:2])
    dx, dy = ARMS[approach[2]]
    return position(x + 30 * dx, y + 30 * dy)


class _Desk:
    def __init__(self, world: World) -> None:
        self.world, self.rng, self.out = world, random.Random(f"citizens {world.seed}"), Written()
        self._number = 0

    def spread(self, place: tuple[float, float], metres: float) -> tuple[float, float]:
        """A place as far off as people are when they say where something is."""
        return (place[0] + self.rng.gauss(0, metres / 111_195), place[1] + self.rng.gauss(0, metres / 103_400))

    def report(
        self, about: str, category: str, at_s: float, place: tuple[float, float], *,
        closed_s: float | None = None, off_m: float = 28.0,
    ) -> str:  # fmt: skip
        """A report, and its closing if somebody closes it within the scenario."""
        if not 0 <= at_s < self.world.seconds:
            return ""
        self._number += 1
        name = f"r-{self._number:04d}"
        self.out.about[name] = about
        lat, lon = self.spread(place, off_m)
        line: dict[str, Any] = {
            "time": round(at_s, 3), "report": name, "service_code": category,
            "description": self.rng.choice(_SAID[category]), "lat": round(lat, 6), "lon": round(lon, 6),
            "address_string": "", "media_url": None, "status": "open",
            "account_id": f"u-{self.rng.randrange(100_000)}",
        }  # fmt: skip
        if self.rng.random() < 0.15:
            line["service_code"] = ""  # by the words alone
        self.out.reports.append(line)
        if closed_s is not None and closed_s < self.world.seconds:
            self.out.reports.append({**line, "time": round(closed_s, 3), "status": "closed"})
        return name

    def flood(self, about: str, district: int, begin_s: float, end_s: float) -> None:
        """Reports while the water stands; a clerk may close the first of them while it does, for half an hour more."""
        for n in range(self.rng.randrange(1, 5)):
            last = end_s - 900 if n else min(end_s - 900, begin_s + 1500)  # somebody speaks of it soon
            at = self.rng.uniform(begin_s + 120, max(begin_s + 180, last))
            wrong = n == 0 and end_s - at > 3000 and self.rng.random() < 0.7
            closed = at + self.rng.uniform(600, 1200) if wrong else end_s + self.rng.uniform(1800, 7200)
            name = self.report(about, "flood", at, district_place(district), closed_s=closed)
            if wrong and name:
                self.out.wrongly_closed.append(name)

    def press(self, driven: Driven) -> None:
        """Articles about what is worth one, copies of them, and promotion."""
        rng = self.rng
        for h in self.world.happenings:
            worth = h.kind in ("flood", "gathering") or (h.kind == "crash" and h.more["injury"])
            if not worth or (h.kind == "crash" and "at_s" not in driven.happened.get(h.name, {})):
                continue
            title, text = _PRESS[h.kind]
            where = f"quận {h.place}" if h.place.isdigit() else f"nút giao {h.place[:2]}"
            for n in range(rng.randrange(1, 4)):
                body = f"{text.format(where=where)} " + ("" if n % 2 else _SPAM)
                self._item(h.begin_s + rng.uniform(900, 3600), title.format(where=where), body)
        for _ in range(round(self.world.seconds / 1800)):
            self._item(rng.uniform(0, self.world.seconds), "Ưu đãi lớn", " ".join([_SPAM] * 3))

    def _item(self, at_s: float, title: str, text: str) -> None:
        if at_s >= self.world.seconds:
            return
        name = f"m-{len(self.out.media):04d}"
        self.out.media.append(
            {
                "time": round(at_s, 3),
                "media": name,
                "source": self.rng.choice(("press", "social")),
                "url": f"https://news.example/{name}",
                "lang": "vi",
                "title": title,
                "text": text,
            }
        )
