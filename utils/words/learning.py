"""How two towers learn: batches of pairs, and the loop that trains by them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from utils.plots.training import LivePlot
from utils.progress import progress
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
    scale : what cosines are multiplied by. found : what `measure` gave; empty without it.
    seconds : by the clock.
    """

    step: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    found: list[float] = field(default_factory=list)
    scale: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def note(
        self,
        step: int,
        losses: list[float],
        pair: DualEncoder,
        measure: Callable[[DualEncoder], float] | None,
    ) -> None:
        """One more measurement, with both towers in evaluation mode."""
        self.step.append(step)
        self.loss.append(float(np.mean(losses)))
        self.scale.append(pair.temperature.scale)
        if measure:
            modules = cast(ImageTower, pair.images.module).project, pair.texts
            for module in modules:
                module.eval()
            self.found.append(float(measure(pair)))
            for module in modules:
                module.train()

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
    measure : what to follow, recall@10 on held-out things, `every` so many steps.
    lr : peak. parallel : weight of the same loss between the texts of the two languages.

    Raises
    ------
    TrainingDiverged : the loss is no number, or the temperature ran away.
    """
    modules = cast(ImageTower, pair.images.module).project, pair.texts, pair.temperature
    weights = [p for module in modules[:2] for p in module.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": weights},
        {"params": pair.temperature.parameters(), "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW(groups, lr, weight_decay=0.05)
    rate = torch.optim.lr_scheduler.OneCycleLR(adam, lr, steps)
    history, every = PairHistory(), every or max(1, steps // 20)
    plot = LivePlot(steps, with_recall=measure is not None)
    told = range(steps) if plot.live else progress(range(steps), "training")
    losses, begun = list[float](), time.perf_counter()
    with _teaching(modules):
        for step in told:
            torch.manual_seed(seed * 1_000_003 + step)
            loss = _loss(pair, draw(step), parallel, step)
            adam.zero_grad()
            loss.backward()
            adam.step()
            rate.step()
            losses.append(loss.item())
            if (step + 1) % every == 0 or step + 1 == steps:
                history.note(step + 1, losses, pair, measure)
                history.seconds = time.perf_counter() - begun
                losses.clear()
                plot.update(history)
    return history


def _loss(pair: DualEncoder, batch: Batch, parallel: float, step: int) -> Tensor:
    tower, scale = cast(ImageTower, pair.images.module), pair.temperature()
    placed = tower.place(batch.vectors.to(pair.images.device))
    loss = clip_loss(placed, pair.texts(batch.texts), scale)
    if parallel:
        said = pair.texts(batch.english), pair.texts(batch.portuguese)
        loss = loss + parallel * clip_loss(*said, scale)
    if not loss.isfinite():
        raise TrainingDiverged(f"The loss is no number at step {step}; lower the learning rate.")
    return loss


@contextmanager
def _teaching(modules: Sequence[nn.Module]) -> Iterator[None]:
    """In training mode, and on one thread: so small a step loses by a second one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for module in modules:
            module.train()
        yield
    finally:
        torch.set_num_threads(threads)
        for module in modules:
            module.eval()
