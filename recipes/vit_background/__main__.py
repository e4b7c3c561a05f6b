"""What lesson 02 claims, measured once so that its prose and its deck can quote it.

    python -m recipes.vit_background     (five minutes on 2 cores)

The lesson computes most of it in the open. Thresholds come from the validation things. Writes
results/vit_background.json.
"""

import time

from recipes.vit_background.background import experiment, swap
from recipes.vit_background.scores import every_pair, variations
from recipes.vit_background.tokens import attention, matches, positions, which_token
from tools.record import provenance, write_json
from utils import ROOT
from utils.images import load_images
from utils.models import load_model


def main() -> None:
    record, begin = provenance(), time.perf_counter()
    scenes, vit = load_images("scenes", "test"), load_model("vit")
    record |= {
        "what": "what lesson 02 claims: who follows the background, what removing it brings, what "
        "scores mean, where [CLS] looks, which patches match",
        "data": f"{len(scenes):,} scenes of the test things, and scenes composed of the same parts",
        "command": "python -m recipes.vit_background",
        "spread": "intervals are 95 % over queries",
        "swap": swap(),
        "experiment": experiment(scenes),
        "matcher": every_pair(),
        "variations": variations(),
        "attention": attention(vit, scenes),
        "token": which_token(vit, scenes),
        "positions": positions(vit, scenes),
        "matches": matches(),
    }
    record["seconds"] = time.perf_counter() - begin
    write_json(ROOT / "results/vit_background.json", record)


if __name__ == "__main__":
    main()
