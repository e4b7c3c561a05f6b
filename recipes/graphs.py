"""Small networks on a large GPU: launch the steps of a training all at once."""

import copy

import torch

from utils.embedder import Embedder
from utils.triplet.precision import Precision


def graphed(model: Embedder, batch: int) -> Embedder:
    """`model`, its network captured as CUDA graphs in training; as it is where there is no GPU.

    A step of a small network is some hundred kernels of a few microseconds, and Python takes
    longer to launch them than the GPU to run them. Captured once, they are launched together
    (torch.cuda.make_graphed_callables). In evaluation the network runs as before.

    Parameters
    ----------
    batch : pictures a step, the same at every one.
    """
    if model.device.type == "cuda":
        size = model.preprocess.size
        some = torch.randn(batch, 3, size, size, device=model.device)
        some = some.contiguous(memory_format=torch.channels_last)
        before = copy.deepcopy(model.module.state_dict())
        model.module.train()
        with torch.autocast("cuda", Precision(model.device, None).dtype, cache_enabled=False):
            torch.cuda.make_graphed_callables(model.module, (some,))
        model.module.load_state_dict(before)  # capturing ran it, which its statistics remember
    return model
