"""What citizens and officers read about the air, in Vietnamese."""

from __future__ import annotations

from typing import Final

import msgspec


class Level(msgspec.Struct, frozen=True):
    """A level of the index.

    Attributes:
        rank: 1 (good) to 6.
        highest: Largest index of the level.
        name: As the Decision names it.
        colour: As the Decision shows it, ``#RRGGBB``.
        effect: What it means for health.
        everyone: Advice to everyone.
        sensitive: Advice to the sensitive: children, the old, the pregnant, the ill.
    """

    rank: int
    highest: int
    name: str
    colour: str
    effect: str
    everyone: str
    sensitive: str


LEVELS: Final = (
    Level(
        rank=1,
        highest=50,
        name="Tốt",
        colour="#00E400",
        effect="Không khí trong lành, không ảnh hưởng tới sức khỏe.",
        everyone="Có thể sinh hoạt ngoài trời bình thường.",
        sensitive="Có thể sinh hoạt ngoài trời bình thường.",
    ),
    Level(
        rank=2,
        highest=100,
        name="Trung bình",
        colour="#FFFF00",
        effect="Chấp nhận được; một số ít người rất nhạy cảm có thể bị ảnh hưởng nhẹ.",
        everyone="Có thể sinh hoạt ngoài trời bình thường.",
        sensitive="Nên để ý các dấu hiệu như ho, khó thở và bớt vận động mạnh ngoài trời khi thấy mệt.",
    ),
    Level(
        rank=3,
        highest=150,
        name="Kém",
        colour="#FF7E00",
        effect="Người nhạy cảm có thể gặp vấn đề về sức khỏe; người bình thường ít bị ảnh hưởng.",
        everyone="Nên bớt vận động mạnh kéo dài ngoài trời, nghỉ khi thấy ho, cay mắt, đau họng.",
        sensitive="Nên hạn chế ra ngoài; đeo khẩu trang lọc bụi mịn và mang theo thuốc đang dùng khi phải ra ngoài.",
    ),
    Level(
        rank=4,
        highest=200,
        name="Xấu",
        colour="#FF0000",
        effect="Người bình thường bắt đầu bị ảnh hưởng; người nhạy cảm có thể bị ảnh hưởng nặng hơn.",
        everyone="Nên hạn chế hoạt động ngoài trời kéo dài; đeo khẩu trang lọc bụi mịn khi ra ngoài.",
        sensitive="Nên ở trong nhà, đóng cửa và theo dõi sức khỏe; đi khám khi khó thở hoặc mệt nhiều.",
    ),
    Level(
        rank=5,
        highest=300,
        name="Rất xấu",
        colour="#8F3F97",
        effect="Cảnh báo sức khỏe: mọi người đều có thể bị ảnh hưởng rõ rệt.",
        everyone="Nên tránh hoạt động ngoài trời, chuyển hoạt động vào trong nhà, đóng cửa sổ.",
        sensitive="Cần ở trong nhà và tránh vận động mạnh; trường học nên dừng hoạt động ngoài trời.",
    ),
    Level(
        rank=6,
        highest=500,
        name="Nguy hại",
        colour="#7E0023",
        effect="Cảnh báo khẩn cấp: toàn bộ người dân có thể bị ảnh hưởng nghiêm trọng tới sức khỏe.",
        everyone="Cần ở trong nhà, đóng kín cửa; chỉ ra ngoài khi thật cần thiết và phải đeo khẩu trang lọc bụi mịn.",
        sensitive="Không ra ngoài; giữ liên lạc với cơ sở y tế và làm theo hướng dẫn của chính quyền.",
    ),
)
"""Table 1 of QĐ 1459/QĐ-TCMT; the sentences are ours."""

NAMES: Final = {
    "pm25": "bụi mịn PM2.5",
    "pm10": "bụi PM10",
    "tsp": "tổng bụi lơ lửng",
    "o3": "ô-dôn (O₃)",
    "no2": "NO₂",
    "so2": "SO₂",
    "co": "CO",
}
AVERAGING: Final = {"hour": "trung bình 1 giờ", "eight_hours": "trung bình 8 giờ", "day": "trung bình 24 giờ"}


def level_of(aqi: int) -> Level:
    """The level of an index."""
    return next(level for level in LEVELS if aqi <= level.highest)


def number(value: float) -> str:
    """A figure as it is written in Vietnamese: ``1.234,5``."""
    text = f"{value:,.1f}".removesuffix(".0")
    return text.translate(str.maketrans(",.", ".,"))
