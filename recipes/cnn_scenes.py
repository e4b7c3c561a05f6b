"""Train `cnn-scenes`: the photo network, fine-tuned on scenes of the training things.

    python -m recipes.cnn_scenes                        (about half a second a step on 2 cores)

Batches of 48 things × 4 pictures, a third of them drawings on white; cosine cross-entropy over
the training things plus semi-hard triplets; AdamW, one cycle. There is no head: the losses act on
the pooled maps, which are the embedding. On the validation things this did better than a head of
128, pictures of 48×48 better than of 32×32 (a thing fills half of its scene), and 400 steps better
than 1,200, after which the training things were known by heart. The test things are looked at
once, at the end. Writes models/cnn-scenes.safetensors with its card, and results/cnn_scenes.json.
"""

import argparse
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from recipes.evaluate import baselines, retrieval
from tools.record import provenance, write_json
from utils import ROOT
from utils.cnn import CompactCNN
from utils.embed import embed
from utils.embedder import MODELS, PHOTO_MEAN, PHOTO_STD, Preprocess
from utils.emoji import read_emoji, read_textures
from utils.images import load_images
from utils.models import load_model, save_compact
from utils.scenes import compose, random_backgrounds, random_placements, seed_of
from utils.triplet import cosine_cross_entropy, triplet_loss

SIZE = 48  # pixels a side
THINGS, EACH, VARIANTS = 48, 4, 12  # a batch is THINGS × EACH; each drawing is VARIANTS scenes
PEAK, DECAY, MARGIN, MIXING, SHIFT = 3e-3, 0.05, 0.2, 0.08, 3


def prepare(preprocess: Preprocess) -> tuple[Tensor, np.ndarray]:
    """Network inputs, D×(VARIANTS scenes, then the drawing on white), and the D things."""
    drawings, rows = read_emoji(["train"])
    white = load_images("emoji", "train")
    inputs = torch.empty(len(rows), VARIANTS + 1, 3, SIZE, SIZE)
    for variant in tqdm(range(VARIANTS), "composing scenes"):
        seeds = [seed_of(f"{row['id']} {variant}") for row in rows]
        backgrounds = random_backgrounds(seeds, read_textures("train"))
        images, _ = compose(drawings, random_placements(seeds), backgrounds)
        inputs[:, variant] = preprocess(torch.from_numpy(images))
    inputs[:, VARIANTS] = preprocess(torch.from_numpy(white.images))
    return inputs, white.labels


def draw_batch(things: list[np.ndarray], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """EACH drawings of each of THINGS things, and for each which of its pictures to take."""
    chosen = rng.choice(len(things), THINGS, replace=False)
    drawings = np.concatenate([rng.choice(things[t], EACH, replace=False) for t in chosen])
    plain = rng.random(len(drawings)) < 1 / 3
    return drawings, np.where(plain, VARIANTS, rng.integers(0, VARIANTS, len(drawings)))


def augment(x: Tensor) -> Tensor:
    """Flip, shift the batch by up to SHIFT pixels, and mix each picture's colours a little."""
    x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)
    top, left = torch.randint(0, 2 * SHIFT + 1, (2,)).tolist()
    x = F.pad(x, (SHIFT,) * 4, mode="replicate")[..., top : top + SIZE, left : left + SIZE]
    mix = torch.eye(3) + MIXING * torch.randn(len(x), 3, 3)
    return torch.einsum("nij,njhw->nihw", mix, x)


def start_from_photos() -> CompactCNN:
    """The trained trunk of `cnn-photos` without its head."""
    model = CompactCNN(dim=None, size=SIZE)
    photos = load_model("cnn-photos", device="cpu").module.state_dict()
    model.load_state_dict({k: v for k, v in photos.items() if not k.startswith("head.")})
    return model.to(memory_format=torch.channels_last)


def train(steps: int, seed: int, preprocess: Preprocess) -> tuple[CompactCNN, list[float]]:
    """Fine-tune for `steps` batches; also the loss, averaged over each hundred steps."""
    inputs, labels = prepare(preprocess)
    things = [np.flatnonzero(labels == t) for t in range(labels.max() + 1)]
    torch.manual_seed(seed)
    rng, model = np.random.default_rng(seed), start_from_photos().train()
    prototypes = nn.Parameter(torch.randn(len(things), model.dim))
    weights = [p for p in model.parameters() if p.requires_grad] + [prototypes]
    optimizer = torch.optim.AdamW(weights, PEAK, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, steps)
    losses: list[float] = []
    for step in tqdm(range(steps), "training", mininterval=10):
        drawings, pictures = draw_batch(things, rng)
        x = augment(inputs[drawings, pictures]).to(memory_format=torch.channels_last)
        target = torch.from_numpy(labels[drawings])
        with torch.autocast("cpu", torch.bfloat16):
            vectors = model(x)
        vectors = F.normalize(vectors.float(), dim=1)
        loss = cosine_cross_entropy(vectors, prototypes, target)
        loss = loss + triplet_loss(vectors, target, MARGIN)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 100 == 99:
            tqdm.write(f"step {step + 1}: loss {np.mean(losses[-100:]):.3f}")
    return model.eval(), [float(np.mean(losses[i : i + 100])) for i in range(0, steps, 100)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    record, start = provenance(), time.perf_counter()
    preprocess = Preprocess(SIZE, PHOTO_MEAN, PHOTO_STD)
    model, losses = train(options.steps, options.seed, preprocess)
    seconds = time.perf_counter() - start
    save_compact(model, MODELS / "cnn-scenes.safetensors")
    shipped, validation = load_model("cnn-scenes"), {}
    for name in ("emoji", "scenes"):
        pictures = load_images(name, "validation")
        validation[name] = retrieval(embed(shipped, pictures, cache=False), pictures.labels)
    record |= {
        "recipe": f"python -m recipes.cnn_scenes --steps {options.steps} --seed {options.seed}",
        "data": "scenes and drawings of the training things; begun from cnn-photos",
        "seconds": seconds,
        "loss": losses,
        "validation": validation,
        "parameters": sum(p.numel() for p in model.parameters()),
        "licence": "Apache-2.0; the drawings' own licences stand in data/LICENSES.md",
    }
    compared = {name: compare(name) for name in ("emoji", "scenes")}
    metrics = {name: table["cnn-scenes"] for name, table in compared.items()}
    write_json(MODELS / "cnn-scenes.json", record | {"metrics": metrics})
    what = "leave-one-out retrieval among the pictures of the test things, by thing"
    spread = "one seed; intervals are over queries"
    write_json(
        ROOT / "results/cnn_scenes.json", {"what": what, "spread": spread} | record | compared
    )


def compare(name: str) -> dict[str, dict]:
    """The test pictures of one set under every way to embed them."""
    pictures = load_images(name, "test")
    table = baselines(pictures, "cnn-scenes")
    for model in ("cnn-photos", "cnn-scenes"):
        table[model] = retrieval(embed(load_model(model), pictures, cache=False), pictures.labels)
    return table


if __name__ == "__main__":
    main()
