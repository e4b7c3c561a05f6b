"""Make the embedded picture set: one sheet of drawings per artist, one table, licences and digests.

    python data/build.py            # downloads the pinned npm packages once, then writes into data/
    python data/build.py --check    # rebuilds into a temporary folder and compares

Only this script needs Node. Two runs give the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import resvg_py
from drawings import GROUPS, PACKAGES, candidates, download, join
from licences import licence_files
from PIL import Image

DATA = Path(__file__).resolve().parent
SIZE = 64  # side of a drawing, in pixels
COLUMNS = 25  # cells in a row of a sheet
MIN_ARTISTS = 5
SEED = 2026
SPLITS = {"train": 364, "validation": 50, "test": 200}  # things wanted, as parts of what there is
OUT_OF_DISTRIBUTION = {"donkey"}  # a query from outside every split


def render(icon: dict, name: str) -> np.ndarray:
    """The drawing as uint8 RGBA, straight alpha; colour is 0 where nothing is drawn."""
    box = "{left} {top} {width} {height}".format(**icon)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{SIZE}" height="{SIZE}" viewBox="{box}">{icon["body"]}</svg>'
    )
    png = bytes(
        resvg_py.svg_to_bytes(svg_string=svg, width=SIZE, height=SIZE, skip_system_fonts=True)
    )
    pixels = np.array(Image.open(io.BytesIO(png)).convert("RGBA"))
    pixels[pixels[..., 3] == 0] = 0  # compresses better, and one drawing has one digest
    if pixels.shape != (SIZE, SIZE, 4) or (pixels[..., 3] > 127).mean() < 0.03:
        raise SystemExit(
            f"{name} came out empty or of the wrong size: look at it, and correct the join."
        )
    return pixels


def read_families(things: list[str]) -> dict[str, str]:
    """thing -> family, from families.txt; a thing that is not listed is its own family."""
    family = {}
    for line in (DATA / "families.txt").read_text("utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, members = line.split(":")
        for member in members.split():
            if member not in things or member in family:
                raise SystemExit(
                    f"families.txt: {member} (in {name}) is no thing of the set, or twice there."
                )
            family[member] = name
    alone = [thing for thing in things if thing not in family]
    if clash := set(alone) & set(family.values()):
        raise SystemExit(f"families.txt: {sorted(clash)} name a family and a thing outside it.")
    return family | {thing: thing for thing in alone}


def draw_splits(things: list[dict], family: dict[str, str]) -> dict[str, str]:
    """family -> split: random, with a fixed seed, about the same parts of each category."""
    rng = np.random.default_rng(SEED)
    members: dict[str, list[dict]] = {}
    for thing in things:
        members.setdefault(family[thing["thing"]], []).append(thing)
    split, names = {}, list(SPLITS)
    for category in GROUPS:
        total = sum(thing["category"] == category for thing in things)
        room = {name: SPLITS[name] * total / len(things) for name in ("validation", "test")}
        room = {"train": total - sum(room.values())} | room
        here = sorted(name for name in members if members[name][0]["category"] == category)
        for name in rng.permutation(here).tolist():
            size = len(members[name])
            weight = np.array(
                [room[option] if room[option] >= size - 0.5 else 0.0 for option in names]
            ).clip(0)
            if weight.sum():
                chosen = str(rng.choice(names, p=weight / weight.sum()))
            else:  # fits nowhere: where the most room is left
                chosen = max(names, key=lambda option: room[option])
            split[name], room[chosen] = chosen, room[chosen] - size
    return split


def make_table() -> tuple[list[dict], dict[str, dict]]:
    """The rows of emoji.csv, and the icon of each row's id."""
    found = candidates()
    drawn = join(found)
    kept = [
        t
        for t in found
        if len(drawn[t["thing"]]) >= MIN_ARTISTS and t["thing"] not in OUT_OF_DISTRIBUTION
    ]
    kept.sort(key=lambda thing: thing["thing"])
    family = read_families([thing["thing"] for thing in kept])
    split = draw_splits(kept, family)
    for name in OUT_OF_DISTRIBUTION:
        kept.append(next(thing for thing in found if thing["thing"] == name))
        family[name], split[name] = name, "ood"
    rows, icons, cells = [], {}, dict.fromkeys(PACKAGES, 0)
    for thing in sorted(kept, key=lambda thing: thing["thing"]):
        for artist in sorted(drawn[thing["thing"]]):
            row, column = divmod(cells[artist], COLUMNS)
            cells[artist] += 1
            own = family[thing["thing"]]
            rows.append(
                {
                    "id": f"{artist}/{thing['thing']}",
                    **thing,
                    "family": own,
                    "split": split[own],
                    "artist": artist,
                    "row": row,
                    "column": column,
                }
            )
            icons[rows[-1]["id"]] = drawn[thing["thing"]][artist]
    return rows, icons


def write(path: Path, content: bytes) -> None:
    """Write beside, then rename: a stopped run leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)


def write_pictures(out: Path, rows: list[dict], icons: dict[str, dict]) -> None:
    """The six sheets, the table, and the digests of both."""
    digests = []
    for artist in sorted(PACKAGES):
        own = [row for row in rows if row["artist"] == artist]
        sheet = np.zeros(((own[-1]["row"] + 1) * SIZE, COLUMNS * SIZE, 4), np.uint8)
        for row in own:
            y, x = row["row"] * SIZE, row["column"] * SIZE
            sheet[y : y + SIZE, x : x + SIZE] = render(icons[row["id"]], row["id"])
        webp = io.BytesIO()
        Image.fromarray(sheet).save(webp, "WEBP", lossless=True, exact=True, quality=100, method=6)
        write(out / "emoji" / f"{artist}.webp", webp.getvalue())
        # of the pixels, not the file: another libwebp may pack the same picture differently
        digests.append((hashlib.sha256(sheet.tobytes()).hexdigest(), f"emoji/{artist}.webp"))
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write(out / "emoji.csv", table.getvalue().encode())
    digests.append((hashlib.sha256(table.getvalue().encode()).hexdigest(), "emoji.csv"))
    write(out / "emoji.sha256", "".join(f"{digest}  {name}\n" for digest, name in digests).encode())


def build(out: Path) -> None:
    download()
    rows, icons = make_table()
    write_pictures(out, rows, icons)
    for name, text in licence_files().items():
        write(out / name, text.encode())
    print(f"{len({row['thing'] for row in rows})} things, {len(rows)} pictures written to {out}")


def check() -> int:
    """Rebuild elsewhere and name what differs; of sheets, the digests of the pixels count."""
    if not (DATA / "emoji.sha256").is_file():
        raise SystemExit("data/emoji.sha256 is not there: run `python data/build.py` first.")
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        names = sorted(
            str(path.relative_to(folder))
            for path in Path(folder).rglob("*")
            if path.is_file() and path.suffix != ".webp"
        )
        differ = [
            name
            for name in names
            if not (DATA / name).is_file()
            or (DATA / name).read_bytes() != Path(folder, name).read_bytes()
        ]
    differ += damaged()
    print("\n".join(f"differs: {name}" for name in differ) or "data/ is what build.py makes")
    return 1 if differ else 0


def damaged() -> list[str]:
    """The files of data/ that are not what emoji.sha256 says."""
    found = []
    for line in (DATA / "emoji.sha256").read_text("utf-8").splitlines():
        digest, name = line.split("  ")
        if not (DATA / name).is_file():
            content = b""
        elif name.endswith(".webp"):
            content = np.array(Image.open(DATA / name).convert("RGBA")).tobytes()
        else:
            content = (DATA / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            found.append(name)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="rebuild into a temporary folder and compare"
    )
    if parser.parse_args().check:
        sys.exit(check())
    build(DATA)
