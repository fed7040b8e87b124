"""Trains a small vehicle detector on scenes of our own simulator and writes it as ONNX; see ``scenes_model.md``.

    smartstream simulate DATA/1000 --seed 1000 --seconds 50 --fps 2 --camera near --density 1.6 …
    python benchmarks/train_detector.py DATA MODEL.onnx --minutes 30

DATA holds folders made by ``smartstream simulate``. Needs torch and onnx (in a virtual environment of their own) and
the ffmpeg command; a CPU is enough. The network is anchor-free: a map of where vehicles' middles are at every fourth
pixel, and at each the distances to the four sides (Zhou et al. 2019, "Objects as Points"; Tian et al. 2019, "FCOS").
Its export is of the layout ``end2end``: the peaks of the map are picked inside, nothing has to be suppressed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

WIDTH, HEIGHT, STRIDE = 640, 360, 4
CROP_WIDTH, CROP_HEIGHT = 384, 224
CLASSES = ("motorcycle", "bicycle", "car", "truck", "bus", "pedestrian")
MOST = 200


# ── data ─────────────────────────────────────────────────────────────────────────────────────────────────


def load_scene(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pictures (3, H, W) uint8 of a scene, each with its rows (n, 5): x1 y1 x2 y2 in pixels, class."""
    size = WIDTH * HEIGHT * 3
    command = ["ffmpeg", "-v", "error", "-i", str(folder / "scene.mp4"), "-vf", f"scale={WIDTH}:{HEIGHT}:flags=area"]
    video = subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True
    ).stdout
    truth = json.loads((folder / "truth.json").read_text())
    rows: dict[int, list[list[float]]] = defaultdict(list)
    with gzip.open(folder / "tracks.ndjson.gz", "rt") as lines:
        for row in map(json.loads, lines):
            x1, y1, x2, y2 = row["box"]
            box = [x1 * WIDTH, y1 * HEIGHT, x2 * WIDTH, y2 * HEIGHT]
            rows[round((row["time"] - truth["t0"]) * truth["fps"])].append([*box, CLASSES.index(row["class"])])
    pictures = np.frombuffer(video, np.uint8).reshape(-1, HEIGHT, WIDTH, 3)
    assert len(video) % size == 0
    return [
        (np.ascontiguousarray(p.transpose(2, 0, 1)), np.array(rows[i], np.float32).reshape(-1, 5))
        for i, p in enumerate(pictures)
    ]


def varied(picture: np.ndarray, rows: np.ndarray, dice: np.random.Generator) -> tuple[torch.Tensor, np.ndarray]:
    """A part of the picture, mostly where something is, mirrored, zoomed, in another light and colour; and its rows."""
    zoom = dice.uniform(0.75, 1.5)
    w, h = CROP_WIDTH / zoom, CROP_HEIGHT / zoom
    cx, cy = dice.uniform(0, WIDTH), dice.uniform(0, HEIGHT)
    if len(rows) and dice.random() < 0.85:
        x1, y1, x2, y2, _ = rows[dice.integers(len(rows))]
        cx, cy = dice.uniform(-0.4, 0.4) * w + (x1 + x2) / 2, dice.uniform(-0.4, 0.4) * h + (y1 + y2) / 2
    cx, cy = np.clip(cx, w / 2, WIDTH - w / 2), np.clip(cy, h / 2, HEIGHT - h / 2)
    turn = -1.0 if dice.random() < 0.5 else 1.0
    left, top = int(cx - w / 2), int(cy - h / 2)
    w, h = int(w), int(h)
    part = np.ascontiguousarray(picture[:, top : top + h, left : left + w][..., :: int(turn)])
    x = F.interpolate(torch.from_numpy(part)[None].float(), (CROP_HEIGHT, CROP_WIDTH), mode="bilinear")[0] / 255
    out = rows.copy()
    out[:, [0, 2]] = (rows[:, [0, 2]] - left) * CROP_WIDTH / w
    out[:, [1, 3]] = (rows[:, [1, 3]] - top) * CROP_HEIGHT / h
    if turn < 0:
        out[:, [0, 2]] = CROP_WIDTH - out[:, [2, 0]]
    whole = (out[:, 2] - out[:, 0]) * (out[:, 3] - out[:, 1])
    out[:, [0, 2]] = out[:, [0, 2]].clip(0, CROP_WIDTH)
    out[:, [1, 3]] = out[:, [1, 3]].clip(0, CROP_HEIGHT)
    left_of_it = (out[:, 2] - out[:, 0]) * (out[:, 3] - out[:, 1])
    out = out[(left_of_it > 0.3 * whole) & (out[:, 2] - out[:, 0] > 2) & (out[:, 3] - out[:, 1] > 3)]
    x = x * dice.uniform(0.6, 1.4) + dice.uniform(-0.1, 0.1)
    if dice.random() < 0.5:
        x = x[torch.from_numpy(dice.permutation(3))]
    if dice.random() < 0.2:
        x = x.mean(0, keepdim=True).expand(3, -1, -1)
    noise = torch.from_numpy(dice.standard_normal((1, CROP_HEIGHT, CROP_WIDTH), np.float32))
    return (x + dice.uniform(0, 0.04) * noise).clamp(0, 1), out


def targets(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The map (classes, h, w), distances to the sides (4, h, w) in pixels, and where they count (h, w)."""
    h, w = CROP_HEIGHT // STRIDE, CROP_WIDTH // STRIDE
    heat = np.zeros((len(CLASSES), h, w), np.float32)
    sides, weight = np.ones((4, h, w), np.float32), np.zeros((h, w), np.float32)
    ys, xs = np.arange(h) * STRIDE + STRIDE / 2, np.arange(w) * STRIDE + STRIDE / 2
    for x1, y1, x2, y2, c in rows[np.argsort(-(rows[:, 2] - rows[:, 0]) * (rows[:, 3] - rows[:, 1]))]:
        cx, cy = (x1 + x2) / 2, (y1 + y2) / 2
        sx, sy = (max(2.5, 0.1 * (b - a)) for a, b in ((x1, x2), (y1, y2)))
        px, py = min(int(cx // STRIDE), w - 1), min(int(cy // STRIDE), h - 1)
        spot = np.exp(-((ys - ys[py]) ** 2) / (2 * sy**2))[:, None] * np.exp(-((xs - xs[px]) ** 2) / (2 * sx**2))
        heat[int(c)] = np.maximum(heat[int(c)], spot)
        near = (spot > 0.4) & (xs > x1) & (xs < x2) & ((ys > y1) & (ys < y2))[:, None]
        near[py, px] = True
        distances = np.stack(np.broadcast_arrays(xs - x1, (ys - y1)[:, None], x2 - xs, (y2 - ys)[:, None]))
        sides[:, near] = np.maximum(distances[:, near], 0.5)
        weight[near] = spot[near]
    return heat, sides, weight


# ── network ──────────────────────────────────────────────────────────────────────────────────────────────


def block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, normalisation, ReLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2 if kernel % 2 else 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Network(nn.Module):
    """Down to a 32nd and back to a fourth of the picture, some 0.2 million weights."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = block(3, 16, 6, 4)
        self.d8 = nn.Sequential(block(16, 32, 3, 2), block(32, 32))
        self.d16 = nn.Sequential(block(32, 48, 3, 2), block(48, 48))
        self.d32 = nn.Sequential(block(48, 64, 3, 2), block(64, 64), block(64, 64))
        self.u16, self.u8 = block(48, 48), block(32, 32)
        self.l32, self.l16, self.l8 = block(64, 48, 1), block(48, 32, 1), block(32, 16, 1)
        self.head = nn.Sequential(block(16, 24), nn.Conv2d(24, len(CLASSES) + 4, 1))
        self.head[1].bias.data[: len(CLASSES)] = -4.0
        self.head[1].bias.data[len(CLASSES) :] = 2.0

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (n, classes, h, w) and distances to the sides (n, 4, h, w) in pixels."""
        a = self.stem(x)
        b = self.d8(a)
        c = self.d16(b)
        d = self.d32(c)
        c = self.u16(c + F.interpolate(self.l32(d), size=c.shape[2:]))
        b = self.u8(b + F.interpolate(self.l16(c), size=b.shape[2:]))
        out = self.head(a + F.interpolate(self.l8(b), size=a.shape[2:]))
        return out[:, : len(CLASSES)], out[:, len(CLASSES) :].clamp(-3, 6.5).exp()


class Exported(nn.Module):
    """The network with its peaks picked: (n, MOST, 6), x1 y1 x2 y2 score class."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        h, w = HEIGHT // STRIDE, WIDTH // STRIDE
        y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        self.register_buffer("cells", (torch.stack([x, y, x, y]) * STRIDE + STRIDE / 2).float()[None])
        self.register_buffer("signs", torch.tensor([-1.0, -1, 1, 1]).view(1, 4, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Pictures (n, 3, H, W), 0–1, to rows."""
        heat, sides = self.network(images)
        heat = heat.sigmoid()
        heat = heat * (F.max_pool2d(heat, 3, 1, 1) == heat).float()
        # One vehicle is of one class: only the surest at a place counts.
        score, kind = heat.max(dim=1)
        score, place = score.flatten(1).topk(MOST)
        boxes = (self.cells + self.signs * sides).flatten(2).transpose(1, 2)
        boxes = boxes.gather(1, place.unsqueeze(-1).expand(-1, -1, 4))
        kind = kind.flatten(1).gather(1, place).float()
        return torch.cat([boxes, score.unsqueeze(-1), kind.unsqueeze(-1)], 2)


def loss_of(
    heat: torch.Tensor, sides: torch.Tensor, heat_t: torch.Tensor, sides_t: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Focal loss of the map, and GIoU of the boxes where they count."""
    p = heat.sigmoid().clamp(1e-4, 1 - 1e-4)
    peak = heat_t > 0.999
    positive = -(torch.log(p) * (1 - p) ** 2)[peak].sum()
    negative = -(torch.log(1 - p) * p**2 * (1 - heat_t) ** 4)[~peak].sum()
    a, b = sides.clamp(max=700), sides_t
    inner = torch.minimum(a, b)
    outer = torch.maximum(a, b)
    both = (inner[:, 0] + inner[:, 2]) * (inner[:, 1] + inner[:, 3])
    union = sum((s[:, 0] + s[:, 2]) * (s[:, 1] + s[:, 3]) for s in (a, b)) - both
    hull = (outer[:, 0] + outer[:, 2]) * (outer[:, 1] + outer[:, 3])
    giou = both / union - (hull - union) / hull
    return (positive + negative) / peak.sum().clamp(min=1) + 2 * ((1 - giou) * weight).sum() / weight.sum().clamp(min=1)


# ── training ─────────────────────────────────────────────────────────────────────────────────────────────


def train(data: list[tuple[np.ndarray, np.ndarray]], minutes: float, batch: int) -> Network:
    """A network trained for so long, with the mean of its latest weights."""
    os.nice(10)  # others go first
    torch.manual_seed(1)
    torch.set_num_threads(1)  # what waits for its like on a busy machine burns what it waits for
    dice = np.random.default_rng(1)
    network, steady = (Network().to(memory_format=torch.channels_last) for _ in range(2))
    steady.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-4)
    begun, step, shown = time.monotonic(), 0, 0.0
    while (part := (time.monotonic() - begun) / (60 * minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * min(1, (step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * part)))
        made = [varied(*data[i], dice) for i in dice.integers(0, len(data), batch)]
        wanted = [torch.from_numpy(np.stack(t)) for t in zip(*(targets(rows) for _, rows in made), strict=True)]
        network.train()
        loss = loss_of(*network(torch.stack([x for x, _ in made])), *wanted)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        step += 1
        keep = min(0.995, (1 + step) / (10 + step))
        with torch.no_grad():
            for a, b in zip(steady.state_dict().values(), network.state_dict().values(), strict=True):
                if a.is_floating_point():
                    a.mul_(keep).add_(b, alpha=1 - keep)
        shown = loss.item() if step == 1 else 0.95 * shown + 0.05 * loss.item()
        if step % 25 == 0:
            print(f"{part:4.0%} step {step} loss {shown:.3f}", flush=True)
    return steady.eval()


def main() -> None:
    """Read, train, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of simulated scenes")
    parser.add_argument("model", type=Path, help="ONNX file to write")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--batch", type=int, default=16)
    args = parser.parse_args()
    scenes = sorted(p.parent for p in args.data.glob("*/truth.json"))
    data = [pair for scene in scenes for pair in load_scene(scene)]
    print(f"{len(data)} pictures of {len(scenes)} scenes, {sum(len(r) for _, r in data)} road users", flush=True)
    network = Exported(train(data, args.minutes, args.batch)).eval()
    torch.save(network.state_dict(), args.model.with_suffix(".pt"))
    names = {"input_names": ["images"], "output_names": ["output0"], "dynamic_axes": {"images": {0: "batch"}}}
    example = torch.zeros(2, 3, HEIGHT, WIDTH)
    torch.onnx.export(network, (example,), str(args.model), opset_version=17, dynamo=False, **names)
    import onnx

    model = onnx.load(str(args.model))
    onnx.helper.set_model_props(model, {"names": str(dict(enumerate(CLASSES))), "trained_on": "smartstream simulate"})
    onnx.save(model, str(args.model))
    print(f"written: {args.model}, {args.model.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
