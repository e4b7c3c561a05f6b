"""On handwritten digits: what depth does without shortcuts, and who reads them best."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from recipes.cnn_embeddings.vectors import over_seeds
from utils.embed import embed
from utils.embedder import Embedder
from utils.metrics import Score
from utils.models import load_model, without_head

KINDS = {  # shortcut, norm
    "plain": (False, False),
    "with norm": (False, True),
    "with shortcut": (True, False),
    "with both": (True, True),
}
DEPTHS = [1, 2, 4, 8, 16, 32]
DEEP = 24  # layers that learn


class Layer(nn.Module):
    """A plain layer, with a norm or a shortcut around it if so."""

    def __init__(self, width: int, shortcut: bool, norm: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.norm = nn.BatchNorm1d(width, momentum=1) if norm else nn.Identity()
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        f = F.relu(self.norm(self.linear(x)))
        return f + x if self.shortcut else f


def stack(depth: int, shortcut: bool, norm: bool, seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    body = [Layer(32, shortcut, norm) for _ in range(depth)]
    return nn.Sequential(nn.Linear(64, 32), *body, nn.Linear(32, 10))


def first_gradient(network: nn.Sequential, x: Tensor, y: Tensor) -> float:
    """Length of the gradient of the first layer's weights."""
    F.cross_entropy(network(x[:256]), y[:256]).backward()
    return network[0].weight.grad.norm().item()


def learn(network: nn.Sequential, x: Tensor, y: Tensor, steps: int = 80) -> list[float]:
    """Shares right, of the digits it learned from and of unseen ones, after some steps of Adam."""
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(network(x[:1000]), y[:1000]).backward()
        optimizer.step()
    network(x[:1000])  # the norms keep the statistics of this, their last batch
    right = (network.eval()(x).argmax(1) == y).float()
    return [right[:1000].mean().item(), right[1000:].mean().item()]


def depth() -> dict[str, Any]:
    """Gradient at the first layer by depth, and accuracy after a few steps, a kind of stack.

    On one thread: such small layers are fastest there, and the answer is the same on any number of
    cores (on more, sums in another order move an accuracy within the spread of the seeds).
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    digits = load_digits()
    x, y = torch.tensor(digits.data / 16).float(), torch.tensor(digits.target)
    record: dict[str, Any] = {"layers": DEPTHS, "gradient": {}}
    learned = {}
    for name, kind in KINDS.items():
        gradient = over_seeds(
            lambda seed, kind=kind: [first_gradient(stack(d, *kind, seed), x, y) for d in DEPTHS]
        )
        record["gradient"][name] = gradient | {"deepest": gradient["median"][-1]}
        for layers in (DEEP, 1):
            learned[f"{layers} layer{'s' * (layers > 1)}, {name}"] = over_seeds(
                lambda seed, layers=layers, kind=kind: learn(stack(layers, *kind, seed), x, y)
            )
    torch.set_num_threads(threads)
    for at, which in enumerate(("taught", "accuracy")):
        record[which] = {
            name: {part: both[at] for part, both in spread.items()}
            for name, spread in learned.items()
        }
    return record


def read_digits(numbers: np.ndarray, target: np.ndarray) -> np.ndarray:
    """1 for each unseen digit that logistic regression reads right off some numbers, else 0."""
    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    fitted.fit(numbers[:900], target[:900])
    return (fitted.predict(numbers[900:]) == target[900:]).astype(np.float64)


def probe(model: Embedder) -> dict[str, Any]:
    """Accuracy on unseen digits of a linear probe on pixels and on embeddings.

    The photo network's embedding stands behind a last layer, and is shorter than the others: so
    the numbers before that layer are read, too, and as many random directions of them.
    """
    digits = load_digits()
    big = (np.kron(digits.images, np.ones((1, 4, 4))) * 255 / 16).astype(np.uint8)
    big = np.repeat(big[..., None], 3, axis=3)  # 32×32, in colour
    photos = load_model("cnn-photos")
    trunk = without_head(photos, photos.preprocess.size)
    read_by = {
        "pixels": digits.data,
        "random weights": embed(load_model("cnn", trained=False), big, cache=False),
        "photos": embed(photos, big, cache=False),
        "photos, before the last layer": embed(trunk, big, cache=False),
        "scenes": embed(model, big, cache=False),
    }
    record: dict[str, Any] = {}
    of_pixels = read_digits(digits.data, digits.target)
    for name, numbers in read_by.items():
        hits = read_digits(numbers, digits.target)
        score, over = (Score(of, np.arange(len(hits)), 0) for of in (hits, hits - of_pixels))
        record[name] = {"accuracy": float(score), "interval": score.interval()}
        record[name] |= {"numbers": numbers.shape[1], "over_pixels_interval": over.interval()}
    for name in ("random weights", "photos, before the last layer"):
        record[name]["random_directions"] = over_seeds(
            lambda seed, of=read_by[name]: float(
                read_digits(some_directions(of, photos.dim, seed), digits.target).mean()
            )
        )
    return record


def some_directions(vectors: np.ndarray, dim: int, seed: int) -> np.ndarray:
    """What vectors say along `dim` random directions."""
    return vectors @ np.random.default_rng(seed).normal(size=(vectors.shape[1], dim))
