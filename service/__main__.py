"""Start the service on this machine: `python -m service [--images FOLDER]`."""

import argparse
import sys
from pathlib import Path

import uvicorn

from service.api import create_app
from service.connection import PatientProtocol
from service.gallery import open_gallery
from service.settings import Settings

CONNECTIONS = 256  # further ones are answered 503


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", help="a folder of pictures; by default the course's drawings")
    parser.add_argument("--model", help="a name for load_model")
    parser.add_argument("--gallery", type=Path, help="a folder that service.ingest made")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets the network in")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(words)
    if options.gallery and (options.images or options.model):
        parser.error("--gallery is served as it is: leave --images and --model out, or fill it by "
                     "`python -m service.ingest`.")  # fmt: skip
    try:
        settings = Settings.from_environment()
        folder = options.gallery
        if not folder:
            from service.ingest import make_gallery  # not in the container: it brings torch

            folder = make_gallery(options.images, options.model, settings=settings)
        gallery = open_gallery(folder, settings)
    except (OSError, ValueError, RuntimeError) as error:  # a ModelUnavailable among them
        print(error, file=sys.stderr)
        return 1
    where = f"http://{options.host}:{options.port}/"
    print(f"{len(gallery):,} pictures at {where}, its API at {where}docs   (Ctrl+C ends it)")
    sys.stdout.flush()
    uvicorn.run(
        create_app(gallery, settings), host=options.host, port=options.port, http=PatientProtocol,
        log_level="warning", access_log=False, limit_concurrency=CONNECTIONS, server_header=False,
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
