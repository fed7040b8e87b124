"""What models of every export layout give: shapes, and outputs that say one car."""

from __future__ import annotations

import numpy as np

from smartstream.vision.layouts import Layout, Port, recognise

IMAGE = Port("images", (1, 3, 416, 416))
SIZE = (416, 416)
CELLS = 52 * 52 + 26 * 26 + 13 * 13
KNOWN = {
    "yolox": [Port("output", (1, CELLS, 85))],
    "yolov5": [Port("output0", (1, 3 * CELLS, 85))],
    "yolov8": [Port("output0", (1, 84, CELLS))],
    "end2end": [Port("output0", (1, 300, 6))],
    "fastestdet": [Port("758", (1, 85, 26, 26))],
    "rtdetr": [Port("output0", (1, 300, 84))],
    "detr": [Port("labels", (1, 300)), Port("boxes", (1, 300, 4)), Port("scores", (1, 300))],
    "rfdetr": [Port("dets", (1, 300, 4)), Port("labels", (1, 300, 91))],
}


def layout_of(name: str, form: str = "auto") -> Layout:
    inputs = [IMAGE, Port("orig_target_sizes", (1, 2))] if name == "detr" else [IMAGE]
    return recognise("m.onnx", inputs, KNOWN[name], SIZE, form)


def empty(name: str) -> dict[str, np.ndarray]:
    return {port.name: np.zeros([n or 1 for n in port.shape[1:]], np.float32) for port in KNOWN[name]}


def place_car(name: str) -> dict[str, np.ndarray]:
    """Outputs that say: a car at (100, 60)-(180, 140), sure to 0.81."""
    out = empty(name)
    cx, cy, w, h, car, sure = 140.0, 100.0, 80.0, 80.0, 2, 0.81
    match name:
        case "yolox":
            row = 12 * 52 + 17  # stride 8: cell (17, 12)
            out["output"][row, :5] = (cx / 8 - 17, cy / 8 - 12, np.log(w / 8), np.log(h / 8), 0.9)
            out["output"][row, 5 + car] = 0.9
        case "yolov5":
            out["output0"][7, :5] = (cx, cy, w, h, 0.9)
            out["output0"][7, 5 + car] = 0.9
        case "yolov8":
            out["output0"][:4, 7] = (cx, cy, w, h)
            out["output0"][4 + car, 7] = sure
        case "end2end":
            out["output0"][3] = (100, 60, 180, 140, sure, car)
        case "fastestdet":
            out["758"][3:5] = -9.0
            out["758"][1:5, 6, 8] = (np.arctanh(cx / 16 - 8), np.arctanh(cy / 16 - 6), *[np.log(w / (416 - w))] * 2)
            out["758"][0, 6, 8], out["758"][5 + car, 6, 8] = 0.9, 0.9
        case "rtdetr":
            out["output0"][3, :4] = np.array([cx, cy, w, h]) / 416
            out["output0"][3, 4 + car] = sure
        case "detr":
            out["boxes"][3], out["labels"][3], out["scores"][3] = (100, 60, 180, 140), car, sure
        case "rfdetr":
            out["dets"][3] = np.array([cx, cy, w, h]) / 416
            out["labels"][:] = -9.0
            out["labels"][3, 3] = np.log(sure / (1 - sure))  # COCO's own number of a car
    return out
