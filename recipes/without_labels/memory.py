"""What a step must hold in memory: counted in bytes, the same on every machine."""

from typing import Any, cast

import torch
from torch import Tensor

from recipes.without_labels.learn import scenes, untrained
from recipes.without_labels.settings import Setting
from utils.cnn import CompactCNN
from utils.contrast import MoCo, Projected, Queue, TwoViews, ViewPairs
from utils.triplet import shuffled


def kept_for_backward(setting: Setting) -> dict[str, Any]:
    """MiB that autograd keeps of one step in float32, and those of a queue and a second network."""
    images, _ = scenes()
    learner = Projected(cast(CompactCNN, untrained(0).module), setting.head)
    module: torch.nn.Module = learner
    loss: Any = TwoViews(setting.temperature)
    standing = 0
    if setting.method == "moco":
        module, loss = MoCo(learner), Queue(setting.queue, setting.head or 0)
        standing = loss.keys.nbytes + sum(p.nbytes for p in module.follower.parameters())
        loss.put(torch.randn(setting.queue, setting.head or 0))
    x, labels = ViewPairs(images.cpu(), setting.views, shuffled(len(images), setting.batch))(0)
    held: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss(module.cpu().train()(x), labels)
    activations = sum(held.values()) - sum(
        p.nbytes for p in learner.parameters() if p.untyped_storage().data_ptr() in held
    )
    return {"activations": activations / 2**20, "queue and follower": standing / 2**20}
