"""Four photographs that ship inside scikit-image, each with the outline of what stands in it.

All four are CC0 or in the public domain: Chelsea the cat (S. van der Walt), the cup (R. Michetti),
Eileen Collins (NASA), the rocket (SpaceX).
"""

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from utils.images import ImageSet

SIDE, FINE = 256, 4  # pixels of a photograph; an outline is drawn so much larger, then averaged

# Drawn by hand around what one would name: x, y in thousandths of the photograph's width. Whiskers
# are left out; to the cup belong saucer and spoon, to the astronaut her helmet.
OUTLINES = {
    "cat": "95 0 85 50 75 110 70 180 72 235 55 260 25 275 0 285 0 665 620 665 600 635 640 610 "
    "680 560 700 520 705 480 730 455 775 400 795 340 803 270 800 215 790 165 820 120 850 50 885 0",
    "cup": "300 120 240 155 190 200 150 260 132 320 130 370 140 430 165 490 205 545 260 590 "
    "330 625 400 645 470 651 550 642 630 615 700 570 750 515 785 450 799 380 795 330 775 275 "
    "745 225 710 190 695 178 697 165 708 128 700 115 680 110 662 118 640 95 610 65 560 42 510 31 "
    "460 31 410 42 360 64 325 92 305 115",
    "astronaut": "300 130 310 100 340 75 370 60 390 40 430 30 470 32 520 50 560 75 580 110 588 160 "
    "575 210 555 245 530 265 520 270 505 310 500 340 540 370 575 410 592 450 596 465 640 490 "
    "670 520 690 580 705 640 712 685 740 675 790 671 840 680 890 710 930 760 955 820 968 885 "
    "985 895 1000 920 1000 1000 75 1000 50 920 45 850 38 780 48 700 65 630 85 570 110 510 150 460 "
    "215 405 220 390 222 365 240 350 250 330 275 305 320 292 355 290 355 262 340 255 330 230 "
    "310 200 302 165",
    "rocket": "502 199 515 215 521 240 522 280 517 290 519 400 519 560 518 635 490 635 489 560 "
    "490 400 490 290 486 270 487 235 493 212",
}
FILES = {"cat": "cat", "cup": "coffee", "astronaut": "astronaut", "rocket": "rocket"}


def load_photos() -> ImageSet:
    """The middle squares of the photographs, 256×256, each a class of its own, with its mask."""
    from skimage import data

    images, masks = [], []
    for name, outline in OUTLINES.items():
        photo = Image.fromarray(getattr(data, FILES[name])())
        scale = FINE * photo.width / 1000
        numbers = [scale * float(number) for number in outline.split()]
        mask = Image.new("L", (FINE * photo.width, FINE * photo.height))
        ImageDraw.Draw(mask).polygon(numbers, fill=255)
        images.append(np.asarray(ImageOps.fit(photo, (SIDE, SIDE), Image.Resampling.BOX)))
        masks.append(np.asarray(ImageOps.fit(mask, (SIDE, SIDE), Image.Resampling.BOX)))
    names = list(OUTLINES)
    return ImageSet(
        np.stack(images),
        np.arange(len(names)),
        names,
        names,
        np.stack(masks),
        name="photos",
        note="Photographs that ship inside scikit-image; the outlines are ours.",
    )
