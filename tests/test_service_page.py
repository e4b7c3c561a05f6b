"""The page in Chromium, at the width of a phone and of a projector."""

import base64

import httpx
import numpy as np
import pytest
from PIL import Image
from service_server import serving

from tools.slides import browser

ASKED = "(name) => document.querySelector('#query').alt.endsWith(name)"
SIZES = {"phone": (360, 780), "projector": (1920, 1080)}
# WCAG 2's contrast of every text with the ground it stands on, and its size
PALE = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (at) => {
    for (; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour[3] !== 0) return colour;
    }
    return [255, 255, 255];
  };
  const wrong = [];
  for (const at of document.body.querySelectorAll("*")) {
    const text = [...at.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!text || !at.checkVisibility()) continue;
    const both = [light(rgb(getComputedStyle(at).color)), light(ground(at))];
    const contrast = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
    if (contrast < 4.5) wrong.push("pale: " + at.textContent);
    if (parseFloat(getComputedStyle(at).fontSize) < 12) wrong.push("tiny: " + at.textContent);
  }
  return wrong;
}"""


@pytest.fixture(scope="module")
def chrome():
    with browser() as launched:
        yield launched


@pytest.fixture(scope="module")
def address(finished):
    with serving(finished) as (_, address):
        yield address


@pytest.fixture(params=SIZES)
def page(request, chrome, address):
    width, height = SIZES[request.param]
    touch = request.param == "phone"
    context = chrome.new_context(
        viewport={"width": width, "height": height},
        has_touch=touch,
        is_mobile=touch,
        color_scheme="dark" if touch else "light",
    )
    shown = context.new_page()
    shown.said, shown.asked = [], []
    shown.on("console", lambda m: shown.said.append(m.text))
    shown.on("pageerror", lambda error: shown.said.append(str(error)))
    shown.on("request", lambda asked: shown.asked.append(asked.url))
    shown.goto(address)
    yield shown
    context.close()


def ask(page, file):
    page.set_input_files("#file", file)
    answered(page)


def until(page, expression, argument=None):
    """Playwright's own wait_for_function needs eval, which the page's policy forbids."""
    for _ in range(600):
        if page.evaluate(expression, argument):
            return
        page.wait_for_timeout(50)
    raise AssertionError(expression)


def answered(page):
    page.wait_for_selector("#results li")
    page.wait_for_selector("main:not([aria-busy])")
    until(page, "[...document.images].every((i) => i.complete && i.naturalWidth)")


def scores(page):
    return [float(text) for text in page.locator(".score").all_inner_texts()]


def test_a_picture_chosen_is_answered_with_ten_and_each_of_them_can_ask(page, album, address):
    ask(page, album / "odd" / "Drawing 3.png")
    found = scores(page)
    assert len(found) == 10 and found[0] == 0 and found == sorted(found)
    assert "odd drawing 3" in page.locator("#results .name").first.inner_text().lower()
    second = page.locator("#results button").nth(1)
    name = second.locator(".name").text_content()
    second.click()
    page.wait_for_function(
        "(name) => document.querySelector('#query').alt.endsWith(name)", arg=name
    )
    answered(page)
    assert page.locator("#results .name").first.text_content() == name and scores(page)[0] == 0
    page.select_option("#k", "20")
    until(page, "document.querySelectorAll('#results li').length === 20")
    assert page.said == []
    assert all(url.startswith((address, "blob:", "data:")) for url in page.asked)


def test_nothing_is_cut_off_pale_or_tiny(page, album):
    assert page.evaluate(PALE) == []
    ask(page, album / "even" / "Drawing 2.png")
    assert page.evaluate(PALE) == []
    assert page.evaluate("document.documentElement.scrollWidth") == page.viewport_size["width"]
    columns = page.evaluate(
        "getComputedStyle(document.querySelector('#results')).gridTemplateColumns.split(' ').length"
    )
    assert columns == (2 if page.viewport_size["width"] == 360 else 5)
    small = page.evaluate(
        "[...document.querySelectorAll('button, .button, select')].filter((e) => "
        "e.checkVisibility() && e.getBoundingClientRect().height < 35).map((e) => e.outerHTML)"
    )
    assert small == []


def test_the_keyboard_alone_is_enough_and_a_reader_is_told(page, album):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "file"
    assert page.get_by_label("Choose a picture").count() == 1
    ask(page, album / "even" / "Drawing 2.png")
    status = page.get_by_role("status").inner_text()
    assert "10 pictures" in status
    page.get_by_role("button", name="at distance 0.000").first.focus()
    page.keyboard.press("Tab")
    wanted = page.evaluate("document.activeElement.querySelector('.name').textContent")
    page.keyboard.press("Enter")
    until(page, ASKED, wanted)
    answered(page)
    assert scores(page)[0] == 0
    assert page.evaluate("[...document.images].every((i) => i.hasAttribute('alt'))")


@pytest.mark.parametrize("event", ["paste", "drop"])
def test_a_picture_pasted_or_dropped_asks_too(page, album, event):
    data = base64.b64encode((album / "even" / "Drawing 6.png").read_bytes()).decode()
    page.evaluate(
        """([event, data]) => {
            const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "six.png", { type: "image/png" }));
            const made = event === "paste"
              ? new ClipboardEvent("paste", { clipboardData: transfer })
              : new DragEvent("drop", { dataTransfer: transfer, cancelable: true });
            document.dispatchEvent(made);
        }""",
        [event, data],
    )
    answered(page)
    assert scores(page)[0] == 0


def test_a_phone_offers_its_camera(page):
    phone = page.viewport_size["width"] == 360
    assert page.locator(".camera").is_visible() == phone
    assert page.locator("#photo").get_attribute("capture") == "environment"


def test_what_is_no_picture_is_told_and_asking_goes_on(page, album, tmp_path):
    fake = tmp_path / "fake.png"
    fake.write_bytes(b"no picture")
    page.set_input_files("#file", fake)
    page.wait_for_selector("#status.wrong")
    assert "not a whole picture" in page.get_by_role("status").inner_text()
    ask(page, album / "even" / "Drawing 2.png")
    assert page.locator("#status.wrong").count() == 0


def test_a_photograph_larger_than_may_be_sent_is_made_smaller_first(page, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), np.uint8)
    big = tmp_path / "big.png"
    Image.fromarray(noise).save(big, compress_level=0)
    assert big.stat().st_size > 8_000_000
    sent = []
    page.on("request", lambda r: sent.append(r) if r.method == "POST" else None)
    ask(page, big)
    assert int(sent[0].all_headers()["content-length"]) < 4_000_000
    assert len(scores(page)) == 10


def test_a_large_picture_with_transparency_is_sent_on_white(page, album, tmp_path):
    with Image.open(album / "even" / "Drawing 2.png") as drawing:
        pixels = np.asarray(drawing.convert("RGBA")).copy()
    pixels[(pixels[..., :3] == 255).all(-1)] = 0  # its ground is clear, and unseen black
    large, big = Image.fromarray(pixels).resize((1280, 1280)), tmp_path / "big.png"
    large.save(big, compress_level=0)
    assert big.stat().st_size > 3_500_000
    ask(page, big)
    assert page.locator("#results .name").first.text_content() == "even drawing 2"


def test_a_picture_that_is_shown_from_another_address_can_be_searched_from(
    chrome, gallery_folder, album
):
    elsewhere = "https://pictures.example/"
    with serving(gallery_folder, LOOKALIKE_ADDRESS=elsewhere) as (_, address):
        shown = chrome.new_page()

        def give(route):
            data = httpx.get(route.request.url.replace(elsewhere, f"{address}/")).content
            route.fulfill(body=data, content_type="image/webp")

        shown.route(f"{elsewhere}**", give)
        shown.goto(address)
        ask(shown, album / "even" / "Drawing 2.png")
        assert shown.locator("#results img").first.get_attribute("src").startswith(elsewhere)
        wanted = shown.locator("#results .name").nth(1).text_content()
        shown.locator("#results button").nth(1).click()
        until(shown, ASKED, wanted)
        answered(shown)
        assert scores(shown)[0] == 0
        shown.close()


def test_the_api_page_shows_itself_without_asking_elsewhere(chrome, address):
    shown, asked = chrome.new_page(), []
    shown.on("request", lambda request: asked.append(request.url))
    shown.goto(f"{address}/docs")
    shown.wait_for_selector("text=/search")
    shown.close()
    assert all(url.startswith((address, "data:")) for url in asked), asked
