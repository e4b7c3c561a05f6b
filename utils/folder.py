"""Reading anyone's pictures: any folder, any mode Pillow opens, nothing stopped by one bad file."""

import io
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from utils.progress import progress

with suppress(ImportError):  # most phones' pictures are HEIC, which Pillow alone does not read
    from pillow_heif import register_heif_opener

    register_heif_opener()

HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")  # kinds of its file
MAX_PIXELS = Image.MAX_IMAGE_PIXELS or 89_478_485  # Pillow's own line for decompression bombs
LARGE = 12_000_000  # pixels; such a picture takes hundreds of MB until it is made small
_one_large = threading.Lock()  # so they come one at a time, however many threads read
# PILLOW_BLOCK_SIZE: of blocks under 32 MiB, glibc keeps for each thread what it gives back.
Image.core.set_block_size(1 << 26)  # type: ignore[attr-defined]


class UnreadablePicture(ValueError):
    """A file that cannot be turned into a picture; the message says why in a few words."""


@contextmanager
def open_picture(
    source: Path | str | bytes, least: int | None = None, formats: tuple[str, ...] | None = None
) -> Iterator[Image.Image]:
    """Open one picture, upright, decoded, in whatever mode its file has.

    Make it small within the `with`: other threads' pictures of over LARGE pixels wait until its
    end.

    Parameters
    ----------
    source : a path, or the bytes of a file (an upload). least : a JPEG may be decoded smaller, by
        1/2, 1/4 or 1/8, as long as its sides keep this many pixels; by default it is not.
    formats : of Pillow's, such as "PNG"; no other decoder is tried. By default all are.

    Raises
    ------
    UnreadablePicture : empty, truncated, corrupt, not a picture, over MAX_PIXELS pixels, a file
        or folder that may not be read, or HEIC where pillow-heif is not installed.
    """
    with ExitStack() as turn:
        yield _decoded(source, least, formats, turn)


def _decoded(
    source: Path | str | bytes,
    least: int | None,
    formats: tuple[str, ...] | None,
    turn: ExitStack,
) -> Image.Image:
    """What `open_picture` gives; a large picture has taken its turn."""
    file = io.BytesIO(source) if isinstance(source, bytes) else Path(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's; what matters is refused below
            with Image.open(file, formats=formats) as picture:
                pixels = picture.width * picture.height
                if pixels > MAX_PIXELS:
                    raise UnreadablePicture(
                        f"{picture.width}×{picture.height} pixels is over the limit of "
                        f"{MAX_PIXELS / 1e6:.0f} million"
                    )
                if least:  # less work, less memory
                    picture.draft(picture.mode, (least, least))
                    if "progressive" not in picture.info:  # such a JPEG is held whole even so
                        pixels = picture.width * picture.height
                if pixels > LARGE:
                    turn.enter_context(_one_large)
                picture.load()
                try:
                    return ImageOps.exif_transpose(picture)
                except Exception:  # its note of which side is up is damaged, the picture is not
                    return picture.copy()
    except UnreadablePicture:
        raise
    except UnidentifiedImageError as error:
        raise UnreadablePicture(_told_of_unknown(source)) from error
    except (PermissionError, IsADirectoryError) as error:  # a folder: see files_below
        raise UnreadablePicture("may not be read") from error
    except Image.DecompressionBombError as error:
        raise UnreadablePicture(
            f"over the limit of {MAX_PIXELS / 1e6:.0f} million pixels"
        ) from error
    except Exception as error:  # decoders of damaged files raise almost any type
        raise UnreadablePicture(f"damaged ({str(error) or type(error).__name__})") from error


def _told_of_unknown(source: Path | str | bytes) -> str:
    """What a file is that Pillow does not know."""
    if isinstance(source, bytes):
        head = source[:12]
    else:
        with open(source, "rb") as file:
            head = file.read(12)
    if head[4:8] == b"ftyp" and head[8:] in HEIC and "HEIF" not in Image.OPEN:
        return "HEIC: pip install pillow-heif, or export it as JPEG"
    return "not a picture" if head else "an empty file"


def read_picture(source: Path | str | bytes, size: int) -> np.ndarray:
    """Read one picture as uint8 size×size×3: upright, on white, the middle square.

    Raises UnreadablePicture as `open_picture` does.
    """
    with open_picture(source, 2 * size) as picture:
        return np.array(ImageOps.fit(to_rgb(picture), (size, size)))


def to_rgb(picture: Image.Image) -> Image.Image:
    """Any mode to RGB: 16-bit and float are scaled to 8 bits, transparency goes on white.

    Raises UnreadablePicture for what Pillow cannot turn into RGB.
    """
    try:
        picture = _eight_bits(picture)
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture)
        return picture.convert("RGB")
    except Exception as error:  # a mode without a way to RGB, such as "La"; too little memory
        why = str(error) or type(error).__name__
        raise UnreadablePicture(f"its mode {picture.mode} cannot become RGB: {why}") from error


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Whole numbers and floats as greys of 0 to 255; every other mode as it is.

    Many cameras and microscopes keep 8 or 12 bits in files of 16, which do not say so. The white
    of whole numbers is therefore the least of 255, 4,095 and 65,535 that the brightest fits in.
    """
    if picture.mode.startswith("I"):  # I;16 and its kin; convert() would clip them at 255
        values = np.asarray(picture, dtype=np.float64)
        white = next((most for most in (255, 4095) if values.max() <= most), 65_535)
        values = values.clip(0, white) * (255 / white)
    elif picture.mode == "F":  # no range is agreed on: stretch what is there
        values = np.asarray(picture, dtype=np.float64)
        values = np.where(np.isfinite(values), values, 0)
        low, high = values.min(), values.max()
        values = (values - low) * (255 / (high - low) if high > low else 0)
    else:
        return picture
    return Image.fromarray(values.round().astype(np.uint8))


def files_below(folder: Path) -> list[Path]:
    """Every file below `folder` that is not hidden, in the order of their paths.

    Links are followed, but each folder is looked into once, however many lead to it or around in a
    circle: at its own place where that is below `folder`, else at the first link. A folder that may
    not be entered is given like a file: whoever reads it is told that it may not be read.
    """
    found: list[Path] = []
    links: list[Path] = []
    folders, seen = [folder], set()
    while folders or links:
        place = (folders or links).pop(0)  # links last, so that a folder's own place comes first
        real = os.path.realpath(place)
        if real in seen:
            continue
        seen.add(real)
        try:
            names = sorted(os.listdir(os.path.join(place, ".")))  # ".": to be entered, not listed
        except PermissionError:
            found.append(place)
            continue
        paths = [place / name for name in names if not name.startswith(".")]
        found += [path for path in paths if os.path.isfile(path)]
        for path in paths:
            if os.path.isdir(path):  # unlike Path's it stands links to what may not be seen
                (links if path.is_symlink() else folders).append(path)
    return sorted(found)


def read_folder(folder: Path, size: int) -> tuple[np.ndarray, list[str], list[str]]:
    """Read every picture below `folder`, each made small as soon as it is decoded.

    Returns
    -------
    images : uint8, N×size×size×3, in the order of their paths.
    ids : N paths relative to `folder`, with forward slashes.
    skipped : "path (reason)" of every file that is not among them; hidden files are not counted.
    """
    paths = files_below(folder)
    images, reasons = read_files(paths, size)
    names = [path.relative_to(folder).as_posix() for path in paths]
    skipped = [f"{name} ({reason})" for name, reason in zip(names, reasons, strict=True) if reason]
    ids = [name for name, reason in zip(names, reasons, strict=True) if not reason]
    return images, ids, skipped


def told_of_skipped(skipped: Sequence[str]) -> str:
    """The sentence of a warning: how many files were skipped, and twenty of them."""
    listed = "; ".join(skipped[:20]) + f"; and {len(skipped) - 20} more" * (len(skipped) > 20)
    return f"Skipped {counted(len(skipped))} that could not be read as pictures: {listed}"


def counted(files: int) -> str:
    """ "1 file", "25 files"."""
    return f"{files:,} file{'s' * (files != 1)}"


def read_files(paths: Sequence[Path], size: int) -> tuple[np.ndarray, list[str]]:
    """Read the pictures among some files, each made small as soon as it is decoded.

    Returns
    -------
    images : uint8, N×size×size×3, of those that could be read, in their order.
    reasons : for every file why it could not be read, "" where it could.
    """
    images = np.empty((len(paths), size, size, 3), np.uint8)

    def read_into(i: int) -> str:
        try:
            images[i] = read_picture(paths[i], size)
        except UnreadablePicture as error:
            return str(error)
        return ""

    with warnings.catch_warnings(), ThreadPoolExecutor(8) as pool:
        warnings.simplefilter("ignore")  # here for all threads: they share one filter
        jobs = pool.map(read_into, range(len(paths)))
        reasons = list(progress(jobs, "reading pictures", len(paths), unit="picture"))
    return (images[[not reason for reason in reasons]] if any(reasons) else images), reasons
