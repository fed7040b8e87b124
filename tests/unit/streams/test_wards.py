import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from report_lines import line, run_lines

from smartstream.errors import InvalidInputError
from smartstream.model.time import parse_instant
from smartstream.streams.wards import WardIndex

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
BEFORE, AFTER = (parse_instant(f"2025-{day}+07:00") for day in ("06-30T23:59:59", "07-01T00:00:00"))


def square(lon, lat, size=0.02):
    corners = [(lon, lat), (lon + size, lat), (lon + size, lat + size), (lon, lat + size), (lon, lat)]
    return {"type": "Polygon", "coordinates": [corners]}


def feature(code, name, geometry, **properties):
    return {"type": "Feature", "properties": {"code": code, "fullName": name, **properties}, "geometry": geometry}


def write(path, *features):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))
    return path


@pytest.fixture
def hand_made(tmp_path):
    """Two old wards that became one on 1 July 2025, and a commune with a hole beside it."""
    hole = square(105.90, 21.60)
    hole["coordinates"].append([(105.905, 21.605), (105.915, 21.605), (105.915, 21.615), (105.905, 21.605)])
    return write(
        tmp_path / "wards.geojson",
        feature("05443", "Phường Hoàng Văn Thụ", square(105.83, 21.60), validFrom="2004-01-01", validTo="2025-06-30"),
        feature("05446", "Phường Trưng Vương", square(105.85, 21.60), validFrom="2004-01-01", validTo="2025-06-30"),
        feature("05443", "Phường Phan Đình Phùng", square(105.83, 21.60, 0.04)),
        feature("05500", "Xã Đồng Hỷ", hole),
    )


def test_a_place_has_the_ward_of_its_day(hand_made):
    index = WardIndex(hand_made, ZONE)
    assert len(index) == 4
    found = [index.find(21.61, 105.86, instant) for instant in (BEFORE, AFTER)]
    assert [(ward.code, ward.name, ward.basis) for ward in found] == [
        ("05446", "Phường Trưng Vương", "3-tier"),
        ("05443", "Phường Phan Đình Phùng", "2-tier"),
    ]
    assert index.find(21.61, 105.91, AFTER) is None or index.find(21.61, 105.91, AFTER).code == "05500"
    assert index.find(21.608, 105.914, AFTER) is None  # in the hole
    assert index.find(21.61, 105.85, BEFORE).code == "05443"  # on the border: the smaller code
    assert index.find(0.0, 0.0, AFTER) is None


def test_the_layout_of_the_open_data_set(tmp_path):
    root = tmp_path / "geojson/19_thai_nguyen"
    province = feature("19", "Tỉnh Thái Nguyên", square(105.0, 21.0, 2))
    write(root / "19_thai_nguyen.geojson", province)
    write(
        root / "wards/05443_phan_dinh_phung.geojson", feature("05443", "Phường Phan Đình Phùng", square(105.83, 21.60))
    )
    index = WardIndex(tmp_path / "geojson", ZONE)
    assert len(index) == 1
    assert index.find(21.61, 105.84, AFTER).code == "05443"
    assert index.find(21.61, 105.84, BEFORE) is None  # its polygons are those of the two tiers


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected GeoJSON"),
        ("[]", "expected a FeatureCollection"),
        ('{"features": []}', "found none"),
        ('{"features": [5]}', "expected a Feature with properties"),
        ('{"features": [{"properties": {"code": 5}}]}', "expected properties.code"),
        ('{"features": [{"properties": {"code": "5"}}]}', "expected a geometry"),
        (
            '{"features": [{"properties": {"code": "5"}, "geometry": {"type": "Point", "coordinates": [1, 2]}}]}',
            "found Point",
        ),
        ('{"features": [{"properties": {"code": "5", "validFrom": "soon"}, "geometry": null}]}', "YYYY-MM-DD"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused(tmp_path, text, message):
    path = tmp_path / "w.geojson"
    path.write_text(text)
    with pytest.raises(InvalidInputError, match=message):
        WardIndex(path, ZONE)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="nowhere"):
        WardIndex(tmp_path / "nowhere.geojson", ZONE)


def test_a_report_gets_its_ward(tmp_path, hand_made):
    (event,) = run_lines(tmp_path, [line(0, "r-1", place=(0, 0))], wards=hand_made).of("received.observed")
    assert event.data["ward"] == {"code": "05443", "name": "Phường Phan Đình Phùng", "basis": "2-tier"}
    assert "tại Phường Phan Đình Phùng" in event.data["text"]


def test_codes_of_the_four_provinces():
    path = Path(__file__).parents[3] / "../shared/domain/wards_4_provinces.json"
    if not path.is_file():
        pytest.skip("needs ../shared beside the checkout")
    wards = {ward["Code"]: ward["FullName"] for province in json.loads(path.read_text()) for ward in province["Wards"]}
    assert wards["05443"] == "Phường Phan Đình Phùng"
