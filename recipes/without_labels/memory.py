"""What a step must hold in memory: counted in bytes, the same on every machine."""

from typing import Any, cast

import torch
from torch import Tensor

from recipes.without_labels.learn import scenes, taught_by, untrained
from recipes.without_labels.settings import Setting
from utils.cnn import CompactCNN
from utils.contrast import MoCo, Projected, ViewPairs
from utils.triplet import shuffled


def kept_for_backward(setting: Setting) -> dict[str, Any]:
    """MiB that autograd keeps of one step in float32, and those of a queue and a second network."""
    images, _ = scenes()
    learner = Projected(cast(CompactCNN, untrained(images, 0).module), setting.head)
    module, loss = taught_by(setting, learner)
    standing = 0
    if isinstance(module, MoCo):
        standing = loss.keys.nbytes + sum(p.nbytes for p in module.follower.parameters())
        loss.put(torch.randn_like(loss.keys))
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
