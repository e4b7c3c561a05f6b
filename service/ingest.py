"""Fill a gallery: pictures to the store, their vectors to the index, the network beside them.

    python -m service.ingest                      the course's drawings
    python -m service.ingest path/to/folder       your own pictures
    python -m service.ingest --bucket NAME        the pictures to S3, as LOOKALIKE_BUCKET has it

Run again, it looks only at files that are new or changed, and forgets those that are gone. Another
bucket, or another collection of Qdrant, begins with all of them. After new weights it embeds anew
all that the gallery holds.
addresses.txt in the gallery's folder lists where each picture is found, in the order of the index
(not with Qdrant, which knows no order).
"""

import argparse
import hashlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from service.encoder import export
from service.gallery import Gallery, collection_of, open_gallery
from service.index import SqliteIndex
from service.pictures import encode, keep, name, shrink
from service.settings import Settings
from utils import ROOT, replacing
from utils.embedder import MODELS, ModelUnavailable
from utils.folder import UnreadablePicture, files_below, told_of_skipped
from utils.models import SHIPPED

GALLERIES = ROOT / "data" / "galleries"  # not in the cache: some of it may be nowhere else
AT_ONCE = 256  # pictures between two notes of how far we are


class Source(NamedTuple):
    """A picture to come: its title, what changes when it changes, and how to read it."""

    title: str
    stamp: str
    read: Callable[[], Image.Image]


def drawings() -> dict[str, Source]:
    """The course's drawings on white, by id."""
    from utils.images import load_images

    pictures = load_images("emoji")
    artists = pictures.relabel("artist")
    return {
        id: Source(
            f"{pictures.label_of(i)} {artists.label_of(i)}",
            "",
            partial(lambda i: shrink(Image.fromarray(pictures.images[i])), i),
        )
        for i, id in enumerate(pictures.ids)
    }


def files(folder: Path) -> dict[str, Source]:
    """The files below a folder, by path. Raises FileNotFoundError where there are none."""
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {str(folder)!r}; give one with pictures.")
    found = {}
    for path in files_below(folder):
        about = path.stat()
        stamp = f"{about.st_size} {about.st_mtime_ns}"
        relative = path.relative_to(folder)
        title = " ".join(relative.with_suffix("").parts)
        found[relative.as_posix()] = Source(title, stamp, partial(keep, str(path)))
    if not found:  # a disk that is not mounted looks like this, and must not empty a gallery
        raise FileNotFoundError(
            f"There is no file in {str(folder)!r} or its sub-folders, so nothing was changed; give "
            "a folder with pictures, or look whether its disk is there."
        )
    return found


def prepare(images: str | None, model: str | None, folder: Path | None = None) -> Path:
    """The folder of the gallery of a folder of pictures, or of the drawings, with its network.

    model : for `load_model`; by default that of the gallery, and of a new one "cnn-photos" for a
        folder, "cnn" for the drawings.

    Raises ValueError for a gallery that was made with another model, or of another folder, than is
    asked for; ModelUnavailable for weights that are not here.
    """
    asked, model = model, model or ("cnn-photos" if images else "cnn")
    if folder is None:
        place = hashlib.blake2b(str(Path(images or "").resolve()).encode(), digest_size=4)
        kind = f"{Path(images).resolve().name}-{place.hexdigest()}" if images else "drawings"
        folder = GALLERIES / f"{kind}-{model}"
    note = folder / "model.txt"
    kept, _, written = note.read_text("utf-8").partition(" ") if note.exists() else ("", "", "")
    if asked and kept and asked != kept:
        raise ValueError(f"{folder} was made with {kept}, not {asked}; name another gallery.")
    _check_source(folder / "images.txt", images)
    model = kept or model
    weights = weights_of(model)
    if not (folder / "model.onnx").exists() or weights != written:
        print(f"Writing {model} as ONNX, once …", flush=True)
        export(model, folder / "model.onnx")
        with replacing(note) as half:  # last: else after a kill the old network would be kept
            half.write_text(f"{model} {weights}".strip(), "utf-8")
    return folder


def _check_source(note: Path, images: str | None) -> None:
    """Note which pictures the gallery is of: those of another folder would take their place.

    Raises ValueError where it is of others.
    """
    source = str(Path(images).resolve()) if images else "the course's drawings"
    coding = ("utf-8", "surrogateescape")  # a path may be any bytes
    if not note.exists():
        note.parent.mkdir(parents=True, exist_ok=True)
        with replacing(note) as half:
            half.write_text(source, *coding)
    elif source != (kept := note.read_text(*coding)):
        raise ValueError(
            f"{note.parent} was made of {kept}, not of {source}; name another gallery, or delete "
            f"{note} if they are the same pictures in another place."
        )


def weights_of(model: str) -> str:
    """Names the weights that ship under a model's name, by their files: to load them takes seconds.

    "" where a library brings them: those stay what they are.
    """
    path = MODELS / SHIPPED.get(model, model)
    files = [path.with_suffix(".safetensors"), *sorted(path.glob("*"))]
    read = [file.read_bytes() for file in files if file.is_file()]
    return hashlib.blake2b(b"".join(read), digest_size=8).hexdigest() if read else ""


def notes_of(folder: Path, settings: Settings) -> Path:
    """Where it is noted what has come from which file: for each place that can hold it, apart."""
    if not (settings.qdrant_url or settings.bucket):
        return folder / "sources.json"
    collection = collection_of(folder, settings) if settings.qdrant_url else ""
    place = f"{settings.qdrant_url} {collection} {settings.bucket}"
    digest = hashlib.blake2b(place.encode(), digest_size=4).hexdigest()
    return folder / f"sources-{digest}.json"


def fill(gallery: Gallery, notes: Path, sources: dict[str, Source]) -> list[str]:
    """Bring the gallery in line with its sources; what could not be read, and why.

    What was added or removed through the service stays so. notes : from `notes_of`.
    """
    known: dict[str, list[str]] = json.loads(notes.read_text("utf-8")) if notes.exists() else {}
    gone = [known.pop(key)[1] for key in [*known] if key not in sources]
    _forget(gallery, gone, known)
    _note(notes, known)  # or one that comes back would pass for known
    new = [k for k, source in sources.items() if known.get(k, [None])[0] != source.stamp]
    skipped = []
    told = tqdm(total=len(new), desc="embedding", delay=1, unit="picture", leave=False)
    with told, warnings.catch_warnings(), ThreadPoolExecutor() as pool:
        warnings.simplefilter("ignore")  # here for all threads: they share one filter
        for start in range(0, len(new), AT_ONCE):
            keys = new[start : start + AT_ONCE]
            made = list(pool.map(partial(_make, gallery, told), [sources[key] for key in keys]))
            skipped += [f"{k} ({m})" for k, m in zip(keys, made, strict=True) if isinstance(m, str)]
            fit = {k: m for k, m in zip(keys, made, strict=True) if not isinstance(m, str)}
            before = [known[key][1] for key in fit if key in known]  # they have changed
            known |= {key: [sources[key].stamp, id] for key, (id, _) in fit.items()}
            _add_new(gallery, fit.values())
            _forget(gallery, before, known)
            _note(notes, known)
    return skipped


def embed_anew(gallery: Gallery, index: SqliteIndex) -> None:
    """Bring an index of another network in line with the gallery's, from the pictures in its store.

    So what was added through the service stays. Raises FileNotFoundError where one is not there.
    """
    print(f"The network has changed: embedding {len(index):,} pictures anew …", flush=True)

    def embedded(id: str) -> np.ndarray:
        return gallery.encoder(keep(gallery.store.get(id)))

    told = partial(tqdm, total=len(index), desc="embedding", delay=1, unit="picture", leave=False)
    vectors = [np.empty((0, gallery.encoder.dim), np.float32)]
    with ThreadPoolExecutor() as pool:
        try:
            vectors += told(pool.map(embedded, index.ids))
        except KeyError as error:
            raise FileNotFoundError(
                f"The network has changed, and the picture {error} is not there to be embedded "
                "anew; set LOOKALIKE_BUCKET to where it is, or name another gallery."
            ) from error
    index.renew(np.concatenate(vectors), gallery.encoder.digest)


def _make(gallery: Gallery, told: tqdm, source: Source) -> tuple[str, np.ndarray] | str:
    """A picture's id and vector, its file being in the store; or why not."""
    try:
        picture = source.read()
    except UnreadablePicture as error:
        return str(error)
    finally:
        told.update()
    id = name(picture, source.title)
    gallery.store.put(id, encode(picture))
    return id, gallery.encoder(picture)


def _add_new(gallery: Gallery, made: Iterable[tuple[str, np.ndarray]]) -> None:
    fresh = {id: vector for id, vector in made if id not in gallery.index}
    if fresh:
        gallery.index.add(list(fresh), np.concatenate(list(fresh.values())))


def _forget(gallery: Gallery, ids: Iterable[str], known: dict[str, list[str]]) -> None:
    """Remove pictures, but for those that another file, or the same one touched, still is."""
    gone = set(ids) - {id for _, id in known.values()}
    gallery.index.remove([id for id in gone if id in gallery.index])
    for id in gone:
        with suppress(KeyError):  # removed through the service
            gallery.store.delete(id)


def _note(path: Path, known: dict[str, list[str]]) -> None:
    with replacing(path) as half:
        half.write_text(json.dumps(known), "utf-8")


def make_gallery(
    images: str | None = None,
    model: str | None = None,
    folder: Path | None = None,
    settings: Settings | None = None,
) -> Path:
    """The folder of a gallery made or brought up to date, ready for `open_gallery`.

    Raises FileNotFoundError for no such folder of pictures, or none in it; else as `prepare`.
    """
    images = os.path.expanduser(images or "")  # what `make serve IMAGES=~/x` leaves to us
    sources = files(Path(images)) if images else drawings()
    folder = prepare(images, model, folder)
    # whoever can run this may change the gallery
    settings = replace(settings or Settings(), token="ingest")
    gallery = open_gallery(folder, settings, any_network=True)
    if isinstance(gallery.index, SqliteIndex) and gallery.index.model != gallery.encoder.digest:
        embed_anew(gallery, gallery.index)
    notes = notes_of(folder, settings)
    skipped = fill(gallery, notes, sources)
    if skipped:
        warnings.warn(told_of_skipped(skipped), stacklevel=2)
    if not len(gallery) and len(skipped) < len(sources):
        raise FileNotFoundError(
            "The gallery is empty: what was added to it has been removed since; delete "
            f"{str(notes)!r} and all of it is added again."
        )
    if not len(gallery):
        raise FileNotFoundError(f"No picture was found in {images!r} or its sub-folders.")
    if isinstance(gallery.index, SqliteIndex):  # Qdrant knows no order
        urls = [gallery.store.url(id) for id in gallery.index.ids]
        with replacing(folder / "addresses.txt") as half:
            half.write_text("\n".join(urls) + "\n", "utf-8")
    return folder


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="?", help="a folder; by default the course's drawings")
    parser.add_argument("--model", help="a name for load_model")
    parser.add_argument("--gallery", type=Path, help="where to make it")
    parser.add_argument("--bucket", help="an S3 bucket for the pictures, which has to exist")
    options = parser.parse_args(words)
    try:
        settings = Settings.from_environment()
        if options.bucket:
            settings = replace(settings, bucket=options.bucket)
        print(make_gallery(options.images, options.model, options.gallery, settings))
    except (OSError, ValueError, ModelUnavailable) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
