"""The texts of LICENSES.md and licenses/, from what the npm packages say of themselves."""

from __future__ import annotations

import re

from drawings import CACHE, NAMES_PACKAGE, PACKAGES, read_json

HEAD = """# Licences of the pictures and names

Written by `build.py`. The drawings are other people's work; each sheet stays under its own licence.

| sheet | set | author | licence | npm package | what was changed |
| --- | --- | --- | --- | --- | --- |
"""
TAIL = """

- **Share-alike**: OpenMoji is CC-BY-SA-4.0. A picture that shows OpenMoji drawings (the sheet, a
  figure, a scene composed from one) must say so and carry the same licence; the course's committed
  figures leave OpenMoji out or say "OpenMoji, CC-BY-SA-4.0" beneath.
- **Attribution**: Twemoji and EmojiOne are CC-BY-4.0: name the author and the licence where their
  drawings appear.
- EmojiOne here is release 2.3, CC-BY-4.0 as its package states; the address the package gives
  leads to EmojiTwo, a fork that carries EmojiOne 2 on.
- The packages are Iconify's re-packings of the artists' SVG files. We redrew and recoloured none.
"""


def licence_files() -> dict[str, str]:
    """File name -> text: one table, and one file for each package."""
    files, lines = {}, []
    package, version = NAMES_PACKAGE  # the one package that ships its licence
    mit = (CACHE / "node_modules" / package / "LICENSE").read_text("utf-8")
    files["licenses/emojibase.txt"] = mit
    for artist in PACKAGES:
        line, statement, spdx = artist_licence(artist)
        if spdx == "MIT":  # asks that its text and the author's copyright line travel along
            statement += "\n" + re.sub(r"Copyright .*", "Copyright (c) Microsoft Corporation.", mit)
        elif spdx == "Apache-2.0":
            statement += "The full text of Apache-2.0 is in ../../LICENSE.\n"
        files[f"licenses/{artist}.txt"] = statement
        lines.append(line)
    cells = (
        "emojibase",
        "names, keywords, groups",
        "[Miles Johnson](https://emojibase.dev)",
        "[MIT](licenses/emojibase.txt)",
        f"`{package}` {version}",
        "joined to the drawings; FE0F taken out of code points",
    )
    lines.append("| " + " | ".join(cells) + " |")
    return files | {"LICENSES.md": HEAD + "\n".join(lines) + TAIL}


def artist_licence(artist: str) -> tuple[str, str, str]:
    """The artist's line of the table, its statement, and the licence's short name."""
    package, version = PACKAGES[artist]
    info = read_json(package, "info.json")
    author, licence = info["author"], info["license"]
    title = info["name"] + (f", {info['version']}" if "version" in info else "")
    cells = (
        artist,
        title,
        f"[{author['name']}]({author['url']})",
        f"[{licence['spdx']}]({licence['url']})",
        f"`{package}` {version}",
        "rendered from SVG to 64×64 pixels",
    )
    statement = (
        f"{title}, by {author['name']} ({author['url']})\n"
        f"Licence: {licence['title']} ({licence['spdx']})\n{licence['url']}\n\n"
        f"As stated in {package} {version}, which ships no licence text of its own.\n"
    )
    return "| " + " | ".join(cells) + " |", statement, licence["spdx"]
