"""What lesson 01 claims, measured once so that its deck can quote it.

    python -m recipes.cnn_embeddings     (under two minutes on 2 cores)

The lesson computes the same in the open, from the first of the seeds. Writes
results/cnn_embeddings.json.
"""

import time

from recipes.cnn_embeddings.digits import depth, probe
from recipes.cnn_embeddings.network import (
    LAST,
    layers,
    preparations,
    readouts,
    rebuilt,
    shifts,
)
from recipes.cnn_embeddings.vectors import (
    ROUNDS,
    SEEDS,
    contrasts,
    orders,
    photo_means,
    photo_orders,
    product,
    ways,
)
from tools.record import provenance, write_json
from utils import ROOT
from utils.embed import embed
from utils.embedder import feature_maps
from utils.images import load_images
from utils.models import load_model


def main() -> None:
    record, begin = provenance(), time.perf_counter()
    model = load_model("cnn")
    training, gallery = load_images("scenes", "train"), load_images("scenes", "test")
    vectors = embed(model, gallery, cache=False)
    taught, tested = (feature_maps(model, p, [LAST])[LAST] for p in (training, gallery))
    record |= {
        "what": "what lesson 01 claims of pixels, one-hot vectors, embeddings and the layers of "
        "cnn-scenes; probes and decoders are linear and learn from the training scenes",
        "data": f"{len(gallery):,} scenes of the test things, drawings, scikit-learn's digits, "
        "embeddings of CIFAR-10 (JPEG)",
        "command": "python -m recipes.cnn_embeddings",
        "spread": f"median, low and high over {len(SEEDS)} seeds where there is chance; intervals "
        f"are 95 % over queries; times_faster is the median of {ROUNDS} rounds",
        "ways": ways(gallery, vectors),
        "contrast": contrasts(gallery, vectors),
        "layers": layers(model, gallery, taught, training),
        "shift": shifts(model, gallery, tested),
        "preparations": preparations(model, gallery, vectors),
        "readouts": readouts(taught, tested, training, gallery),
        "depth": depth(),
        "rebuilt": rebuilt(taught, tested, training, gallery),
        "digits": probe(model),
        "orders": orders(model),
        "photo_orders": photo_orders(),
        "photo_means": photo_means(),
        "product": product(gallery, vectors),
    }
    record["seconds"] = time.perf_counter() - begin
    write_json(ROOT / "results/cnn_embeddings.json", record)


if __name__ == "__main__":
    main()
