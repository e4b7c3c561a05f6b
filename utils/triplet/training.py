"""The loop that trains an embedder by a loss over batches, and shows what it is doing."""

import copy
import math
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR

from utils.checkpoints import keep, resume
from utils.embed import embed
from utils.embedder import Embedder
from utils.images import ImageSet, check_labelled
from utils.metrics import recall_at_k
from utils.plots.training import LivePlot
from utils.progress import progress
from utils.triplet.diagnosis import check_labels, check_loss, check_weights
from utils.triplet.losses import active_share, mean_cosine
from utils.triplet.precision import Precision

COLLAPSED = 0.95  # mean pairwise cosine
Loss = Callable[[Tensor, Tensor], Tensor]


class CollapseWarning(UserWarning):
    """All embeddings have become the same, and a loss over their distances teaches no more."""


@dataclass
class History:
    """How a training went: one entry a measurement in each list.

    Attributes
    ----------
    step : steps done by then. loss : mean since the measurement before.
    recall : recall@1 on the held-out pictures; empty without them.
    cosine : mean cosine of all pairs of the batch (1: collapsed).
    active : share of the batch's triplets within the margin, by plain distances for any loss.
    best_step : when recall was best, the weights that were kept; None without held-out pictures.
    collapsed_at : the step when the alarm rang, or None. interrupted : stopped by Ctrl-C.
    seconds : by the clock. cpu_seconds : of all cores together. began : as `train` was given it;
        of a training that went on from a checkpoint, what it was given at the first time.
    """

    step: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)
    cosine: list[float] = field(default_factory=list)
    active: list[float] = field(default_factory=list)
    best_step: int | None = None
    collapsed_at: int | None = None
    interrupted: bool = False
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    began: dict[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """For a results file: what there is to tell."""
        return {name: value for name, value in asdict(self).items() if value not in ([], {}, None)}


def train(
    model: Embedder,
    draw: Callable[[int], tuple[Tensor, Tensor]],
    loss: Loss,
    steps: int,
    *,
    held_out: ImageSet | None = None,
    lr: float = 3e-3,
    optimizer: Callable[[list[nn.Parameter]], Optimizer] | None = None,
    schedule: Callable[[Optimizer], LRScheduler] | None = None,
    every: int | None = None,
    margin: float = 0.2,
    checkpoint: Path | None = None,
    seed: int = 0,
    half: bool | None = None,
    began: dict[str, Any] | None = None,
) -> History:
    """Train `model.module` in place; in a notebook its curves are drawn while it learns.

    Deterministic: the chance of step i is set by (seed, i), so that a training which was
    interrupted and goes on from its checkpoint ends where it would have ended. With held-out
    pictures the module ends with the weights that were best on them, also after Ctrl-C.

    Parameters
    ----------
    draw : step → (input N×3×h×w, labels int64 N), such as `Batches`.
    loss : (unit vectors N×D, labels) → scalar. Parameters of a loss that is a module learn too.
    held_out : labelled pictures that recall@1 is measured on, `every` so many steps.
    lr : peak of the default: AdamW (weight decay .05) through one cycle (Smith & Topin 2018).
    optimizer : made from the weights instead; without a schedule its rate stays as it is.
    schedule : made from the optimizer; it advances once a step.
    every : steps between measurements, by default a twentieth of all. margin : for `active`.
    checkpoint : file to go on from, written at each measurement.
    half : the network computes in half precision; by default where the machine is fast at it.
    began : where this training begins, such as the code's commit, for the history to tell: a
        checkpoint may be of older code.

    Raises
    ------
    TrainingDiverged : the loss became NaN or infinite. ValueError : labels missing, a batch without
        triplets, or the checkpoint is damaged or of another training.
    """
    module, learner = model.module, loss if isinstance(loss, nn.Module) else nn.Module()
    learner.to(model.device)
    weights = [p for p in [*module.parameters(), *learner.parameters()] if p.requires_grad]
    adam = optimizer(weights) if optimizer else torch.optim.AdamW(weights, lr, weight_decay=0.05)
    if schedule:
        rate = schedule(adam)
    else:
        rate = ConstantLR(adam, 1.0) if optimizer else OneCycleLR(adam, lr, steps)
    precision = Precision(model.device, half)
    parts = {
        "module": module, "loss": learner, "optimizer": adam, "schedule": rate,
        "precision": precision,
    }  # fmt: skip
    run = _Run(model, parts, steps, seed, margin, held_out, checkpoint, began)
    every = every or max(1, steps // 20)
    module.train()
    try:
        for step in run.remaining():
            torch.manual_seed(seed * 1_000_003 + step)
            x, labels = draw(step)
            check_labels(labels, step)  # before it is the GPU's, which would have to be waited for
            x, labels = x.to(model.device), labels.to(model.device)
            with precision.lower():
                vectors = module(x.contiguous(memory_format=torch.channels_last))
            vectors = F.normalize(vectors.float(), dim=1)
            value = loss(vectors, labels)
            check_loss(value, step, x, vectors, model)
            adam.zero_grad()
            precision.step(value, adam)
            rate.step()
            run.losses.append(value.item())
            if (step + 1) % every == 0 or step + 1 == steps:
                run.measure(step + 1, vectors.detach(), labels)
    except KeyboardInterrupt:
        run.interrupted()
    finally:
        run.finish()
    return run.history


class _Run:
    """What a training remembers: its history, its best weights, its checkpoint and its plot."""

    def __init__(
        self,
        model: Embedder,
        parts: dict[str, Any],
        steps: int,
        seed: int,
        margin: float,
        held_out: ImageSet | None,
        checkpoint: Path | None,
        began: dict[str, Any] | None,
    ) -> None:
        self.model, self.parts, self.steps, self.margin = model, parts, steps, margin
        self.held_out, self.checkpoint = held_out, checkpoint
        if held_out is not None:
            check_labelled(
                held_out.labels, "nobody knows what they should find", "held-out pictures"
            )
        self.history, self.losses = History(began=began or {}), list[float]()
        self.best: dict[str, Tensor] | None = None
        if checkpoint:
            rule = parts["optimizer"]
            self.asked = {"steps": steps, "seed": seed, "begun from": model.digest}
            self.asked["optimizer"] = f"{type(rule).__name__} {rule.defaults}"
            if kept := resume(checkpoint, parts, self.asked):
                self.history, self.best = History(**kept["history"]), kept["best"]
        self.plot = LivePlot(steps, with_recall=held_out is not None)
        self.clock = time.perf_counter(), time.process_time()

    @property
    def done(self) -> int:
        """Steps up to the last measurement."""
        return self.history.step[-1] if self.history.step else 0

    def remaining(self) -> Iterable[int]:
        steps = range(self.done, self.steps)
        if self.plot.live:
            return steps
        return progress(steps, "training", self.steps, initial=self.done)

    def measure(self, step: int, vectors: Tensor, labels: Tensor) -> None:
        check_weights(self.model, step)
        history = self.history
        recall = None if self.held_out is None else self._ask(self.held_out, step)
        cosine, active = mean_cosine(vectors), active_share(vectors, labels, self.margin)
        now = time.perf_counter(), time.process_time()
        history.seconds += now[0] - self.clock[0]
        history.cpu_seconds += now[1] - self.clock[1]
        history.step.append(step)
        history.loss.append(math.fsum(self.losses) / len(self.losses))
        history.cosine.append(cosine)
        history.active.append(active)
        if recall is not None:
            history.recall.append(recall)
        self.clock = now
        self.losses.clear()
        self._watch()
        self.plot.update(history)
        if self.checkpoint:
            record = {"asked": self.asked, "history": asdict(history), "best": self.best}
            keep(self.checkpoint, self.parts, record)

    def _ask(self, held_out: ImageSet, step: int) -> float:
        """recall@1 on the held-out pictures; keeps the weights if none were better."""
        module = self.model.module.eval()
        vectors = embed(self.model, held_out, cache=False)
        module.train()
        recall = float(recall_at_k(vectors, held_out.labels))
        if recall >= max(self.history.recall, default=0.0):
            self.best, self.history.best_step = copy.deepcopy(module.state_dict()), step
        return recall

    def _watch(self) -> None:
        history, last = self.history, self.history.cosine[-3:]  # networks may begin near to 1
        if history.collapsed_at is None and len(last) == 3 and min(last) > COLLAPSED:
            history.collapsed_at = history.step[-1]
            warnings.warn(
                f"Collapse: at step {history.step[-1]} all pictures have nearly the same "
                f"embedding (mean cosine {history.cosine[-1]:.3f}; 1 is all the same), and the "
                f"loss is {history.loss[-1]:.3f}. It may come apart again. If it rests at the "
                "margin, try one of: plain instead of squared distances, semi_hard instead of "
                "batch_hard, a cross-entropy beside the triplets (TripletAndCrossEntropy), a "
                "smaller learning rate.",
                CollapseWarning,
                stacklevel=4,
            )

    def interrupted(self) -> None:
        self.history.interrupted, best = True, self.history.best_step
        kept = f"; the weights are those of step {best}, which found most" if best else ""
        print(f"Stopped after {self.done + len(self.losses)} of {self.steps} steps{kept}.")

    def finish(self) -> None:
        if self.best is not None:
            self.model.module.load_state_dict(self.best)
        self.model.module.eval()
