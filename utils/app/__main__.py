"""`python -m utils.app [IMAGES]`: the search app as a page of its own, served by Voilà."""

import argparse
import os
import pickle
import sys
import tempfile
from pathlib import Path

from utils.embedder import ModelUnavailable
from utils.images import DatasetUnavailable, load_images
from utils.models import load_model
from utils.words import load_dual_encoder

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m utils.app", description=__doc__)
    parser.add_argument(
        "images",
        nargs="?",
        default="scenes",
        help="a folder, or scenes, emoji, cifar10",
    )
    parser.add_argument(
        "--model", help="a name for load_model; by default cnn for drawings, else cnn-photos"
    )
    parser.add_argument(
        "--size", type=int, default=64, help="pixels that pictures are read at; resnet50 likes 224"
    )
    parser.add_argument(
        "--pair", default="pair", help="the dual encoder that finds pictures by words"
    )
    parser.add_argument("--port", type=int, default=8866)
    parser.add_argument("--no-browser", action="store_true", help="only serve it")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder, "pictures")  # for the page, which is run for each visitor
        try:  # what is wrong is better said here
            if asked.model:
                load_model(asked.model)  # downloads it, perhaps
            if asked.pair != "pair":
                load_dual_encoder(asked.pair)
            pictures = load_images(asked.images, size=asked.size)
            with open(kept, "wb") as file:
                pickle.dump(pictures, file)
        except (OSError, ValueError, DatasetUnavailable, ModelUnavailable) as error:
            sys.exit(str(error))
        print(f"{pictures}; the page opens at http://localhost:{asked.port}, Ctrl-C ends it.")
        os.environ["PICTURES"] = str(kept)
        drawings = asked.images in ("scenes", "emoji")
        os.environ["MODEL"] = asked.model or ("cnn" if drawings else "cnn-photos")
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
