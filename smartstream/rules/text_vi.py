"""Sentences for officers, in Vietnamese. The engine suspects; only a person concludes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from smartstream.rules.outcome import SignalFault, Violation

CLASSES: Final = {
    "unknown": "phương tiện",
    "motorcycle": "xe máy",
    "bicycle": "xe đạp",
    "car": "xe ô tô",
    "truck": "xe tải",
    "bus": "xe buýt",
    "pedestrian": "người đi bộ",
}
ACTS: Final = {
    "red_light": "vượt đèn đỏ",
    "yellow_light": "vượt đèn vàng",
    "stop_line": "dừng quá vạch dừng khi đèn đỏ",
    "wrong_way": "đi ngược chiều",
    "wrong_lane": "đi sai làn đường",
    "lane_arrow": "đi sai hướng mũi tên chỉ trên làn",
    "solid_line": "đè vạch liền",
    "illegal_turn": "rẽ ở nơi cấm rẽ",
    "u_turn": "quay đầu xe ở nơi cấm",
    "illegal_stop": "dừng, đỗ xe ở nơi cấm",
    "box_blocking": "dừng xe cản trở trong nút giao",
    "speeding": "chạy quá tốc độ",
    "banned_class": "đi vào đường cấm",
    "sidewalk": "đi xe trên vỉa hè",
    "fail_to_yield_pedestrian": "không nhường đường cho người đi bộ",
}
REASONS: Final = {
    "phase_boundary": "thời điểm qua vạch trùng lúc đèn chuyển pha",
    "sources_disagree": "bộ điều khiển và đèn nhìn thấy không khớp",
    "red_ended_meanwhile": "đèn hết đỏ đúng lúc xe đi vào nút giao",
    "lane_ambiguous": "không rõ xe theo làn nào, mà các làn có đèn khác nhau",
    "gap": "mất dấu phương tiện trong lúc ghi nhận",
    "identity_doubt": "có thể nhầm với phương tiện khác",
    "track_lost": "mất dấu phương tiện trước khi đủ chứng cứ",
    "class_doubt": "chưa chắc chắn loại phương tiện",
    "movement_unknown": "không thấy xe rẽ hay đi thẳng, mà mũi tên chỉ cho phép một hướng",
    "appeared_at_line": "phương tiện xuất hiện ngay tại đó, không thấy từ lúc đến gần",
    "near_line": "xe ở quá sát vạch so với sai số của hình ảnh",
    "hours_boundary": "sát giờ biển cấm bắt đầu hoặc hết hiệu lực, hoặc xe đã ở đó từ trước giờ cấm",
    "maybe_reversing": "có thể là lùi xe",
    "may_be_giving_way": "có thể đang nhường đường",
    "duplicate": "cùng một hành vi đã ghi nhận",
    "certificate_invalid": "giấy kiểm định máy đo tốc độ không còn hiệu lực",
    "officer_control": "có người điều khiển giao thông",
    "temporary_sign": "có biển báo tạm thời",
    "permit": "có giấy phép",
    "emergency_vehicle": "nhường đường cho xe ưu tiên",
    "flood": "đường ngập",
    "incident": "có sự cố giao thông",
    "geometry_invalid": "camera bị lệch hướng",
    "clock_invalid": "đồng hồ sai lệch",
    "low_visibility": "tầm nhìn hạn chế",
    "signal_fault": "đèn tín hiệu bị lỗi",
    "signal_late": "trạng thái đèn đến muộn và không khớp với trạng thái đã dùng để xét",
}
FAULTS: Final = {
    "stuck": "không chuyển pha",
    "dark": "tắt",
    "missing": "mất tín hiệu trạng thái",
    "conflict": "xanh cùng lúc với nhóm đèn xung đột",
    "cycle_outlier": "chu kỳ bất thường",
    "disagreement": "bộ điều khiển và đèn nhìn thấy không khớp",
    "platoon": "nhiều xe ở nhiều làn cùng đi khi hệ thống báo đỏ",
}


def clock(at_ns: int, timezone: str) -> str:
    """Local time of day: ``21:13:32``."""
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).astimezone(ZoneInfo(timezone)).strftime("%H:%M:%S")


def sentence(violation: Violation, *, junction: str, timezone: str) -> str:
    """What an officer reads: who, what, where, when, and why not when it is not a suspicion.

    Args:
        violation: The verdict.
        junction: The junction's name for people.
        timezone: IANA name of the site's time zone.
    """
    who, act = CLASSES[violation.class_], ACTS[violation.kind]
    lane = f", làn {violation.lane}" if violation.lane else ""
    place = f"tại {junction}{lane}, {clock(violation.time_ns, timezone)}"
    why = "; ".join(REASONS[r] for r in violation.reasons)
    facts = violation.explanation.facts
    match violation.verdict:
        case "suspected":
            measured = f" ({facts['metered_kmh']:.0f} km/h)" if "metered_kmh" in facts else ""
            return _upper(f"{who} nghi {act}{measured} {place}")
        case "undecided":
            return f"Chưa kết luận {who} {act} {place}: {why}"
        case "suppressed":
            return f"Không xét {who} {act} {place}: {why}"
        case "retracted":
            return f"Rút lại nghi vấn {who} {act} {place}: {why}"
        case "estimated":
            speed = f"khoảng {facts['speed_kmh']:.0f} km/h, giới hạn {facts['limit_kmh']:.0f} km/h"
            return _upper(f"{who} chạy {speed} {place} (ước tính từ hình ảnh, không dùng để xử phạt)")


def fault_sentence(fault: SignalFault, *, junction: str, timezone: str) -> str:
    """What an officer reads about a signal that cannot be believed."""
    since = clock(fault.since_ns, timezone)
    light = f"nhóm đèn {fault.group} tại {junction}"
    if fault.verb == "closed":
        until = clock(fault.time_ns, timezone)
        return f"Tin lại {light} từ {until}; từ {since} đến {until} không xét vi phạm đèn tín hiệu"
    why = "; ".join(FAULTS[f] for f in fault.faults)
    return f"Không tin {light} từ {since}: {why}. Ngừng xét và rút lại nghi vấn vi phạm đèn tín hiệu từ lúc đó"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
