"""What do shards and Ray cost, or bring, beside one process that embeds a folder at once?

    python -m benchmarks.bulk

2,000 scenes as PNG files through cnn-scenes, in one run, in turn: `load_images` and `embed`; the
same in shards; the same on Ray, started before the clock, with as many workers as there are
cores, whose own start (each loads torch and the network) counts, and without it. Writes
results/bulk.json.
"""

import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import ray
from PIL import Image

from benchmarks.timing import ratio, seconds
from tools.record import provenance, write_json
from utils import ROOT
from utils.bulk import embed_folder
from utils.embed import embed
from utils.images import load_images
from utils.models import load_model

PICTURES, SHARD, ROUNDS = 2000, 250, 3


def write_pictures(folder: Path, n: int) -> None:
    folder.mkdir()
    for i, image in enumerate(load_images("scenes", "train").images[:n]):
        Image.fromarray(image).save(folder / f"{i:04d}.png")


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        few, many, out = Path(made, "few"), Path(made, "many"), Path(made, "out")
        workers = os.cpu_count() or 1
        write_pictures(many, PICTURES)
        write_pictures(few, workers)

        def sharded(folder: Path, shard: int, on_ray: bool) -> None:
            shutil.rmtree(out, ignore_errors=True)
            embed_folder(folder, out, "cnn", shard=shard, on_ray=on_ray)

        began = time.perf_counter()
        ray.init("local", include_dashboard=False, log_to_driver=False)
        start = time.perf_counter() - began
        times = seconds({
            "at once": lambda: embed(load_model("cnn"), load_images(many), cache=False),
            "shards": lambda: sharded(many, SHARD, False),
            "ray": lambda: sharded(many, SHARD, True),
            "ray, one picture a worker": lambda: sharded(few, 1, True),
        }, ROUNDS)  # fmt: skip
    begin = times["ray, one picture a worker"]
    times["ray, begun"] = [a - b for a, b in zip(times["ray"], begin, strict=True)]
    record = provenance() | {
        "what": "images a second of a folder embedded at once, in shards, and on Ray; in one run",
        "data": f"{PICTURES:,} scenes of 64×64 as PNG through cnn-scenes, shards of {SHARD}",
        "command": "python -m benchmarks.bulk",
        "spread": f"medians over {ROUNDS} rounds",
        "workers": workers,
        "ray_start_seconds": start,
        "workers_start_seconds": statistics.median(begin),
        "images_a_second": {
            name.replace(", ", "_").replace(" ", "_"): PICTURES / statistics.median(times[name])
            for name in ("at once", "shards", "ray", "ray, begun")
        },
        "shards_over_at_once": 1 / ratio(times, "shards", "at once"),
        "ray_over_at_once": 1 / ratio(times, "ray", "at once"),
        "ray_begun_over_at_once": 1 / ratio(times, "ray, begun", "at once"),
    }
    write_json(ROOT / "results/bulk.json", record)


if __name__ == "__main__":
    main()
