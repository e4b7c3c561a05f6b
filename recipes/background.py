"""Train `background`: a small U²-Net that finds the drawing in a scene, as ONNX for rembg.

    CIFAR10_DIR=… python -m recipes.background            (about a second a step on 2 cores)

A U of residual U-blocks (Qin et al. 2020, "U²-Net"), narrow and shallow enough for 64×64 pictures,
with losses on the masks of every depth. It learns on scenes of the training things with their true
masks: on the scenes' own backgrounds and on photos of CIFAR-10, one drawing or two in a scene. The
input is prepared exactly as rembg prepares it. Interrupted, it goes on from its last checkpoint.
The test things are looked at once, at the end. Writes models/background.onnx with its card, and
results/background.json.
"""

import argparse
import time
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from tools.record import provenance, write_json
from utils import ROOT
from utils.background import find_masks
from utils.checkpoints import keep, resume
from utils.embedder import IMAGENET_MEAN, IMAGENET_STD, MODELS, normalise_
from utils.emoji import read_emoji, read_textures
from utils.images import load_images
from utils.masks import iou, max_f_beta, mean_absolute_error
from utils.onnx_file import write_onnx
from utils.scenes import compose, random_backgrounds, random_placements, seed_of

CHECKPOINTS = ROOT / "data/cache/checkpoints"
SIZE, VARIANTS, BATCH, PEAK, EVERY = 64, 16, 64, 3e-3, 100
MIXING = 0.15


def conv(inside: int, outside: int, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(),
    )


def enlarged(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, like.shape[2:], mode="bilinear", align_corners=False)


class UBlock(nn.Module):
    """A residual U-block: a small U, its answer added to its input (Qin et al. 2020, fig. 2)."""

    def __init__(self, inside: int, middle: int, outside: int) -> None:
        super().__init__()
        self.first = conv(inside, outside)
        self.down, self.deeper = conv(outside, middle), conv(middle, middle)
        self.bottom = conv(middle, middle, dilation=2)
        self.up, self.last = conv(2 * middle, middle), conv(2 * middle, outside)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        a = self.down(x)
        b = self.deeper(F.max_pool2d(a, 2))
        c = self.up(torch.cat([self.bottom(b), b], 1))
        return x + self.last(torch.cat([enlarged(c, a), a], 1))


class SmallU2Net(nn.Module):
    """N×3×64×64 → mask logits N×1×64×64; in training those of every depth, finest first."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            [UBlock(3, 16, 32), UBlock(32, 24, 64), UBlock(64, 32, 96), UBlock(96, 48, 128)]
        )
        self.up = nn.ModuleList([UBlock(224, 32, 64), UBlock(128, 24, 32), UBlock(64, 16, 32)])
        self.heads = nn.ModuleList([nn.Conv2d(c, 1, 3, padding=1) for c in (32, 32, 64, 128)])

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        seen, h = [], x
        for depth, block in enumerate(self.down):
            h = block(h if depth == 0 else F.max_pool2d(h, 2))
            seen.append(h)
        levels = [h]
        for block, skip in zip(self.up, seen[-2::-1], strict=True):
            h = block(torch.cat([enlarged(h, skip), skip], 1))
            levels.append(h)
        logits = [head(h) for head, h in zip(self.heads, levels[::-1], strict=True)]
        return logits if self.training else logits[0]


class ForRembg(nn.Module):
    """What is exported: the finest mask as probabilities, as rembg's own networks answer."""

    def __init__(self, network: SmallU2Net) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return torch.sigmoid(self.network(image))


def scenes_with_masks() -> tuple[np.ndarray, np.ndarray]:
    """VARIANTS scenes of each training drawing, uint8 M×64×64×3, and their masks, uint8.

    A third stand on photos, and in a quarter a second drawing stands in front of the first.
    """
    drawings, rows = read_emoji(["train"])
    photos = load_images("cifar10", "train").images
    pictures = np.empty((VARIANTS, len(rows), SIZE, SIZE, 3), np.uint8)
    masks = np.empty((VARIANTS, len(rows), SIZE, SIZE), np.uint8)
    for variant in tqdm(range(VARIANTS), "composing scenes"):
        rng = np.random.default_rng(variant)
        seeds = [seed_of(f"{row['id']} background {variant}") for row in rows]
        grounds = random_backgrounds(seeds, read_textures("train"))
        on_photo = rng.random(len(rows)) < 1 / 3
        chosen = photos[rng.integers(0, len(photos), on_photo.sum())]
        grounds[on_photo] = chosen.repeat(2, axis=1).repeat(2, axis=2)
        image, mask = compose(drawings, random_placements(seeds), grounds)
        two = np.flatnonzero(rng.random(len(rows)) < 1 / 4)
        other = drawings[rng.permutation(len(rows))[: len(two)]]
        places = random_placements([seeds[i] + 1 for i in two])
        places = places._replace(scale=0.5 * places.scale, x=rng.random(len(two)) * 0.6 + 0.2)
        image[two], second = compose(other, places, image[two])
        mask[two] = np.maximum(mask[two], second)
        pictures[variant], masks[variant] = image, mask
    return pictures.reshape(-1, SIZE, SIZE, 3), masks.reshape(-1, SIZE, SIZE)


def to_input(pixels: Tensor) -> Tensor:
    """uint8 N×64×64×3 → float N×3×64×64: over its maximum, then ImageNet's mean and std."""
    x = pixels.permute(0, 3, 1, 2).float()
    x = x / x.amax((1, 2, 3), keepdim=True).clamp_min(1e-6)
    return normalise_(x, IMAGENET_MEAN, IMAGENET_STD)


def loss_of(logits: list[Tensor], truth: Tensor) -> Tensor:
    """Cross-entropy and 1 − soft IoU of every depth's mask, enlarged to the truth's size."""
    total = truth.new_zeros(())
    for some in logits:
        guess = enlarged(some, truth)
        overlap = (guess.sigmoid() * truth).sum((1, 2, 3))
        union = (guess.sigmoid() + truth).sum((1, 2, 3)) - overlap
        total = total + F.binary_cross_entropy_with_logits(guess, truth)
        total = total + 1 - ((overlap + 1) / (union + 1)).mean()
    return total


def train(steps: int, seed: int) -> tuple[SmallU2Net, dict]:
    """Train for `steps` batches, or finish a run that was interrupted; and how it went."""
    torch.manual_seed(seed)
    model = SmallU2Net().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), PEAK, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, steps)
    checkpoint = CHECKPOINTS / f"background-{steps}-{seed}.pt"
    fresh = {"steps": steps, "seed": seed, "seconds": 0.0, "loss": []}
    saved = {"model": model, "optimizer": optimizer, "schedule": schedule}
    record = resume(checkpoint, saved) or provenance() | fresh
    done = EVERY * len(record["loss"])
    pictures, masks = scenes_with_masks() if done < steps else (None, None)
    for first in range(done, steps, EVERY):
        start, losses, rng = time.perf_counter(), [], np.random.default_rng([seed, first])
        for _ in tqdm(range(min(EVERY, steps - first)), f"steps from {first}", mininterval=30):
            rows = rng.integers(0, len(pictures), BATCH)
            loss = step(model.train(), pictures[rows], masks[rows], rng)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        record["loss"].append(sum(losses) / len(losses))
        record["seconds"] += time.perf_counter() - start
        print(
            f"step {first + len(losses)}: loss {record['loss'][-1]:.3f}, IoU {validate(model):.3f}"
        )
        keep(checkpoint, saved, record)
    return model.eval(), record


def step(
    model: SmallU2Net, pictures: np.ndarray, masks: np.ndarray, rng: np.random.Generator
) -> Tensor:
    """The loss of one batch, flipped and with its colours mixed at random."""
    x = to_input(torch.from_numpy(pictures))
    truth = torch.from_numpy(masks).float()[:, None] / 255
    flip = torch.from_numpy(rng.random(len(x)) < 0.5)[:, None, None, None]
    x, truth = torch.where(flip, x.flip(3), x), torch.where(flip, truth.flip(3), truth)
    mix = torch.eye(3) + MIXING * torch.from_numpy(rng.normal(size=(len(x), 3, 3))).float()
    x = torch.einsum("nij,njhw->nihw", mix, x).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(x)
    return loss_of([some.float() for some in logits], truth)


@torch.inference_mode()
def validate(model: SmallU2Net) -> float:
    """Mean IoU on the validation scenes, as training goes."""
    scenes = load_images("scenes", "validation")
    found = model.eval()(to_input(torch.from_numpy(scenes.images))).sigmoid()[:, 0].numpy()
    return float(iou(found, scenes.masks).mean())


def halve(graph: Any) -> None:
    """Keep the weights as float16 in the file; each is cast back where it is used."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weights in graph.initializer:
        values = numpy_helper.to_array(weights)
        if values.dtype == np.float32 and values.size > 100:
            name = weights.name
            weights.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def measure(split: str) -> dict[str, float]:
    """The shipped file through rembg on the scenes of a split."""
    scenes = load_images("scenes", split)
    found = find_masks(scenes)
    return {
        "iou": float(iou(found, scenes.masks).mean()),
        "mae": float(mean_absolute_error(found, scenes.masks).mean()),
        "max_f_beta": max_f_beta(found, scenes.masks),
        "pictures": len(scenes),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model, record = train(options.steps, options.seed)
    example = torch.zeros(1, 3, SIZE, SIZE)
    write_onnx(ForRembg(model), example, MODELS / "background.onnx", ("image", "mask"), halve)
    record |= {
        "recipe": f"python -m recipes.background --steps {options.steps} --seed {options.seed}",
        "data": "scenes of the training things with their masks, a third of them on photos of "
        "CIFAR-10 (JPEG)",
        "parameters": sum(p.numel() for p in model.parameters()),
        "licence": "Apache-2.0; the drawings' own licences stand in data/LICENSES.md",
        "validation": measure("validation"),
    }
    test = measure("test")
    write_json(MODELS / "background.json", record | {"metrics": test})
    what = "masks found through rembg against true masks, unseen things on unseen backgrounds"
    write_json(
        ROOT / "results/background.json",
        {"what": what, "spread": "one seed"} | record | {"test": test},
    )


if __name__ == "__main__":
    main()
