"""Learning by two views: a head to train with, and MoCo's second network and queue."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from utils.cnn import CompactCNN
from utils.contrast.losses import info_nce, nt_xent
from utils.embedder import Embedder


class Projected(nn.Module):
    """A trunk with a projection head that is there only while it learns.

    In training N×3×h×w → unit vectors N×dim, the head's; in evaluation the trunk's own pooled
    maps, of unit length: the head is dropped (Chen et al. 2020, section 4.2).

    Parameters
    ----------
    trunk : a compact CNN without a head. dim : what the head answers; None for no head at all.
    """

    def __init__(self, trunk: CompactCNN, dim: int | None = 64) -> None:
        super().__init__()
        inside = trunk.widths[-1]
        self.trunk, self.head = trunk, nn.Sequential()
        if dim:
            self.head = nn.Sequential(
                nn.Linear(inside, inside, bias=False),
                nn.BatchNorm1d(inside),
                nn.ReLU(),
                nn.Linear(inside, dim),
            )

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.trunk.pool(self.trunk.maps(x))
        return F.normalize(self.head(pooled) if self.training else pooled, dim=1)


class MoCo(nn.Module):
    """Two copies of a network: one learns, the other follows it slowly.

    In training the first half of a batch are views for the learner, its queries, and the second
    half the other views, for the follower, its keys. The follower gets no gradient: before each
    batch every weight of it becomes momentum · its own + (1 − momentum) · the learner's (He et
    al. 2020, eq. 2). Both normalise by their own batch; He et al. shuffle the keys over
    several GPUs lest these betray who belongs together (section 3.3), which we do not.
    """

    def __init__(self, learner: Projected, momentum: float = 0.99) -> None:
        super().__init__()
        if not 0 <= momentum <= 1:
            raise ValueError(f"A momentum is 0 to 1 (usual are .99 to .999), but is {momentum}.")
        self.learner, self.momentum = learner, momentum
        self.follower = copy.deepcopy(learner).requires_grad_(False)

    @torch.no_grad()
    def follow(self) -> None:
        """Move the follower a little towards the learner, weights and running statistics."""
        pairs = zip(
            self.follower.state_dict().values(), self.learner.state_dict().values(), strict=True
        )
        for old, new in pairs:
            if old.is_floating_point():
                old.lerp_(new, 1 - self.momentum)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return self.learner(x)
        self.follow()
        views, others = x.chunk(2)
        with torch.no_grad():
            keys = self.follower(others)
        return torch.cat([self.learner(views), keys])


class Queue(nn.Module):
    """The last `size` keys, first in, first out; `(vectors, labels) → loss` for `train`.

    Until it is full it holds fewer; for the first batch, whose queue is empty, the other keys of
    that very batch stand in. Keys are enqueued after the loss, so that none meets itself.
    """

    def __init__(self, size: int, dim: int, temperature: float = 0.2) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f"A queue holds one key or more, not {size}.")
        self.temperature = temperature
        self.register_buffer("keys", torch.zeros(size, dim))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))
        self.keys: Tensor
        self.filled: Tensor

    @torch.no_grad()
    def put(self, keys: Tensor) -> None:
        """The newest keys go in front, the oldest fall out at the end."""
        size = len(self.keys)
        self.keys.copy_(torch.cat([keys.flip(0), self.keys])[:size])
        self.filled.copy_((self.filled + len(keys)).clamp(max=size))

    def forward(self, vectors: Tensor, labels: Tensor) -> Tensor:
        queries, keys = vectors.chunk(2)
        held = int(self.filled)
        if held:
            loss = info_nce(queries, keys, self.keys[:held], self.temperature)
        else:
            loss = nt_xent(queries, keys, self.temperature)
        self.put(keys.detach())
        return loss


class TwoViews(nn.Module):
    """NT-Xent as `(vectors, labels) → loss` for `train`: two halves of a batch, view by view."""

    def __init__(self, temperature: float = 0.2) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, vectors: Tensor, labels: Tensor) -> Tensor:
        views, others = vectors.chunk(2)
        return nt_xent(views, others, self.temperature)


def with_projection(model: Embedder, dim: int | None = 64) -> Embedder:
    """`model`, a compact CNN without a head, with a head to learn with that `embed` does not see.

    Raises ValueError for another kind of network.
    """
    trunk = model.module
    if not isinstance(trunk, CompactCNN) or not isinstance(trunk.head, nn.Identity):
        raise ValueError(f"{model.name} is no compact CNN without a head; see `without_head`.")
    module = Projected(trunk, dim).eval().to(model.device)
    return Embedder(model.name, model.dim, model.source, model.preprocess, module)
