"""How two towers learn: batches of pairs, and the loop that trains by them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from utils.plots.training import LivePlot
from utils.triplet import TrainingDiverged
from utils.words.losses import clip_loss
from utils.words.things import LANGUAGES, Thing, random_text
from utils.words.towers import DualEncoder, ImageTower


class Batch(NamedTuple):
    """N pairs: what the trunk made of the pictures, N×D, a text for each, and one in each language.

    english, portuguese : N texts each that ask for the same N things.
    """

    vectors: Tensor
    texts: list[str]
    english: list[str]
    portuguese: list[str]


@dataclass(frozen=True)
class Pairs:
    """step → a `Batch` of `size` pairs.

    One picture a thing: with two of one thing each would be the other's wrong answer. Stateless:
    the chance of step i is set by (seed, i).

    Attributes
    ----------
    vectors : float32 tensor, N×D, or N×V×D with V looks of each picture, of which one is drawn.
    labels : int, N. things : what label i shows. size : pairs a batch, at most as many as things.
    languages : those that texts are in; "both" is one after the other.
    """

    vectors: Tensor
    labels: np.ndarray
    things: Sequence[Thing]
    size: int = 64
    languages: Sequence[str] = (*LANGUAGES, "both")
    seed: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.size <= len(self.things):
            raise ValueError(
                f"A batch holds one pair a thing: 2 to {len(self.things)} pairs, not {self.size}."
            )

    def __call__(self, step: int) -> Batch:
        rng = np.random.default_rng([self.seed, step])
        order = rng.permutation(len(self.labels))  # the first of each thing is a random one
        found, first = np.unique(self.labels[order], return_index=True)
        chosen = rng.choice(len(found), self.size, replace=False)
        rows = order[first[chosen]]
        vectors = self.vectors[rows]
        if vectors.ndim == 3:
            vectors = vectors[range(self.size), rng.integers(0, vectors.shape[1], self.size)]
        things = [self.things[i] for i in found[chosen]]
        said = ([random_text(t, rng, how) for t in things] for how in (self.languages, "en", "pt"))
        return Batch(vectors, *said)


@dataclass
class PairHistory:
    """How a training went: one entry a measurement in each list.

    Attributes
    ----------
    step : steps done by then. loss : mean since the measurement before.
    scale : what cosines are multiplied by. recall : what `measure` gave; empty without it.
    seconds : by the clock.
    """

    step: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)
    scale: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def record(self) -> dict[str, Any]:
        """For a results file: what there is to tell."""
        return {name: value for name, value in asdict(self).items() if value != []}


def train_pair(
    pair: DualEncoder,
    draw: Callable[[int], Batch],
    steps: int,
    *,
    measure: Callable[[DualEncoder], float] | None = None,
    lr: float = 1e-2,
    decay: float = 0.05,
    parallel: float = 0.5,
    every: int | None = None,
    seed: int = 0,
) -> PairHistory:
    """Train the text tower, the image tower's linear map and the temperature, in place.

    The trunk stays as it is, so `draw` gives what it made of the pictures, and a step takes
    milliseconds. AdamW through one cycle. In a notebook the curves are drawn while it learns.

    Parameters
    ----------
    draw : step → `Batch`, such as `Pairs`.
    measure : what to follow, such as recall on held-out things, `every` so many steps.
    lr : peak. decay : weight decay of the towers. parallel : weight of the same loss between the
        texts of the two languages.

    Raises
    ------
    TrainingDiverged : the loss is no number, or the temperature ran away.
    """
    tower, texts, heat = cast(ImageTower, pair.images.module), pair.texts, pair.temperature
    weights = [*tower.project.parameters(), *(p for p in texts.parameters() if p.requires_grad)]
    groups: list[dict[str, Any]] = [
        {"params": weights},
        {"params": heat.parameters(), "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW(groups, lr, weight_decay=decay)
    rate = torch.optim.lr_scheduler.OneCycleLR(adam, lr, steps)
    history, every = PairHistory(), every or max(1, steps // 20)
    plot = LivePlot(steps, with_recall=measure is not None)
    told = range(steps) if plot.live else tqdm(range(steps), "training", delay=1, leave=False)
    losses, begun = list[float](), time.perf_counter()
    tower.train(), texts.train()
    for step in told:
        torch.manual_seed(seed * 1_000_003 + step)
        batch = draw(step)
        placed = tower.place(batch.vectors.to(pair.images.device))
        loss = clip_loss(placed, texts(batch.texts), heat())
        if parallel:
            said = texts(batch.english), texts(batch.portuguese)
            loss = loss + parallel * clip_loss(*said, heat())
        if not loss.isfinite():
            raise TrainingDiverged(
                f"The loss is no number at step {step}; lower the learning rate."
            )
        adam.zero_grad()
        loss.backward()
        adam.step()
        rate.step()
        losses.append(loss.item())
        if (step + 1) % every == 0 or step + 1 == steps:
            tower.eval(), texts.eval()
            history.step.append(step + 1)
            history.loss.append(float(np.mean(losses)))
            history.scale.append(heat.scale)
            if measure:
                history.recall.append(measure(pair))
            history.seconds = time.perf_counter() - begun
            losses.clear()
            plot.update(history)
            tower.train(), texts.train()
    tower.eval(), texts.eval()
    return history
