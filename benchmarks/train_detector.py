"""Trains a small vehicle detector on scenes of our own simulator and writes it as ONNX; see ``scenes_model.md``.

    smartstream simulate DATA/1000 --seed 1000 --seconds 45 --fps 2 --camera near --density 1.6 …
    python benchmarks/train_detector.py DATA MODEL.onnx --minutes 80

DATA holds folders made by ``smartstream simulate``, without shake (their truth is where the road users would be in a
still picture). Needs torch and onnx (in a virtual environment of their own) and the ffmpeg command; one CPU core is
enough. The network is anchor-free: a map of where vehicles' middles are at every fourth pixel, and at each the
distances to the four sides (Zhou et al. 2019, "Objects as Points"; Tian et al. 2019, "FCOS"). Its export is of
the layout ``end2end``: the peaks of the map are picked inside, nothing has to be suppressed.
"""

from __future__ import annotations

import argparse
import copy
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

WIDTH, HEIGHT, STRIDE = 960, 544, 4
SEEN_HEIGHT = 540
"""Rows of the picture: a product's picture of 16 : 9 has bars above and below to fill the model's."""
CROP_WIDTH, CROP_HEIGHT = 384, 288
CLASSES = ("motorcycle", "bicycle", "car", "truck", "bus", "pedestrian")
MOST = 200
SHOWN = 0.35
"""A road user of whom less is in sight is neither asked for nor counted as wrong."""
LOWEST_PX = 6.0
"""The same for one who is lower in the picture."""
RATE = 2e-3
KEEP_MINUTES = 5.0
"""So often what has been learned is written."""
Data = list[tuple[np.ndarray, np.ndarray]]


# ── data ─────────────────────────────────────────────────────────────────────────────────────────────────


def load_scene(folder: Path) -> Data:
    """Pictures (H, W, 3) uint8 of a scene, each with its rows (n, 6): x1 y1 x2 y2 in pixels, class, part in sight."""
    size = WIDTH * SEEN_HEIGHT * 3
    scale = f"scale={WIDTH}:{SEEN_HEIGHT}:flags=bilinear"
    command = ["ffmpeg", "-v", "error", "-threads", "1", "-i", str(folder / "scene.mp4"), "-vf", scale]
    video = subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True
    ).stdout
    truth = json.loads((folder / "truth.json").read_text())
    rows: dict[int, list[list[float]]] = defaultdict(list)
    with gzip.open(folder / "tracks.ndjson.gz", "rt") as lines:
        for row in map(json.loads, lines):
            x1, y1, x2, y2 = row["box"]
            box = [x1 * WIDTH, y1 * SEEN_HEIGHT, x2 * WIDTH, y2 * SEEN_HEIGHT]
            rows[round((row["time"] - truth["t0"]) * truth["fps"])].append([*box, CLASSES.index(row["class"])])
    assert len(video) % size == 0
    pictures = np.frombuffer(video, np.uint8).reshape(-1, SEEN_HEIGHT, WIDTH, 3)
    return [(p, in_sight(np.array(rows[i], np.float32).reshape(-1, 5))) for i, p in enumerate(pictures)]


def in_sight(rows: np.ndarray) -> np.ndarray:
    """Rows with the part of each box that the picture shows and no nearer one hides; nearer stands lower."""
    taken = np.zeros((SEEN_HEIGHT // 2, WIDTH // 2), bool)
    part = np.zeros(len(rows), np.float32)
    for i in np.argsort(-rows[:, 3]):
        x1, y1, x2, y2 = rows[i, :4] / 2
        place = slice(max(int(y1), 0), max(int(y2), 0) + 1), slice(max(int(x1), 0), max(int(x2), 0) + 1)
        seen = taken[place]
        part[i] = (~seen).sum() / max((y2 - y1) * (x2 - x1), seen.size, 1.0)
        # A body fills its box but for the corners: what is behind shows there.
        dx, dy = 0.12 * (x2 - x1), 0.12 * (y2 - y1)
        taken[max(round(y1 + dy), 0) : max(round(y2), 0), max(round(x1 + dx), 0) : max(round(x2 - dx), 0)] = True
    return np.concatenate([rows, part[:, None]], axis=1)


def varied(picture: np.ndarray, rows: np.ndarray, dice: np.random.Generator) -> tuple[torch.Tensor, np.ndarray]:
    """A part of the picture, mostly where something is, mirrored, zoomed, in another light and colour; and its rows."""
    zoom = np.exp(dice.uniform(np.log(0.6), np.log(1.5)))
    w, h = min(CROP_WIDTH / zoom, WIDTH), min(CROP_HEIGHT / zoom, SEEN_HEIGHT)
    cx, cy = dice.uniform(0, WIDTH), dice.uniform(0, SEEN_HEIGHT)
    if len(rows) and dice.random() < 0.8:
        # Every class as often as the others: riders are everywhere anyway.
        kinds = rows[:, 4]
        x1, y1, x2, y2 = rows[dice.choice(np.flatnonzero(kinds == dice.choice(np.unique(kinds)))), :4]
        cx, cy = dice.uniform(-0.4, 0.4) * w + (x1 + x2) / 2, dice.uniform(-0.4, 0.4) * h + (y1 + y2) / 2
    cx, cy = np.clip(cx, w / 2, WIDTH - w / 2), np.clip(cy, h / 2, SEEN_HEIGHT - h / 2)
    left, top, w, h = int(cx - w / 2), int(cy - h / 2), int(w), int(h)
    part = torch.from_numpy(picture[top : top + h, left : left + w]).permute(2, 0, 1)[None].float()
    x = F.interpolate(part, (CROP_HEIGHT, CROP_WIDTH), mode="bilinear", antialias=zoom < 0.8)[0] / 255
    out = rows.copy()
    out[:, [0, 2]] = (rows[:, [0, 2]] - left) * CROP_WIDTH / w
    out[:, [1, 3]] = (rows[:, [1, 3]] - top) * CROP_HEIGHT / h
    if dice.random() < 0.5:
        x = x.flip(2)
        out[:, [0, 2]] = CROP_WIDTH - out[:, [2, 0]]
    whole = (out[:, 2] - out[:, 0]) * (out[:, 3] - out[:, 1])
    out[:, [0, 2]] = out[:, [0, 2]].clip(0, CROP_WIDTH)
    out[:, [1, 3]] = out[:, [1, 3]].clip(0, CROP_HEIGHT)
    kept = (out[:, 2] - out[:, 0]) * (out[:, 3] - out[:, 1]) / whole
    out[:, 5] = np.where(out[:, 3] - out[:, 1] < LOWEST_PX, 0, np.minimum(out[:, 5], kept))
    out = out[(out[:, 2] - out[:, 0] > 1) & (out[:, 3] - out[:, 1] > 1)]
    x = x * dice.uniform(0.6, 1.4) + dice.uniform(-0.1, 0.1)
    if dice.random() < 0.4:
        x = x[torch.from_numpy(dice.permutation(3))]
    x = x + (x.mean(0, keepdim=True) - x) * dice.choice([0.0, 1.0, dice.uniform(0, 1)], p=[0.5, 0.1, 0.4])
    if dice.random() < 0.15:
        x = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    noise = torch.from_numpy(dice.standard_normal((1, CROP_HEIGHT, CROP_WIDTH), np.float32))
    return (x + dice.uniform(0, 0.03) * noise).clamp(0, 1), out


def targets(rows: np.ndarray) -> tuple[np.ndarray, ...]:
    """What the network should say of rows (n, 6).

    Returns:
        The map (classes, h, w), where it counts (1, h, w), distances to the sides (4, h, w) in pixels, and how much
        those count (h, w): one in all for each road user.
    """
    h, w = CROP_HEIGHT // STRIDE, CROP_WIDTH // STRIDE
    heat, counts = np.zeros((len(CLASSES), h, w), np.float32), np.ones((1, h, w), np.float32)
    sides, weight = np.ones((4, h, w), np.float32), np.zeros((h, w), np.float32)
    ys, xs = np.arange(h) * STRIDE + STRIDE / 2, np.arange(w) * STRIDE + STRIDE / 2
    # The nearer one last: where two are in one place it is the one that is seen.
    for x1, y1, x2, y2, c, part in rows[np.argsort(rows[:, 3])]:
        cx, cy = (x1 + x2) / 2, (y1 + y2) / 2
        sx, sy = (max(2.2, 0.1 * (b - a)) for a, b in ((x1, x2), (y1, y2)))
        px, py = min(int(cx // STRIDE), w - 1), min(int(cy // STRIDE), h - 1)
        spot = np.exp(-((ys - ys[py]) ** 2) / (2 * sy**2))[:, None] * np.exp(-((xs - xs[px]) ** 2) / (2 * sx**2))
        if part < SHOWN:
            counts[0, (spot > 0.1) & (heat.max(0) < 0.1)] = 0
            continue
        heat[int(c)] = np.maximum(heat[int(c)], spot)
        near = (spot > 0.3) & (xs > x1) & (xs < x2) & ((ys > y1) & (ys < y2))[:, None]
        near[py, px] = True
        distances = np.stack(np.broadcast_arrays(xs - x1, (ys - y1)[:, None], x2 - xs, (y2 - ys)[:, None]))
        sides[:, near] = np.maximum(distances[:, near], 0.5)
        weight[near] = spot[near] / spot[near].sum()
        counts[0, spot > 0.3] = 1
    return heat, counts, sides, weight


# ── network ──────────────────────────────────────────────────────────────────────────────────────────────


def block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, normalisation, ReLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Split(nn.Module):
    """Half of the planes pass residual pairs of convolutions, all of them meet again (as in YOLOv8)."""

    def __init__(self, planes: int, pairs: int) -> None:
        super().__init__()
        half = planes // 2
        self.enter, self.leave = block(planes, planes, 1), block(half * (2 + pairs), planes, 1)
        self.pairs = nn.ModuleList(nn.Sequential(block(half, half), block(half, half)) for _ in range(pairs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Of the same shape."""
        parts = list(self.enter(x).chunk(2, 1))
        for pair in self.pairs:
            parts.append(parts[-1] + pair(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class Network(nn.Module):
    """Down to a 32nd and back to a fourth of the picture, some 0.9 million weights."""

    def __init__(self) -> None:
        super().__init__()
        self.d4 = nn.Sequential(block(3, 16, 3, 2), block(16, 32, 3, 2))
        self.d8 = nn.Sequential(block(32, 64, 3, 2), Split(64, 1))
        self.d16 = nn.Sequential(block(64, 128, 3, 2), Split(128, 2))
        self.d32 = nn.Sequential(block(128, 128, 3, 2), Split(128, 2))
        self.wide = block(4 * 128, 64, 1)
        self.l16, self.l8, self.l4 = block(128, 64, 1), block(64, 64, 1), block(32, 32, 1)
        self.u16, self.u8 = block(64, 64), block(64, 32)
        self.body = nn.Sequential(block(32, 32), block(32, 32))
        self.head = nn.Conv2d(32, len(CLASSES) + 4, 1)
        nn.init.constant_(self.head.bias[: len(CLASSES)], -4.0)
        nn.init.constant_(self.head.bias[len(CLASSES) :], 2.0)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (n, classes, h, w) and distances to the sides (n, 4, h, w) in pixels."""
        a = self.d4(x)
        b = self.d8(a)
        c = self.d16(b)
        reach = [self.d32(c)]
        for _ in range(3):  # a bus is as wide as a third of the picture
            reach.append(F.max_pool2d(reach[-1], 5, 1, 2))
        c = self.u16(self.l16(c) + F.interpolate(self.wide(torch.cat(reach, 1)), scale_factor=2.0))
        b = self.u8(self.l8(b) + F.interpolate(c, scale_factor=2.0))
        out = self.body(self.l4(a) + F.interpolate(b, scale_factor=2.0))
        with torch.autocast("cpu", enabled=False):  # a box to the pixel needs all digits
            out = self.head(out.float())
        return out[:, : len(CLASSES)], out[:, len(CLASSES) :].clamp(-3, 6.7).exp()


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
        # One vehicle is of one class: only the surest at a place counts, and it must be a peak among all.
        score, kind = heat.sigmoid().max(dim=1, keepdim=True)
        score = score * (F.max_pool2d(score, 3, 1, 1) == score).float()
        score, place = score.flatten(1).topk(MOST)
        boxes = (self.cells + self.signs * sides).flatten(2).transpose(1, 2)
        boxes = boxes.gather(1, place.unsqueeze(-1).expand(-1, -1, 4))
        kind = kind.flatten(1).gather(1, place).float()
        return torch.cat([boxes, score.unsqueeze(-1), kind.unsqueeze(-1)], 2)


def loss_of(
    heat: torch.Tensor,
    sides: torch.Tensor,
    heat_t: torch.Tensor,
    counts: torch.Tensor,
    sides_t: torch.Tensor,
    weight: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Focal loss of the map; and of the boxes GIoU with the distances' error in parts of the box, the foot's twice."""
    p = heat.sigmoid().clamp(1e-4, 1 - 1e-4)
    peak = heat_t > 0.999
    positive = -(torch.log(p) * (1 - p) ** 2)[peak].sum()
    negative = (-torch.log(1 - p) * p**2 * (1 - heat_t) ** 4 * counts * ~peak).sum()
    at = weight > 0
    a, b, much = (v.permute(0, 2, 3, 1)[at] for v in (sides.clamp(max=1000), sides_t, weight[:, None]))
    inner, outer = torch.minimum(a, b), torch.maximum(a, b)
    both = (inner[:, 0] + inner[:, 2]) * (inner[:, 1] + inner[:, 3])
    union = sum((s[:, 0] + s[:, 2]) * (s[:, 1] + s[:, 3]) for s in (a, b)) - both
    hull = (outer[:, 0] + outer[:, 2]) * (outer[:, 1] + outer[:, 3])
    giou = both / union - (hull - union) / hull
    size = (b[:, :2] + b[:, 2:]).repeat(1, 2).clamp(min=4)
    off = ((a - b).abs() / size).clamp(max=2) @ a.new_tensor([1.0, 1.0, 1.0, 2.0])
    count = weight.sum().clamp(min=1)
    return (positive + negative) / count, ((2 * (1 - giou) + 0.5 * off) * much[:, 0]).sum() / count


# ── training ─────────────────────────────────────────────────────────────────────────────────────────────


def train(data: Data, minutes: float, batch: int, model: Path) -> None:
    """Trains for so long; the mean of the latest weights is written every few minutes and at the end."""
    os.nice(2)  # others go first
    torch.manual_seed(1)
    torch.set_num_threads(1)  # what waits for its like on a busy machine burns what it waits for
    dice = np.random.default_rng(1)
    network = Network().to(memory_format=torch.channels_last)
    steady = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-2)
    begun, step, written, shown = time.monotonic(), 0, 0.0, np.zeros(2)
    while (part := (time.monotonic() - begun) / (60 * minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 200) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * part)))
        made = [varied(*data[i], dice) for i in dice.integers(0, len(data), batch)]
        wanted = [torch.from_numpy(np.stack(t)) for t in zip(*(targets(rows) for _, rows in made), strict=True)]
        network.train()
        pictures = torch.stack([x for x, _ in made]).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            heat, sides = network(pictures)
        where, box = loss_of(heat, sides, *wanted)
        optimiser.zero_grad()
        (where + box).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        step += 1
        keep = min(0.998, (1 + step) / (10 + step))
        with torch.no_grad():
            for a, b in zip(steady.state_dict().values(), network.state_dict().values(), strict=True):
                if a.is_floating_point():
                    a.mul_(keep).add_(b, alpha=1 - keep)
        shown += (np.array([where.item(), box.item()]) - shown) * max(0.01, 1 / step)
        if step % 50 == 0:
            print(f"{part:5.1%} step {step} loss: map {shown[0]:.3f}, boxes {shown[1]:.3f}", flush=True)
        if part * minutes - written > KEEP_MINUTES:
            written = part * minutes
            write(steady, model)
    write(steady, model)
    print(f"written after {step} steps: {model}, {model.stat().st_size / 1e6:.2f} MB", flush=True)


def write(network: Network, model: Path) -> None:
    """The ONNX file, whole at any time, with its weights beside it as ``.pt``."""
    import onnx

    torch.save(network.state_dict(), model.with_suffix(".pt"))
    names = {"input_names": ["images"], "output_names": ["output0"], "dynamic_axes": {"images": {0: "batch"}}}
    exported = Exported(copy.deepcopy(network)).eval()
    new = model.with_suffix(".new")
    torch.onnx.export(exported, (torch.zeros(2, 3, HEIGHT, WIDTH),), str(new), opset_version=17, dynamo=False, **names)
    made = onnx.load(str(new))
    about = {"names": str(dict(enumerate(CLASSES))), "riders": "within", "trained_on": "smartstream simulate"}
    onnx.helper.set_model_props(made, about)
    onnx.save(made, str(new))
    new.rename(model)


def main() -> None:
    """Read, train, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of simulated scenes")
    parser.add_argument("model", type=Path, help="ONNX file to write")
    parser.add_argument("--minutes", type=float, default=80)
    parser.add_argument("--batch", type=int, default=8)
    args = parser.parse_args()
    scenes = sorted(p.parent for p in args.data.glob("*/truth.json"))
    data = [pair for scene in scenes for pair in load_scene(scene)]
    print(f"{len(data)} pictures of {len(scenes)} scenes, {sum(len(r) for _, r in data)} road users", flush=True)
    train(data, args.minutes, args.batch, args.model)


if __name__ == "__main__":
    main()
