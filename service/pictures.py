"""From what somebody sends to the form in which pictures are kept, compared and given out."""

import hashlib
import io
import re
import unicodedata

from PIL import Image

from utils.folder import UnreadablePicture, open_picture, to_rgb

SIDE = 320  # pixels of the longer side of a picture that is kept
# What browsers show and cameras write. Other decoders, of which Pillow has many, stay shut.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
MEDIA_TYPE = "image/webp"
ID = r"[a-z0-9]+(?:-[a-z0-9]+)*"


class TooLarge(UnreadablePicture):
    """More pixels than the service takes."""


def receive(data: bytes, max_pixels: int) -> Image.Image:
    """What a stranger sent, as `keep` makes it.

    Raises TooLarge, or UnreadablePicture for what is damaged, or no JPEG, PNG, WebP, GIF or BMP.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            pixels = picture.width * picture.height
    except Image.DecompressionBombError:
        pixels = max_pixels + 1
    except Exception as error:  # decoders of damaged files raise almost any type
        raise UnreadablePicture(
            "This is not a whole picture; send a JPEG, PNG, WebP, GIF or BMP file."
        ) from error
    if pixels > max_pixels:
        raise TooLarge(
            f"This picture has more than {max_pixels / 1e6:.0f} million pixels; send a smaller one."
        )
    try:
        return keep(data, FORMATS)
    except UnreadablePicture as error:
        raise UnreadablePicture(f"This picture cannot be read: {error}.") from error


def keep(source: bytes | str, formats: tuple[str, ...] | None = None) -> Image.Image:
    """A picture upright, RGB, its longer side at most SIDE pixels, and nothing but its pixels.

    Where it was taken, what else was in its file: all that is gone. A kept picture kept again is
    the same, so it is at distance 0 from what it was made of.

    source : the bytes of a file, or its path. formats : the decoders to try, by default all.
    Raises UnreadablePicture.
    """
    with open_picture(source, 2 * SIDE, formats) as picture:
        return shrink(to_rgb(picture))


def shrink(picture: Image.Image) -> Image.Image:
    """An RGB picture with a longer side of at most SIDE pixels."""
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    return picture


def encode(picture: Image.Image) -> bytes:
    """The file in which a kept picture is stored: WebP, without loss."""
    buffer = io.BytesIO()
    picture.save(buffer, "webp", lossless=True, method=0, quality=0)
    return buffer.getvalue()


def name(picture: Image.Image, title: str = "") -> str:
    """The id of a kept picture: words of its title, then 16 hex digits of its pixels."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = "-".join(re.findall(r"[a-z0-9]+", plain))[:60].strip("-")
    pixels = f"{picture.size}".encode() + picture.tobytes()
    digits = hashlib.blake2b(pixels, digest_size=8).hexdigest()
    return f"{words}-{digits}" if words else digits
