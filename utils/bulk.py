"""Embed a folder of any size, shard by shard: a run that was killed goes on where it stopped.

    python -m utils.bulk PHOTOS --out VECTORS [--model cnn-photos] [--size 64] [--ray]

`ExactIndex.load("VECTORS/index.npz")` searches what it made. It is for a folder that stays as it
is: after new files, begin in another folder. resnet50 and vit-base look at 224 pixels: --size 224.

With --ray the same shards are made by as many processes as there are cores (or GPUs), on this
machine, or on the cluster that RAY_ADDRESS names; its machines must see both folders.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from utils import replacing, writing
from utils.embed import embed
from utils.embedder import ModelUnavailable
from utils.folder import counted, files_below, read_files
from utils.index import ExactIndex
from utils.models import load_model
from utils.progress import progress


class ShardWorker:
    """Embeds one shard after another into files; on Ray every process has one."""

    def __init__(self, folder: Path, out: Path, plan: dict[str, Any]) -> None:
        self.folder, self.out, self.size = folder, out, plan["size"]
        self.model = load_model(plan["model"])
        if self.model.digest != plan["digest"]:
            raise ValueError(
                f"The weights of {plan['model']} on this machine are others than those this run "
                "started with; install the same version of the course on every machine."
            )

    def __call__(self, shard: dict[str, Any]) -> dict[str, Any]:
        """Read and embed the files `shard["names"]` into the file of `shard["number"]`."""
        names = [str(name) for name in shard["names"]]
        images, reasons = read_files([self.folder / name for name in names], self.size)
        kept = [name for name, reason in zip(names, reasons, strict=True) if not reason]
        skipped = [f"{n} ({reason})" for n, reason in zip(names, reasons, strict=True) if reason]
        about = np.frombuffer(json.dumps({"ids": kept, "skipped": skipped}).encode(), np.uint8)
        vectors = embed(self.model, images, cache=False)
        with writing(_file(self.out, shard["number"])) as file:
            np.savez(file, about=about, vectors=vectors)
        return {"number": shard["number"]}


def embed_folder(
    folder: str | Path,
    out: str | Path,
    model: str = "cnn-photos",
    *,
    size: int = 64,
    shard: int = 1000,
    on_ray: bool = False,
) -> tuple[ExactIndex, list[str]]:
    """Embed every picture below `folder` into `out`, or go on with a run that was interrupted.

    The embeddings are those of `embed(load_model(model), load_images(folder, size=size))`. In `out`
    lie afterwards plan.json, what this run is of; shard-00000.npz and so on, each whole or not
    there; index.npz for `ExactIndex.load`; and skipped.txt. Only the index at the end holds all
    embeddings in memory.

    Parameters
    ----------
    model : a name for `load_model`. size : side in pixels that pictures are read at.
    shard : how many files go into one shard. on_ray : let Ray share the shards out.

    Returns
    -------
    index : ids are paths relative to `folder`. skipped : "path (reason)" of what is not in it.

    Raises
    ------
    FileNotFoundError : no such folder, or no picture in it. ValueError : `out` lies within
        `folder`, or holds a run of other files, another model, size or shard.
    """
    folder, out = (Path(os.path.expanduser(place)).resolve() for place in (folder, out))
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {str(folder)!r} to take pictures from.")
    if folder == out or folder in out.parents:
        raise ValueError(
            f"The embeddings would land among the pictures in {str(folder)!r}; give a folder "
            "outside it."
        )
    if shard < 1 or size < 1:
        raise ValueError(f"shard and size must be at least 1, but are {shard} and {size}.")
    plan = _plan(folder, model, size, shard)
    _check_plan(out, plan)
    names = [name for name, *_ in plan["files"]]
    parts = [names[start : start + shard] for start in range(0, len(names), shard)]
    todo = [
        {"number": number, "names": part}
        for number, part in enumerate(parts)
        if not _file(out, number).exists()
    ]
    if todo:
        done = (_on_ray if on_ray else _here)((folder, out, plan), todo)
        begun = len(parts) - len(todo)
        for _ in progress(done, "embedding", len(parts), unit="shard", initial=begun):
            pass  # each has written its file
    return _combine(out, plan, len(parts))


def _file(out: Path, number: int) -> Path:
    return out / f"shard-{number:05d}.npz"


def _plan(folder: Path, model: str, size: int, shard: int) -> dict[str, Any]:
    """All that decides what a shard holds; a file is known by its path, length and time."""
    files = []
    for path in files_below(folder):
        about = path.stat()
        files.append([path.relative_to(folder).as_posix(), about.st_size, about.st_mtime_ns])
    if not files:
        raise FileNotFoundError(f"There is no file in {str(folder)!r} or its sub-folders.")
    digest = load_model(model).digest
    return {"model": model, "digest": digest, "size": size, "shard": shard, "files": files}


def _check_plan(out: Path, plan: dict[str, Any]) -> None:
    """Begin a run in `out`, or see that the one begun there is this one."""
    path = out / "plan.json"
    if not path.exists():
        out.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            partial.write_text(json.dumps(plan), "utf-8")
        return
    begun = json.loads(path.read_text("utf-8"))
    other = [
        f"its {key} is {begun[key]}, not {plan[key]}"
        for key in ("model", "digest", "size", "shard")
        if begun[key] != plan[key]
    ]
    before, now = {tuple(file) for file in begun["files"]}, {tuple(file) for file in plan["files"]}
    if before != now:
        changed = {name for name, *_ in before ^ now}
        have = "has" if len(changed) == 1 else "have"
        other.append(f"{counted(len(changed))} {have} changed, such as {min(changed)!r}")
    if other:
        raise ValueError(
            f"{str(out)!r} holds another run: {'; '.join(other)}. Give another folder, or delete "
            "this one to begin anew."
        )


def _here(work: tuple[Path, Path, dict[str, Any]], todo: list[dict[str, Any]]) -> Iterator[int]:
    worker = ShardWorker(*work)
    for shard in todo:
        yield worker(shard)["number"]


def _on_ray(work: tuple[Path, Path, dict[str, Any]], todo: list[dict[str, Any]]) -> Iterator[int]:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ModuleNotFoundError(
            f"Ray is not installed here ({error}); `pip install 'ray[data]'`, or leave --ray out."
        ) from error
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it tells nobody
        ray.init(
            os.environ.get("RAY_ADDRESS", "local"),
            include_dashboard=False,
            logging_level=logging.WARNING,
            log_to_driver=False,
        )
    ray.data.DataContext.get_current().enable_progress_bars = False  # ours tells
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    held = ray.cluster_resources()
    gpus = int(held.get("GPU", 0))
    folder, out, plan = work
    small = {key: value for key, value in plan.items() if key != "files"}
    shards = ray.data.from_items(todo, override_num_blocks=len(todo))
    done = shards.map(
        ShardWorker,  # type: ignore[arg-type]
        fn_constructor_args=(folder, out, small),
        compute=ray.data.ActorPoolStrategy(size=min(len(todo), gpus or int(held["CPU"]))),
        num_cpus=1,
        num_gpus=1 if gpus else 0,
    )
    for row in done.iter_rows():
        yield int(row["number"])


def _combine(out: Path, plan: dict[str, Any], shards: int) -> tuple[ExactIndex, list[str]]:
    index, skipped = ExactIndex(model=plan["digest"]), []
    for number in range(shards):
        path = _file(out, number)
        try:
            with np.load(path) as file:
                about, vectors = json.loads(file["about"].tobytes()), file["vectors"]
        except Exception as error:  # what a damaged file makes of zip, JSON and NumPy is any type
            raise ValueError(
                f"{str(path)!r} is not a whole shard ({error}); delete it and run again."
            ) from error
        if len(vectors):
            index.add(about["ids"], vectors)
        skipped += about["skipped"]
    if not len(index):
        raise FileNotFoundError(
            f"Of {counted(len(skipped))} none is a picture, such as {skipped[0]}; JPEG, PNG, "
            "WebP, GIF, TIFF and whatever else Pillow opens would do."
        )
    for left in out.glob(".*.npz.*"):  # what a killed run was writing
        left.unlink()
    with replacing(out / "skipped.txt") as partial:
        partial.write_text("".join(line + "\n" for line in skipped), "utf-8", "backslashreplace")
    index.save(out / "index.npz")
    return index, skipped


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m utils.bulk", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", metavar="PHOTOS")
    parser.add_argument("--out", metavar="VECTORS", required=True)
    parser.add_argument("--model", default="cnn-photos", help="a name for load_model")
    parser.add_argument("--size", type=int, default=64, help="pixels that pictures are read at")
    parser.add_argument("--shard", type=int, default=1000, help="files in a shard")
    parser.add_argument("--ray", action="store_true", dest="on_ray", help="share shards out by Ray")
    asked = vars(parser.parse_args(argv))
    try:
        index, skipped = embed_folder(**asked)
    except (ImportError, OSError, ValueError, ModelUnavailable) as error:
        sys.exit(str(error))
    told = f"{len(index):,} pictures are in {Path(asked['out']) / 'index.npz'}"
    print(
        told + (f"; skipped.txt lists {len(skipped):,} that could not be read." if skipped else ".")
    )


if __name__ == "__main__":
    main()
