"""Writing a network as ONNX, which runs without torch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from utils import replacing


def write_onnx(
    module: nn.Module,
    example: Tensor,
    path: Path,
    names: tuple[str, str],
    change: Callable[[Any], None] | None = None,
) -> None:
    """Write what `module` makes of inputs like `example`, whole or not at all.

    names : of the input and the output. change : what is done to the onnx.GraphProto before.
    """
    import onnx
    import torch

    with replacing(path) as partial:
        torch.onnx.export(
            module.eval(), (example,), partial, input_names=[names[0]], output_names=[names[1]],
            dynamo=True, external_data=False, opset_version=18, verbose=False,
        )  # fmt: skip
        network = onnx.load(partial)
        for part in (network, network.graph, *network.graph.node, *network.graph.value_info):
            del part.metadata_props[:]  # the exporter's notes hold this machine's paths
        if change:
            change(network.graph)
        onnx.save(network, partial)
