"""What lessons, recipes, app and service share: small functions over arrays.

Modules import only from their left: checkpoints, onnx_file, progress, scenes, folder, cifar10,
emoji, images, photos, digits, cnn, embedder, vit, efficientnet, models, background, masks, embed,
explain, distances, duplicates, metrics, recommend, index, bulk, plots, triplet, contrast, words,
app, maps, course.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).resolve().parents[1]  # data/ and models/ lie beside utils/


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it becomes `path` when all went well, else it is removed.

    So a file is there whole or as it was before, never half-written.
    """
    # threads write at the same time, and pids repeat among containers that share a folder
    partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which becomes `path` as in `replacing`, once it is on the disk."""
    with replacing(path) as partial, open(partial, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
