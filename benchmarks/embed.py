"""What does `embed` cost beside the bare forward pass of the same network?

    python -m benchmarks.embed

In one run, in turn: `embed` without its cache, the network alone on inputs made ready beforehand,
`embed` finding its answer in the cache, and `embed` with EfficientNet. Ratios are medians over the
rounds. Writes results/embed.json.
"""

import shutil
import statistics

import torch

import utils.embed
from benchmarks.timing import ratio, seconds
from tools.record import provenance, write_json
from utils import ROOT
from utils.embed import embed
from utils.images import load_images
from utils.models import load_model

BATCH, ROUNDS = 256, 7


def main() -> None:
    model, efficientnet = load_model("cnn"), load_model("efficientnet")
    scenes = load_images("scenes", "test")
    batches = torch.from_numpy(scenes.images).split(BATCH)
    ready = [model.preprocess(batch) for batch in batches]

    def forward() -> None:
        with torch.inference_mode():
            for batch in ready:
                model.module(batch)

    utils.embed.CACHE = ROOT / "data/cache/benchmark"
    times = seconds({
        "embed": lambda: embed(model, scenes, BATCH, cache=False),
        "forward": forward,
        "cached": lambda: embed(model, scenes, BATCH),
        "efficientnet": lambda: embed(efficientnet, scenes, BATCH, cache=False),
    }, ROUNDS)  # fmt: skip
    shutil.rmtree(utils.embed.CACHE)
    record = provenance() | {
        "what": "throughput of embed over that of the bare forward pass, in one run; medians",
        "data": f"{len(scenes):,} scenes of 64×64 through cnn-scenes, batches of {BATCH}",
        "command": "python -m benchmarks.embed",
        "spread": f"{len(times['embed'])} rounds",
        "pictures_a_second": len(scenes) / statistics.median(times["embed"]),
        "throughput_over_forward": 1 / ratio(times, "embed", "forward"),
        "cached_times_faster": ratio(times, "embed", "cached"),
        "efficientnet_times_slower": ratio(times, "efficientnet", "embed"),
    }
    write_json(ROOT / "results/embed.json", record)


if __name__ == "__main__":
    main()
