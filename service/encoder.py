"""The network as ONNX: it answers a first request in a fraction of the time torch takes to load."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps


class Encoder:
    """Pictures to embeddings, through a network that `export` wrote.

    Attributes
    ----------
    size : side in pixels of what the network takes. dim : length of an embedding.
    digest : names the network, so that an index and another's vectors are not mixed.

    Raises ValueError for a damaged file.
    """

    def __init__(self, path: Path) -> None:
        from onnxruntime import InferenceSession, SessionOptions

        network = path.read_bytes()
        options = SessionOptions()
        # one thread a picture: several at a time use the cores better than one on all of them
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = InferenceSession(network, options, ["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own types have nothing in common
            raise ValueError(
                f"{path} is damaged ({type(error).__name__}); delete it and run "
                "`python -m service.ingest` again."
            ) from error
        self.size: int = self._session.get_inputs()[0].shape[1]
        self.dim: int = self._session.get_outputs()[0].shape[1]
        self.digest = hashlib.blake2b(network, digest_size=8).hexdigest()

    def __call__(self, picture: Image.Image) -> np.ndarray:
        """The embedding of an RGB picture's middle square: float32 1×dim, of length 1.

        One picture at a time, so that the same one always has the same vector, to the last bit.
        """
        square = np.asarray(ImageOps.fit(picture, (self.size, self.size)))
        return self._session.run(None, {"pictures": square[None]})[0]


def export(model: str, path: Path) -> None:
    """Write the network that `load_model(model)` gives, with all that comes before and after it.

    Its input is uint8 1×size×size×3, its output a unit vector, float32 1×dim.
    """
    import torch
    from torch.nn.functional import normalize

    from utils.models import load_model
    from utils.onnx_file import write_onnx

    embedder = load_model(model, device="cpu")

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = embedder.module.to(memory_format=torch.contiguous_format)

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return normalize(self.module(embedder.preprocess(pictures)), dim=1)

    size = embedder.preprocess.size  # type: ignore[attr-defined]
    example = torch.zeros(1, size, size, 3, dtype=torch.uint8)
    write_onnx(Whole(), example, path, ("pictures", "vectors"))
