"""Export layouts: recognised or refused, decoded to the right place, never broken by what a model says."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from model_outputs import IMAGE, KNOWN, SIZE, layout_of, place_car

from smartstream.errors import InternalError, InvalidInputError
from smartstream.model.classes import CLASS_CODE
from smartstream.vision.detector import DetectorSettings
from smartstream.vision.labels import class_codes
from smartstream.vision.layouts import FORMATS, Port, recognise
from smartstream.vision.readout import Readout, riders_apart


@pytest.mark.parametrize("name", KNOWN)
def test_every_export_is_recognised_by_names_and_shapes(name: str) -> None:
    assert layout_of(name).name == name
    assert layout_of(name, name).name == name


def test_a_layout_may_be_insisted_on() -> None:
    assert layout_of("yolox", "yolox_decoded").name == "yolox_decoded"
    with pytest.raises(
        InvalidInputError, match=r"found outputs output \[1, 3549, 85\].*expected those of format yolov8"
    ):
        layout_of("yolox", "yolov8")


def test_what_nobody_exports_is_refused_with_the_question() -> None:
    with pytest.raises(InvalidInputError) as e:
        recognise("odd.onnx", [IMAGE], [Port("a", (1, 7, None)), Port("b", (1, 2))], SIZE)
    assert "model odd.onnx: found outputs a [1, 7, ?], b [1, 2]" in str(e.value)
    assert all(name in str(e.value) for name in FORMATS)


@pytest.mark.parametrize("name", KNOWN)
def test_a_car_is_found_where_it_is(name: str) -> None:
    readout = Readout("m.onnx", layout_of(name), DetectorSettings(), None)
    found = readout.read(place_car(name), SIZE)
    np.testing.assert_allclose(found.boxes, [[100, 60, 180, 140]], atol=0.01)
    np.testing.assert_allclose(found.scores, [0.81], atol=1e-5)
    assert found.classes.tolist() == [CLASS_CODE["car"]]


@pytest.mark.parametrize("name", KNOWN)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whatever_a_model_says_comes_out_sound(name: str, data: st.DataObject) -> None:
    readout = Readout("m.onnx", layout_of(name), DetectorSettings(min_score=0.0), None)
    any_float = st.floats(width=32, allow_nan=True, allow_infinity=True)
    outputs = {}
    for port in KNOWN[name]:
        shape = tuple(n or 1 for n in port.shape[1:])
        few = data.draw(hnp.arrays(np.float32, st.integers(1, 40), elements=any_float))
        outputs[port.name] = np.resize(few, shape)
    with np.errstate(all="ignore"):
        found = readout.read(outputs, SIZE)
    assert len(found.boxes) == len(found.scores) == len(found.classes) <= 300
    assert np.isfinite(found.boxes).all()
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    assert (found.classes < 7).all()


@pytest.mark.parametrize("name", KNOWN)
@settings(max_examples=15, deadline=None)
@given(shape=hnp.array_shapes(min_dims=0, max_dims=4, max_side=9))
def test_wrong_shapes_are_one_clear_message(name: str, shape: tuple[int, ...]) -> None:
    readout = Readout("m.onnx", layout_of(name), DetectorSettings(), None)
    outputs = {port.name: np.zeros(shape, np.float32) for port in KNOWN[name]}
    with contextlib.suppress(InternalError):  # any other exception is a failure
        readout.read(outputs, SIZE)
    none: dict[str, np.ndarray] = {}
    with pytest.raises(InternalError, match=r"model m\.onnx: found outputs nothing, expected those of layout"):
        readout.read(none, SIZE)


def test_a_model_whose_labels_have_no_shape_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"found outputs dets \[\], labels \[\]"):
        recognise("m.onnx", [IMAGE], [Port("dets", ()), Port("labels", ())], SIZE)


def test_scores_of_none_of_our_classes_are_nothing() -> None:
    readout = Readout("m.onnx", layout_of("rtdetr"), DetectorSettings(min_score=0.0), None)
    assert len(readout.read({"output0": np.ones((300, 4), np.float32)}, SIZE).boxes) == 0


@pytest.mark.parametrize(
    ("count", "names", "stated", "says"),
    [
        (5, (), None, "found 5 classes without names"),
        (3, ("car", "bus"), None, None),  # one more column is the background
        (4, ("car", "bus"), None, "found 2 names, expected 4"),
        (2, ("cat", "dog"), None, "no road user among the classes cat, dog"),
        (2, (), "{0: 'Car', 1: 'Motorbike'}", None),
        (80, (), "{broken", None),
        (80, (), "{1e999: 'car'}", None),
    ],
)
def test_class_names_decide_what_a_class_is(
    count: int, names: tuple[str, ...], stated: str | None, says: str | None
) -> None:
    codes = class_codes(count, names, stated)
    if says is not None:
        assert isinstance(codes, str)
        assert says in codes
    else:
        assert not isinstance(codes, str)
        assert CLASS_CODE["car"] in codes


class TestRiders:
    @pytest.mark.parametrize(("options", "stated", "apart"), [
        ({}, None, True), ({}, "within", False), ({"riders_apart": False}, None, False),
        ({"riders_apart": True}, "within", True),
    ])  # fmt: skip
    def test_apart_unless_the_site_or_the_model_says_within(
        self, options: dict[str, bool], stated: str | None, apart: bool
    ) -> None:
        assert riders_apart(DetectorSettings(options=options), stated) is apart

    def test_anything_but_a_truth_value_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="found riders_apart = 'no', expected true or false"):
            riders_apart(DetectorSettings(options={"riders_apart": "no"}), None)
