"""AWS Lambda: the same service without a server, its gallery inside the container.

LOOKALIKE_GALLERY names the gallery's folder. Lambda takes request bodies of up to 6 MB and hands
them on in base64, so a picture may have 4 MB unless LOOKALIKE_MAX_MEGABYTES says less.
"""

import os
from dataclasses import replace
from pathlib import Path

from mangum import Mangum

from service.api import create_app
from service.gallery import open_gallery
from service.settings import MEGABYTE, Settings

settings = Settings.from_environment()
settings = replace(settings, max_bytes=min(settings.max_bytes, 4 * MEGABYTE))
gallery = open_gallery(Path(os.environ["LOOKALIKE_GALLERY"]), settings)
handler = Mangum(create_app(gallery, settings), lifespan="off")
