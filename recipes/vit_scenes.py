"""Train `vit`: a small Vision Transformer that learns from `cnn-scenes` and from the labels.

    CIFAR10_DIR=… python -m recipes.vit_scenes            (about 0.8 seconds a step on 2 cores)

On two thousand drawings a transformer alone learns little, so a trained CNN teaches it: [CLS]
should point where the CNN's embedding points (knowledge distillation, Hinton et al. 2015), and
each patch token where the CNN's feature map points at that place, on scenes and on photos of
CIFAR-10. Pictures and maps are rolled by whole patches, lest a token tell where it is instead of
what it sees. Cosine cross-entropy and semi-hard triplets over the training things are added.
Interrupted, it goes on from its last checkpoint. The test things are looked at once, at the end.
Writes models/vit/ with its card, and results/vit_scenes.json; with --alone, where the labels alone
teach, results/vit_alone.json and no weights.
"""

import argparse
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from recipes.cnn_scenes import variants
from recipes.evaluate import retrieval
from tools.record import provenance, write_json
from utils import ROOT
from utils.checkpoints import keep, resume
from utils.embed import embed
from utils.embedder import MODELS, Embedder, Preprocess
from utils.images import load_images
from utils.models import load_model
from utils.triplet import cosine_cross_entropy, triplet_loss
from utils.vit import ClsToken

CHECKPOINTS = ROOT / "data/cache/checkpoints"
WIDTH, LAYERS, HEADS, INSIDE = 192, 6, 3, 384
SIZE, PATCH = 64, 8
# scenes of each drawing, besides it on white; photos for the teacher, which lie by class: of five
VARIANTS, PHOTOS = 24, 25_000
THINGS, EACH, OTHERS = 48, 3, 48  # a batch: 48 things × 3 pictures, and 48 photos
PEAK, DECAY, MARGIN, MIXING, EVERY = 1e-3, 0.05, 0.2, 0.08, 250
REACH = 2  # patches that a picture is rolled by, at most, in each direction
HALF = (0.5, 0.5, 0.5)  # mean and standard deviation, as ViTs have them: pixels from −1 to 1
to_input = Preprocess(SIZE, HALF, HALF)


def new_vit() -> nn.Module:
    """The untrained student, without the pooler that nothing here would train."""
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=INSIDE,
        image_size=SIZE,
        patch_size=PATCH,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        attn_implementation="eager",
    )
    return ViTModel(config, add_pooling_layer=False)


@torch.inference_mode()
def ask_teacher(pictures: np.ndarray) -> tuple[Tensor, Tensor]:
    """The CNN's embedding, N×192, and its last maps, N×192×6×6, of each picture; float16."""
    teacher, vectors, maps = load_model("cnn-scenes", device="cpu"), [], []
    if teacher.dim != WIDTH:
        raise ValueError(
            f"cnn-scenes answers with {teacher.dim} numbers, but its pupil has {WIDTH}: give WIDTH "
            "the former and HEADS a divisor of it."
        )
    for start in tqdm(range(0, len(pictures), 256), "asking the CNN", mininterval=10):
        x = teacher.preprocess(torch.from_numpy(pictures[start : start + 256]))
        maps.append(teacher.module.maps(x).half())
        vectors.append(F.normalize(maps[-1].float().mean((2, 3)), dim=1).half())
    return torch.cat(vectors), torch.cat(maps)


class Lessons:
    """What the student is shown: labelled scenes and photos, with the teacher's answers."""

    def __init__(self) -> None:
        self.labels = load_images("emoji", "train").labels
        self.things = [np.flatnonzero(self.labels == t) for t in range(self.labels.max() + 1)]
        photos = load_images("cifar10", "train").images[:PHOTOS]
        self.scenes, self.photos = variants(VARIANTS).reshape(-1, SIZE, SIZE, 3), photos
        self.answers = [ask_teacher(self.scenes), ask_teacher(self.photos)]

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Inputs, the teacher's vectors and maps, and the things of the first THINGS × EACH."""
        chosen = rng.choice(len(self.things), THINGS, replace=False)
        drawings = np.concatenate([rng.choice(self.things[t], EACH, replace=False) for t in chosen])
        scenes = drawings * (VARIANTS + 1) + rng.integers(0, VARIANTS + 1, len(drawings))
        photos = rng.choice(len(self.photos), OTHERS, replace=False)
        pixels = (self.scenes[scenes], self.photos[photos])
        x = torch.cat([to_input(torch.from_numpy(some)) for some in pixels])
        vectors, maps = (
            torch.cat([self.answers[0][part][scenes], self.answers[1][part][photos]]).float()
            for part in (0, 1)
        )
        flip = torch.from_numpy(rng.random(len(x)) < 0.5)[:, None, None, None]
        maps = F.interpolate(maps, (SIZE // PATCH,) * 2, mode="bilinear")
        x, maps = torch.where(flip, x.flip(3), x), torch.where(flip, maps.flip(3), maps)
        by = rng.integers(-REACH, REACH + 1, (2, len(x)))
        x, maps = rolled(x, PATCH * by), rolled(maps, by)
        mix = torch.eye(3) + MIXING * torch.from_numpy(rng.normal(size=(len(x), 3, 3))).float()
        x = torch.einsum("nij,njhw->nihw", mix, x)
        return x, vectors, maps, torch.from_numpy(self.labels[drawings])


def rolled(x: Tensor, by: np.ndarray) -> Tensor:
    """Each picture of N×C×H×W moved by[0] down and by[1] right; what leaves comes in again."""
    side = np.arange(x.shape[2])
    down, right = ((side - some[:, None]) % len(side) for some in by)
    here = torch.arange(len(x))[:, None, None]
    return x.permute(0, 2, 3, 1)[here, down[:, :, None], right[:, None, :]].permute(0, 3, 1, 2)


def loss_of(out: Tensor, prototypes: Tensor, taught: tuple, alone: bool) -> Tensor:
    """What the student missed; `out` is the last hidden state, N×65×192."""
    vectors, maps, things = taught
    cls = F.normalize(out[:, 0], dim=1)
    labelled = cls[: len(things)]
    of_things = cosine_cross_entropy(labelled, prototypes, things)
    of_things = of_things + triplet_loss(labelled, things, MARGIN)
    if alone:
        return of_things
    of_cls = 1 - (cls * vectors).sum(1).mean()
    wanted = maps.flatten(2).transpose(1, 2)
    of_tokens = 1 - F.cosine_similarity(out[:, 1:], wanted, dim=2).mean()
    return 4 * of_cls + 2 * of_tokens + 0.3 * of_things


def train(steps: int, seed: int, alone: bool) -> tuple[nn.Module, dict]:
    """Train for `steps` batches, or finish a run that was interrupted; and how it went."""
    torch.manual_seed(seed)
    name = "vit_alone" if alone else "vit"
    model, checkpoint = new_vit(), CHECKPOINTS / f"{name}-{steps}-{seed}.pt"
    prototypes = nn.Linear(WIDTH, len(load_images("emoji", "train").classes), bias=False)
    parts = nn.ModuleList([model, prototypes])
    optimizer = torch.optim.AdamW(parts.parameters(), PEAK, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, steps, pct_start=0.1)
    fresh = {"steps": steps, "seed": seed, "seconds": 0.0, "loss": []}
    saved = {"parts": parts, "optimizer": optimizer, "schedule": schedule}
    record = resume(checkpoint, saved) or provenance() | fresh
    done = EVERY * len(record["loss"])
    lessons = Lessons() if done < steps else None
    for first in range(done, steps, EVERY):
        start, losses, rng = time.perf_counter(), [], np.random.default_rng([seed, first])
        for _ in tqdm(range(min(EVERY, steps - first)), f"steps from {first}", mininterval=30):
            x, *taught = lessons.batch(rng)
            x = x[: THINGS * EACH] if alone else x
            with torch.autocast("cpu", torch.bfloat16):
                out = model.train()(pixel_values=x).last_hidden_state
            loss = loss_of(out.float(), prototypes.weight, taught, alone)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        record["loss"].append(sum(losses) / len(losses))
        record["seconds"] += time.perf_counter() - start
        told = ", ".join(f"{name} {validate(model, name):.3f}" for name in ("emoji", "scenes"))
        print(f"step {first + len(losses)}: loss {record['loss'][-1]:.3f}; {told}", flush=True)
        keep(checkpoint, saved, record)
    return model.eval(), record


@torch.inference_mode()
def validate(model: nn.Module, name: str) -> float:
    """recall@1 of [CLS] on the validation things, as training goes."""
    pictures = load_images(name, "validation")
    x = to_input(torch.from_numpy(pictures.images))
    vectors = model.eval()(pixel_values=x).last_hidden_state[:, 0]
    return retrieval(vectors.numpy(), pictures.labels)["recall_at_1"]


def save(model: nn.Module) -> None:
    """Write models/vit/ in transformers' own form, float16, with its image processor."""
    from transformers import ViTImageProcessor

    model.half().save_pretrained(MODELS / "vit")
    side = {"height": SIZE, "width": SIZE}
    processor = ViTImageProcessor(size=side, image_mean=list(HALF), image_std=list(HALF))
    processor.save_pretrained(MODELS / "vit")


def scores(model: Embedder) -> dict[str, dict]:
    """Retrieval among drawings and scenes of the validation and the test things."""
    return {
        split: {
            name: retrieval(embed(model, pictures, cache=False), pictures.labels)
            for name in ("emoji", "scenes")
            for pictures in [load_images(name, split)]
        }
        for split in ("validation", "test")
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--alone", action="store_true", help="learn from the labels alone")
    options = parser.parse_args()
    model, record = train(options.steps, options.seed, options.alone)
    alone = " --alone" * options.alone
    record |= {
        "recipe": f"python -m recipes.vit_scenes --steps {options.steps} --seed {options.seed}"
        + alone,
        "data": "scenes and drawings of the training things, and photos of CIFAR-10 (JPEG) seen "
        "through cnn-scenes, which taught it",
        "parameters": sum(p.numel() for p in model.parameters()),
        "licence": "Apache-2.0; the drawings' own licences stand in data/LICENSES.md",
    }
    table = {
        "what": "leave-one-out retrieval among the pictures of the test things, by thing",
        "spread": "one seed; intervals are over queries",
    } | record
    if options.alone:
        table["data"] = "scenes and drawings of the training things"
        found = scores(Embedder("vit alone", WIDTH, "shipped", to_input, ClsToken(model)))
        return write_json(ROOT / "results/vit_alone.json", table | found["test"])
    save(model)
    found = scores(load_model("vit"))
    record["validation"] = table["validation"] = found["validation"]
    write_json(MODELS / "vit.json", record | {"metrics": found["test"]})
    write_json(ROOT / "results/vit_scenes.json", table | found["test"])


if __name__ == "__main__":
    main()
