"""What stops a training, and where it began."""

from torch import Tensor

from utils.embedder import Embedder


class TrainingDiverged(RuntimeError):
    """The loss is no number any more; the message says where that began."""


def check_labels(labels: Tensor, step: int) -> None:
    """Raise ValueError for a batch without labels, of one class, or of one picture a class."""
    classes = len(labels.unique())
    if len(labels) and labels.min() < 0:
        told = "pictures without a label (−1)"
    elif classes < 2:
        told = "pictures of one class only"
    elif classes == len(labels):
        told = "pictures of a class of its own each"
    else:
        return
    raise ValueError(
        f"The batch of step {step} holds {told}, and a triplet needs two of one class and one of "
        "another; `balanced(labels, classes, each)` makes batches that have them."
    )


def check_weights(model: Embedder, step: int) -> None:
    """Raise TrainingDiverged where a weight is no number."""
    for name, weights in model.module.named_parameters():
        if not weights.isfinite().all():
            raise TrainingDiverged(
                f"The training broke before step {step}: the weights {name} hold NaN; lower the "
                "learning rate."
            )


def check_loss(loss: Tensor, step: int, x: Tensor, vectors: Tensor, model: Embedder) -> None:
    """Raise TrainingDiverged for a loss of NaN or infinity."""
    if loss.isfinite():
        return
    check_weights(model, step)
    if not x.isfinite().all():
        where = "the pictures of this batch already hold NaN; look at what made them"
    elif not vectors.isfinite().all():
        where = "the network's answers hold NaN; lower the learning rate, or set half=False"
    else:
        where = "embeddings and weights are sound, so it is the loss itself that overflows"
    raise TrainingDiverged(f"The loss became NaN or infinite at step {step}: {where}.")
