"""Turn the decks, slides/NN_name.md, into pages that work with the network down.

    python -m tools.slides            write slides/build/: a page a deck, and index.html
    python -m tools.slides --serve    the same, and show them on this machine until Ctrl+C
    python -m tools.slides --pdf      print every deck into slides/pdf/ (needs Chromium)

A deck is Markdown for reveal.js: `---` between slides, `Note:` before what the speaker says, which
begins with the time it takes (`Note: 2 min. …`). Numbers are marks, as in lessons. A picture
written `![](figures/name.png)` gets the alt text that tools/figures stored inside the file.
"""

import argparse
import contextlib
import functools
import html
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from PIL import Image

from tools.build import BuildError, fill
from utils import ROOT

SLIDES = ROOT / "slides"
BUILD, PDF = SLIDES / "build", SLIDES / "pdf"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = ("--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run")  # fmt: skip
BUILDING = threading.Lock()  # the presenter view asks for three pages at once
MINUTES = re.compile(r"^Note:\s*(\d+(?:\.\d+)?) min\b", re.MULTILINE)
PICTURE = re.compile(r"!\[([^\]]*)\]\((figures/[^)\s]+)\)")
CODE_OR_TEX = re.compile(
    r"""(?P<code> ^(?P<fence>`{3,}|~{3,}).*?^(?P=fence) | (?P<tick>`+)(?!`).+?(?<!`)(?P=tick)(?!`))
    | \\\$                                                  # a dollar that says it is one
    | \$\$ (?P<display>.+?) \$\$
    | \$ (?P<inline>(?![\s$]) (?:\\.|[^$\\])+? (?<!\s)) \$ (?!\d)  # pandoc's rule: $5 is a price
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)


def literally(text: str) -> str:
    """Text on one line that Markdown passes on as it is: a backslash before each sign."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(text.split()))


def protect_tex(markdown: str) -> str:
    r"""Rewrite `$…$` as `\(…\)` and `$$…$$` as `\[…\]`, escaped so that Markdown passes it on.

    Markdown would eat `\|`, `\\` and `_`; afterwards no dollar means TeX, so prices are safe. Code
    is left alone.
    """

    def escape(match: re.Match) -> str:
        tex = match["display"] or match["inline"]
        if not tex:
            return match[0]
        tex = literally(tex)
        return rf"\\[{tex}\\]" if match["display"] else rf"\\({tex}\\)"

    return CODE_OR_TEX.sub(escape, markdown)


def fill_pictures(markdown: str, where: str, base: str) -> str:
    """Pictures found from the page, with their stored alt text where the deck gives none."""

    def picture(match: re.Match) -> str:
        path = SLIDES / match[2]
        if not path.exists():
            raise BuildError(f"{where} shows {match[2]}, which is missing: python -m tools.figures")
        with Image.open(path) as image:
            alt = match[1] or getattr(image, "text", {}).get("Description", "")
        if not alt:
            raise BuildError(f"{where} shows {match[2]} without an alt text; write one in the [].")
        return f"![{literally(alt)}]({base}/{match[2]})"

    return PICTURE.sub(picture, markdown)


def page(markdown: str, where: str, base: str = "..") -> str:
    """The HTML of a deck; `base` is where slides/ lies, seen from the page."""
    markdown = fill_pictures(fill(markdown, where), where, base)
    markdown = protect_tex(markdown).replace("</script>", "__SCRIPT_END__")
    parts = {"title": html.escape(title(markdown)), "base": base, "markdown": markdown}
    template = (SLIDES / "deck.html").read_text("utf-8")
    return re.sub(r"\{\{(title|base|markdown)\}\}", lambda m: parts[m[1]], template)


def title(markdown: str) -> str:
    """The first heading of a deck."""
    found = re.search(r"^#+ (.+)$", markdown, re.MULTILINE)
    return found[1] if found else "A deck"


def minutes(markdown: str) -> float:
    """How long the speaker notes say that a deck takes."""
    return sum(float(m[1]) for m in MINUTES.finditer(markdown))


def decks() -> list[Path]:
    return sorted(SLIDES.glob("[0-9][0-9]_*.md"))


def index() -> str:
    """The page that lists the decks."""
    rows = []
    for deck in decks():
        text = deck.read_text("utf-8")
        slides = len(re.split(r"^---$", text, flags=re.MULTILINE))
        rows.append(
            f'<li><a href="{deck.stem}.html">{deck.stem[:2]} · {html.escape(title(text))}</a><br>'
            f"<small>{slides} slides, about {minutes(text):.0f} minutes</small></li>"
        )
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Lookalike: the decks</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="../style.css">
<body class="index"><h1>Lookalike: the decks</h1>
<ul>{"".join(rows)}</ul>
<p><kbd>→</kbd> next slide · <kbd>S</kbd> speaker notes in a window of their own · <kbd>F</kbd>
full screen · <kbd>O</kbd> all slides · <kbd>B</kbd> black · <kbd>?</kbd> the other keys</p></body>
</html>
"""


def build() -> None:
    """Write every page that changed, and remove what is no deck any more."""
    if not (SLIDES / "node_modules" / "reveal.js").exists():
        raise BuildError("reveal.js is not there yet; type: make slides")
    made = {f"{deck.stem}.html": page(deck.read_text("utf-8"), deck.name) for deck in decks()}
    made["index.html"] = index()
    BUILD.mkdir(exist_ok=True)
    for old in BUILD.glob("*.html"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        path = BUILD / name
        if not path.exists() or path.read_text("utf-8") != text:  # a reader may be in the middle
            path.write_text(text, "utf-8")


class Handler(SimpleHTTPRequestHandler):
    """Serves slides/, building anew whenever a page is asked for: edit a deck, reload, see it."""

    def do_GET(self) -> None:
        if self.path == "/":
            self.send_response(302)
            self.send_header("Location", "/build/index.html")
            self.end_headers()
            return
        if self.path.partition("?")[0].endswith(".html"):
            try:
                with BUILDING:
                    build()
            except BuildError as error:
                self.send_error(500, "This deck cannot be built", str(error))
                return
        super().do_GET()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing: a line a request hides the address."""


def server(port: int = 0) -> ThreadingHTTPServer:
    """A server of slides/ that only this machine reaches; port 0 is any free one."""
    handler = functools.partial(Handler, directory=str(SLIDES))
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError:
        return ThreadingHTTPServer(("127.0.0.1", 0), handler)


def chromium() -> str:
    """Where Chromium is: $CHROMIUM, else on the PATH. Raises BuildError where it is not."""
    wanted = os.environ.get("CHROMIUM")
    for name in [wanted] if wanted else CHROMIUMS:
        if found := shutil.which(name):
            return found
    raise BuildError(
        f"Chromium is missing{f' at CHROMIUM={wanted}' * bool(wanted)}: install it (on Debian: apt "
        "install chromium), or set CHROMIUM to the path of a Chromium or Chrome."
    )


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium for PDFs and tests."""
    from playwright.sync_api import sync_playwright

    path = chromium()
    sandbox = [] if hasattr(os, "getuid") and os.getuid() else ["--no-sandbox"]  # root has none
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=[*QUIET, *sandbox])
        try:
            yield launched
        finally:
            launched.close()


def opened(browser: Any, url: str, **options: Any) -> Any:
    """A browser page that shows the deck at `url`, ready to be looked at."""
    shown = browser.new_page(**options)
    shown.goto(url)
    wait_ready(shown)
    return shown


def wait_ready(shown: Any) -> None:
    """Wait until a page's slides, TeX, fonts and pictures are there."""
    shown.wait_for_selector("html[data-ready=yes]", state="attached")
    shown.evaluate(
        """async () => {
            await document.fonts.ready;
            await Promise.allSettled([...document.images].map(image => image.decode()));
        }"""
    )


def print_pdf(browser: Any, page_uri: str, path: Path) -> None:
    """One page a slide."""
    shown = browser.new_page()
    # laid out for print only after the deck is ready; a busy machine would print before that
    shown.add_init_script("addEventListener('pdf-ready', () => { window.laidOut = true })")
    shown.goto(page_uri + "?print-pdf")
    wait_ready(shown)
    shown.wait_for_function("window.laidOut")
    shown.pdf(path=path, prefer_css_page_size=True, print_background=True)
    shown.close()


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", action="store_true", help="show the decks on this machine")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--pdf", action="store_true", help="print every deck into slides/pdf/")
    options = parser.parse_args(words)
    try:
        build()
        if options.pdf:
            PDF.mkdir(exist_ok=True)
            with browser() as launched:
                for deck in decks():
                    path = PDF / f"{deck.stem}.pdf"
                    print_pdf(launched, (BUILD / f"{deck.stem}.html").as_uri(), path)
                    print(f"wrote {path.relative_to(ROOT)}")
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    if options.serve:
        served = server(options.port)
        print(f"The decks: http://127.0.0.1:{served.server_port}/   (Ctrl+C ends it)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            served.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
