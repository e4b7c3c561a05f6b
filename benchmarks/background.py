"""What does removing backgrounds through rembg cost beside the bare network?

    python -m benchmarks.background

In one run, in turn: masks of the test scenes through rembg, one picture at a time, and the same
ONNX session alone on inputs made ready beforehand. Ratios are medians over the rounds. Writes
results/background_speed.json.
"""

import statistics

from PIL import Image

from benchmarks.timing import ratio, seconds
from tools.record import provenance, write_json
from utils import ROOT
from utils.background import SIDE, find_masks, load_session
from utils.embedder import IMAGENET_MEAN, IMAGENET_STD
from utils.images import load_images

PICTURES, ROUNDS = 200, 5


def main() -> None:
    scenes, session = load_images("scenes", "test")[:PICTURES], load_session()
    ready = [
        session.normalize(Image.fromarray(picture), IMAGENET_MEAN, IMAGENET_STD, (SIDE, SIDE))
        for picture in scenes.images
    ]

    def bare() -> None:
        for inputs in ready:
            session.inner_session.run(None, inputs)

    times = seconds({"rembg": lambda: find_masks(scenes, session), "bare": bare}, ROUNDS)
    record = provenance() | {
        "what": "masks through rembg over the bare ONNX session, in one run; medians",
        "data": f"{PICTURES} scenes of 64×64, one at a time",
        "command": "python -m benchmarks.background",
        "spread": f"{ROUNDS} rounds",
        "pictures_a_second": PICTURES / statistics.median(times["rembg"]),
        "seconds_over_bare": ratio(times, "rembg", "bare"),
    }
    write_json(ROOT / "results/background_speed.json", record)


if __name__ == "__main__":
    main()
