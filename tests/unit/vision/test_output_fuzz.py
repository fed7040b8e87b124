"""Fuzzing of model-output decoding: whatever a model says, detections come out sound or one clear message does.

``SMARTSTREAM_FUZZ_S=600 pytest -s tests/unit/vision/test_output_fuzz.py`` looks elsewhere on every run and prints the
seed; ``SMARTSTREAM_FUZZ_SEED`` looks there again. Without either, a short look at the same places.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest
from model_outputs import KNOWN, SIZE, empty, layout_of, place_car

from smartstream.errors import InternalError, InvalidInputError
from smartstream.vision.detector import DetectorSettings
from smartstream.vision.labels import class_codes
from smartstream.vision.layouts import FORMATS, Port, recognise
from smartstream.vision.readout import Readout

pytestmark = pytest.mark.timeout(3600)

ODD = np.array(
    [np.nan, -np.nan, np.inf, -np.inf, 0, -0.0, 1, -1, 2, 89, -104, 1e-45, 3.4e38, -3.4e38, 1e9, 65504, 255, 300],
    np.float32,
)
Dice = np.random.Generator
T = TypeVar("T")


def fuzz(name: str, case: Callable[[Dice], None]) -> None:
    """Call ``case`` until the time is over; each with dice of its own, so that a failure is found again."""
    stated = os.environ.get("SMARTSTREAM_FUZZ_S")
    seed = int(os.environ.get("SMARTSTREAM_FUZZ_SEED", os.getpid() if stated else 1))
    until, cases = time.monotonic() + float(stated or 1), 0
    while time.monotonic() < until:
        try:
            case(np.random.default_rng((seed, cases)))
        except BaseException:
            print(f"{name}: case {cases} of seed {seed}")
            raise
        cases += 1
    print(f"{name}: {cases} cases from seed {seed}")


def one_message(begins: str, ask: Callable[[], T]) -> T | None:
    """What ``ask`` gives; ``None`` when it refuses, which it must do in its own words."""
    try:
        return ask()
    except (InternalError, InvalidInputError) as e:
        said = str(e)
    assert said.startswith(f"model m.onnx: {begins}")
    assert "\n" not in said
    return None


def damage(values: np.ndarray, dice: Dice) -> np.ndarray:
    """Damage as broken weights, wrong exports and lost digits make it."""
    out = values.copy()
    for _ in range(dice.integers(0, 6)):
        count = int(dice.integers(1, 1 + max(1, out.size // int(dice.choice([1, 10, 100, 1000])))))
        at = dice.integers(0, max(1, out.size), count)
        flat = out.reshape(-1)
        if flat.size == 0:
            break
        match dice.integers(0, 7):
            case 0:
                flat[at] = dice.choice(ODD, count)
            case 1:
                flat[at] = dice.uniform(0, 1, count)
            case 2:
                flat[at] = dice.normal(0, float(dice.choice([1, 30, 400, 1e6])), count)
            case 3:  # any 32 bits
                flat[at] = dice.integers(0, 1 << 32, count, np.uint64).astype(np.uint32).view(np.float32)
            case 4:
                flat[:] = dice.choice(ODD)
            case 5:
                dice.shuffle(flat)
            case _:
                out = np.resize(flat, out.shape[::-1]).reshape(out.shape)
    match dice.integers(0, 40):
        case 0:
            return out.astype(dice.choice([np.float16, np.float64, np.int64, np.int8, np.bool_]))
        case 1:
            return out.T
        case 2:
            return out[..., : int(dice.integers(0, 1 + out.shape[-1]))]
        case 3:
            return out[None]
        case 4:
            return out.reshape(-1)
    return out


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = max(sides[0], 0.0) * max(sides[1], 0.0)
    return both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_whatever_a_model_says_is_sound_or_one_message() -> None:
    def case(dice: Dice) -> None:
        name = str(dice.choice(list(KNOWN)))
        settings = DetectorSettings(
            min_score=float(dice.choice([0, 0.2, 1])), overlap=float(dice.choice([0.1, 0.45, 1]))
        )
        layout = layout_of(name)
        readout = Readout("m.onnx", layout, settings, None)
        plain = place_car(name) if dice.integers(0, 2) else empty(name)
        outputs = {port: damage(values, dice) for port, values in plain.items()}
        if dice.integers(0, 50) == 0:
            outputs.popitem()
        before = {port: values.tobytes() for port, values in outputs.items()}
        found = one_message("found outputs", lambda: readout.read(outputs, SIZE))
        if found is None:
            return
        assert {port: values.tobytes() for port, values in outputs.items()} == before
        assert len(found.boxes) == len(found.scores) == len(found.classes) <= 300
        assert (found.boxes.dtype, found.scores.dtype, found.classes.dtype) == (np.float32, np.float32, np.uint8)
        assert np.isfinite(found.boxes).all()
        assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
        assert ((found.scores >= settings.min_score) & (found.scores <= 1)).all()
        assert (found.classes < 7).all()
        if layout.suppress and len(found.boxes) > 1:
            i, j = sorted(dice.choice(len(found.boxes), 2, replace=False))
            if found.classes[i] == found.classes[j] and np.abs(found.boxes[[i, j]]).max() < 1e5:
                assert overlap(found.boxes[i], found.boxes[j]) <= settings.overlap + 1e-3
        again = readout.read(outputs, SIZE)
        assert all(
            np.array_equal(a, b)
            for a, b in ((found.boxes, again.boxes), (found.scores, again.scores), (found.classes, again.classes))
        )

    fuzz("outputs", case)


def test_whatever_a_model_claims_to_be_is_a_layout_or_one_message() -> None:
    names = ["images", "input", "output", "output0", "dets", "labels", "boxes", "scores", "orig_target_sizes", "Ngã tư"]
    sizes = [None, 0, 1, 3, 4, 5, 6, 7, 84, 85, 91, 300, 1000, 1001, 2535, 3549, 8400, 10647, 25200]

    def ports(dice: Dice) -> list[Port]:
        def shape() -> tuple[int | None, ...]:
            return tuple(sizes[i] for i in dice.integers(0, len(sizes), dice.integers(0, 5)))

        return [Port(str(dice.choice(names)), shape()) for _ in range(dice.integers(0, 5))]

    def case(dice: Dice) -> None:
        size = (int(dice.choice([32, 352, 416, 640, 641])), int(dice.choice([32, 352, 416, 640, 641])))
        asked = str(dice.choice(["auto", *FORMATS]))
        outputs = ports(dice)
        layout = one_message("found outputs", lambda: recognise("m.onnx", ports(dice), outputs, size, asked))
        if layout is None:
            return
        readout = one_message("found", lambda: Readout("m.onnx", layout, DetectorSettings(), None))
        if readout is not None:
            given = {port.name: np.zeros([min(n or 1, 100) for n in port.shape[1:4]], np.float32) for port in outputs}
            one_message("found outputs", lambda: readout.read(given, size))

    fuzz("shapes", case)


def test_whatever_names_a_model_carries_are_classes_or_one_message() -> None:
    pieces = [
        "{",
        "}",
        "[",
        "]",
        "0",
        "1",
        "79",
        "-1",
        "1e99",
        ":",
        ",",
        "'car'",
        "'bus'",
        "None",
        "(",
        "\x00",
        '"',
        " ",
        "ngã",
    ]

    def case(dice: Dice) -> None:
        text = "".join(dice.choice(pieces, dice.integers(0, 30)))
        codes = class_codes(int(dice.choice([0, 1, 2, 80, 91])), (), text)
        assert isinstance(codes, str) or ((codes < 7) | (codes == 255)).all()

    fuzz("names", case)
