"""Every slide of every deck, looked at in Chromium: nothing cut off, pale, missing or silent."""

import re
import threading
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tools.build import BuildError
from tools.figures.__main__ import DECKS as DRAWERS
from tools.slides import (
    SLIDES,
    browser,
    build,
    chromium,
    decks,
    fill_pictures,
    index,
    minutes,
    opened,
    page,
    print_pdf,
    protect_tex,
    server,
)
from utils import ROOT

LOOK = (Path(__file__).parent / "look_at_slide.js").read_text("utf-8")
DECKS = [deck.stem for deck in decks()]
WIDE = pytest.param((1920, 1080), marks=pytest.mark.wide, id="1920x1080")


@pytest.fixture(scope="module")
def chrome():
    with browser() as launched:
        yield launched


@pytest.fixture(scope="module")
def address():
    """The decks as `make slides` serves them."""
    served = server()
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()
    thread.join()


def listen(shown):
    """What a page will say and ask for, in two lists that fill as it does."""
    said, asked = [], []
    shown.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
    shown.on("pageerror", lambda error: said.append(str(error)))
    shown.on("request", lambda request: asked.append(request.url))
    return said, asked


@pytest.fixture(scope="module", params=[pytest.param((1280, 720), id="1280x720"), WIDE])
def size(request):
    return request.param


@pytest.fixture(scope="module", params=DECKS)
def walked(request, size, chrome, address):
    """One deck after every slide was shown: what was seen on each, said and asked for."""
    shown = chrome.new_page(viewport={"width": size[0], "height": size[1]})
    said, asked = listen(shown)
    shown.goto(f"{address}/build/{request.param}.html")
    shown.wait_for_selector("html[data-ready=yes]", state="attached")
    shown.evaluate("document.fonts.ready")
    slides = []
    for number in range(shown.evaluate("Reveal.getTotalSlides()")):
        shown.evaluate(f"Reveal.slide({number}, 0, Infinity)")
        shown.wait_for_function("[...document.images].every(image => image.complete)")
        slides.append(shown.evaluate(LOOK))
    shown.close()
    return {"slides": slides, "said": said, "asked": asked, "address": address}


def test_every_lesson_has_its_deck():
    assert DECKS == sorted(path.stem for path in (ROOT / "lessons").glob("[0-9][0-9]_*.py"))


def test_nothing_is_cut_off_pale_tiny_missing_or_without_alt_text(walked):
    wrong = [f"{slide['title']}: {what}" for slide in walked["slides"] for what in slide["wrong"]]
    assert not wrong, "\n".join(wrong)


def test_the_console_is_silent_and_no_request_leaves_the_machine(walked):
    assert not walked["said"]
    outside = [url for url in walked["asked"] if not url.startswith((walked["address"], "data:"))]
    assert not outside and len(walked["asked"]) > 5


def test_a_deck_has_10_to_18_slides_and_notes_with_times_that_sum_to_20_to_30_minutes(walked):
    assert 10 <= len(walked["slides"]) <= 18
    times = []
    for slide in walked["slides"]:
        found = re.match(r"\s*(\d+(?:\.\d+)?) min\. \S", slide["notes"])
        assert found, f"{slide['title']}: its notes do not begin with a time"
        times.append(float(found[1]))
    assert 20 <= sum(times) <= 30


@pytest.mark.parametrize("deck", DECKS)
def test_the_pdf_has_a_page_a_slide(deck, chrome, address, tmp_path):
    path = tmp_path / "deck.pdf"
    print_pdf(chrome, f"{address}/build/{deck}.html", path)
    pages = len(re.findall(rb"/Type\s*/Page\b", path.read_bytes()))
    shown = opened(chrome, f"{address}/build/{deck}.html")
    assert pages == shown.evaluate("Reveal.getTotalSlides()")
    shown.close()


def test_a_deck_opens_from_the_disk_and_the_s_key_opens_its_notes(chrome, address):
    build()
    for where in ((SLIDES / "build").as_uri(), f"{address}/build"):
        shown = chrome.new_page()
        said, _ = listen(shown)
        shown.goto(f"{where}/{DECKS[0]}.html")
        shown.wait_for_selector("html[data-ready=yes]", state="attached")
        assert shown.evaluate("document.fonts.check('20px \"Source Sans 3\"')")
        with shown.expect_popup() as popup:
            shown.keyboard.press("s")
        notes = popup.value.locator(".speaker-controls-notes .value")
        notes.filter(has_text="min.").wait_for()
        popup.value.close()
        shown.close()
        assert not said


def test_one_address_leads_to_every_deck(chrome, address):
    shown = chrome.new_page()
    said, _ = listen(shown)
    shown.goto(address)
    links = shown.locator("li a").evaluate_all("links => links.map(link => link.href)")
    shown.close()
    assert [Path(link).stem for link in links] == DECKS and not said


BAD = {
    "# " + 60 * "w": "is cut off",
    "\n\n".join(30 * ["line"]): "is cut off",
    '<p style="overflow: hidden; width: 3em; white-space: nowrap">more than fits</p>': "is cut off",
    '<p style="color: #8a8a8a">pale</p>': "has a contrast of 3.45",
    '<p style="opacity: .5">pale</p>': "has a contrast of",
    '<p style="background: #0072b2">dark on dark</p>': "has a contrast of",
    '<p style="font-size: 15px">small print</p>': "is tiny, 15px",
    '<img src="gone.png" alt="a picture">': "is missing",
    '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">': "has no alt text",
    'one\n\n<p style="margin-top: -1em">other</p>': "lies on",
}


@pytest.mark.parametrize("slide", BAD)
def test_a_bad_slide_is_seen(slide, chrome, tmp_path):
    (tmp_path / "deck.html").write_text(page(slide, "a test", SLIDES.as_uri()), "utf-8")
    shown = opened(
        chrome, (tmp_path / "deck.html").as_uri(), viewport={"width": 1280, "height": 720}
    )
    wrong = shown.evaluate(LOOK)["wrong"]
    shown.close()
    assert BAD[slide] in "\n".join(wrong)


HARD = (
    r"\|a\|_2 = \sqrt{a \cdot a}",
    r"x_1 * y_1 * z",
    r"\begin{matrix}1 & 2\\3 & 4\end{matrix}",
    r"a < b > c",
    r"\{x\}",
    r"`a`",
    r"[a](b)",
    r"- a",
    r"\#1",
    r"50\,\%",
    r"x^{*}_{i}",
)


def test_tex_survives_markdown_all_the_way_and_a_price_stays_one(chrome, tmp_path):
    lines = [f"It costs $5 or ${tex}$, not US$10." for tex in HARD[:-1]]
    text = "\n\n".join([*lines, f"$$\n{HARD[-1]}\n$$", "`$x_1$` and \\$y\\$", "Note: 1 min. Hm."])
    (tmp_path / "deck.html").write_text(page(text, "a test", SLIDES.as_uri()), "utf-8")
    shown = chrome.new_page()
    shown.goto((tmp_path / "deck.html").as_uri())
    shown.wait_for_selector("html[data-ready=yes]", state="attached")
    read = "nodes => nodes.map(node => node.textContent)"
    kept = shown.locator('annotation[encoding="application/x-tex"]').evaluate_all(read)
    rest = shown.locator("section").first.evaluate("s => s.textContent")
    shown.close()
    assert kept == list(HARD)
    assert rest.count("It costs $5 or ") == rest.count(", not US$10.") == len(lines)
    assert "$x_1$ and $y$" in rest


@pytest.mark.parametrize(
    "text",
    ["$5 and $10", "from $5, to $6", "$ 5 $", r"\$x\$", "`$a_1$`", "```\n$a_1$ $b$\n```", "5$"],
)
def test_prices_and_code_are_no_tex(text):
    assert protect_tex(text) == text


SIGNS = st.sampled_from(["\\\\", "\\|", "\\_", "\\$", " ", "\n", *"ab1_^*[](){}<>&#!~|'-+="])


@given(st.lists(SIGNS, max_size=12).map("".join))
def test_unescaping_gives_the_tex_back(tex):
    tex = "x" + tex.strip() + "y"
    escaped = protect_tex(f"a ${tex}$ b")
    assert escaped.startswith(r"a \\(") and escaped.endswith(r"\\) b")
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", escaped[5:-5]) == " ".join(tex.split())


def test_a_picture_that_is_missing_or_says_nothing_stops_the_build(tmp_path, monkeypatch):
    monkeypatch.setattr("tools.slides.SLIDES", tmp_path)
    (tmp_path / "figures").mkdir()
    Image.new("RGB", (2, 2)).save(tmp_path / "figures" / "mute.png")
    with pytest.raises(BuildError, match=r"gone\.png, which is missing"):
        fill_pictures("![](figures/gone.png)", "a deck", "..")
    with pytest.raises(BuildError, match="without an alt text"):
        fill_pictures("![](figures/mute.png)", "a deck", "..")
    assert fill_pictures("![a_b](figures/mute.png)", "", "..") == r"![a\_b](../figures/mute.png)"


def test_a_number_that_is_missing_stops_the_build():
    with pytest.raises(BuildError, match=r"a deck quotes results:nothing\.key"):
        page("{{results:nothing.key:.0%}}", "a deck")


def test_no_two_figures_share_a_name():
    """Of two of one name the command can reach one, and its file holds the one drawn last."""
    drawn = Counter(draw.__name__ for deck in DRAWERS for draw in deck.DRAWN)
    source = "".join(p.read_text("utf-8") for p in (ROOT / "tools/figures").glob("*.py"))
    saved = Counter(re.findall(r'\bsave\(figure, "(\w+)"', source))
    assert len(drawn) > 80 and len(saved) > 80
    assert max(drawn.values()) == max(saved.values()) == 1


def test_figures_stay_small_and_tell_what_they_show():
    for path in (SLIDES / "figures").glob("*.png"):
        assert path.stat().st_size < 150_000, path.name
        with Image.open(path) as image:
            assert image.text.get("Description"), path.name


def test_chromium_is_asked_for_in_a_sentence(monkeypatch):
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    with pytest.raises(
        BuildError, match=r"Chromium is missing at CHROMIUM=/nowhere/chromium: inst"
    ):
        chromium()


def test_the_index_tells_how_long_each_deck_takes():
    assert minutes("Note: 1.5 min. a\n---\nNote: 2 min. b") == 3.5
    assert index().count("minutes</small>") == len(DECKS)
