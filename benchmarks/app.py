"""How long the search app lets one wait, on a gallery of 10,000 pictures.

    python -m benchmarks.app

Writes results/app.json, which lesson 06 and its deck quote.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from tools.record import provenance, write_json
from tools.serving import app_served
from tools.slides import browser
from utils import ROOT
from utils.app import SearchApp
from utils.images import load_images, png

PICTURES = 10_000
ASKED = 100  # questions to the kernel
CLICKS = 30
# From the click until other answers are on the screen, decoded: milliseconds.
CLICK = """async () => {
    const shown = () => [...document.querySelectorAll(".la-main > .la-tiles .la-open img")];
    const before = shown().map(image => image.src).join();
    const started = performance.now();
    shown()[1].closest("button").click();
    while (shown().map(image => image.src).join() === before) {
        await new Promise(requestAnimationFrame);
    }
    await Promise.all(shown().map(image => image.decode()));
    return performance.now() - started;
}"""


def save_gallery(folder: Path) -> None:
    """Scenes, and scenes mirrored and made darker, each a file."""
    scenes = load_images("scenes").images
    for i in range(PICTURES):
        image = scenes[i % len(scenes)]
        image = image[:, ::-1] if i // len(scenes) % 2 else image
        darker = (image * (1 - 0.1 * (i // len(scenes)))).astype(np.uint8)
        Image.fromarray(darker).save(folder / f"{i:05}.png", compress_level=1)


def milliseconds(times: list[float]) -> dict[str, float]:
    return {"median": float(np.median(times)), "p95": float(np.percentile(times, 95))}


def time_kernel(folder: Path) -> dict[str, dict[str, float]]:
    """An upload answered: decoded, embedded, searched; and the whole of what the kernel does."""
    app = SearchApp(load_images(folder))
    rng = np.random.default_rng(0)
    uploads = [png(rng.integers(0, 256, (300, 400, 3), np.uint8)) for _ in range(8)]
    answer, whole = [], []
    for i in range(ASKED):
        started = time.perf_counter()
        query = app.search.outside(uploads[i % 8], "upload.png")
        app.search.ask(query)
        answer.append(1000 * (time.perf_counter() - started))
        started = time.perf_counter()
        app.ask(query)
        whole.append(1000 * (time.perf_counter() - started))
    return {"answer": milliseconds(answer[5:]), "with_screen": milliseconds(whole[5:])}


def time_browser(folder: Path) -> dict[str, float]:
    """Clicks on answers in Voilà, in Chromium."""
    with app_served(folder, "--model=cnn") as url, browser() as chromium:
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(180_000)
        page.goto(url)
        page.locator(".la-main > .la-tiles .la-tile:not([hidden])").nth(9).wait_for()
        return milliseconds([page.evaluate(CLICK) for _ in range(CLICKS)][3:])


def main() -> None:
    about = provenance()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        save_gallery(folder)
        record = {"kernel_ms": time_kernel(folder), "browser_ms": time_browser(folder)}
    write_json(ROOT / "results" / "app.json", {**about, "pictures": PICTURES, **record})


if __name__ == "__main__":
    main()
