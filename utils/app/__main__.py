"""`python -m utils.app [IMAGES]`: the search app as a page of its own, served by Voilà."""

import argparse
import os
import sys
from pathlib import Path

from utils.embedder import ModelUnavailable
from utils.images import SPLITS, DatasetUnavailable, load_images
from utils.words import load_dual_encoder

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m utils.app", description=__doc__)
    parser.add_argument(
        "images", nargs="?", default="scenes", help="a folder of pictures, or scenes, emoji"
    )
    parser.add_argument(
        "--pair", default="pair", help="the dual encoder that finds pictures by words"
    )
    parser.add_argument("--port", type=int, default=8866)
    parser.add_argument("--no-browser", action="store_true", help="only serve it")
    asked = parser.parse_args()
    try:
        if asked.pair != "pair":
            load_dual_encoder(asked.pair)  # downloads it, perhaps
        pictures = load_images(asked.images)  # what is wrong with them is better said here
    except (OSError, ValueError, DatasetUnavailable, ModelUnavailable) as error:
        sys.exit(str(error))
    print(f"{pictures}; the page opens at http://localhost:{asked.port}, Ctrl-C ends it.")
    is_folder = asked.images not in SPLITS
    os.environ["IMAGES"] = str(Path(asked.images).resolve()) if is_folder else asked.images
    is_folder = Path(asked.pair).is_dir()
    os.environ["PAIR"] = str(Path(asked.pair).resolve()) if is_folder else asked.pair
    os.environ["JUPYTER_PATH"] = os.pathsep.join(
        [str(HERE / "jupyter"), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    )
    serve(asked.port, browser=not asked.no_browser)


def serve(port: int, browser: bool) -> None:
    """Serve the page until it is interrupted."""
    from voila.app import Voila

    Voila.launch_instance(
        [
            str(HERE / "page.py"),
            f"--port={port}",
            "--Voila.port_retries=0",
            "--template=lookalike",
            '--VoilaConfiguration.extension_language_mapping={".py": "python"}',
            *([] if browser else ["--no-browser"]),
        ]
    )


if __name__ == "__main__":
    main()
