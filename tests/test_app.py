"""The search app: what it answers, and the real thing in JupyterLab and in Voilà in Chromium."""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import utils.words.loading
from tools.serving import app_served, free_port, served
from tools.slides import browser
from utils import ROOT
from utils.app import Search, SearchApp
from utils.app import __main__ as starter
from utils.app.query import PAPER, Query, card
from utils.app.screen import MOST_BYTES, explained
from utils.app.search import DISLIKE
from utils.embed import embed
from utils.embedder import ModelUnavailable
from utils.explain import Why
from utils.folder import UnreadablePicture
from utils.images import load_images
from utils.models import load_model
from utils.words import embed_text, new_pair, save_pair

THINGS = ("cat", "dog", "lemon", "airplane", "guitar")
ANSWERS = ".la-main > .la-tiles .la-tile:not([hidden])"


@pytest.fixture(scope="module")
def scenes():
    every = load_images("scenes")
    wanted = [every.classes.index(name) for name in THINGS]
    return every[np.isin(every.labels, wanted)]


@pytest.fixture
def search(scenes):
    return Search(scenes)


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


# -- without a screen ------------------------------------------------------------------------


def cosine(a, b):
    return a @ b.T / np.linalg.norm(a, axis=-1)[..., None] / np.linalg.norm(b, axis=-1)


def brute(scenes, query, but, k=10):
    """Ids by cosine of everything with everything, sorted."""
    vectors = embed(load_model("cnn"), scenes)
    order = np.argsort(-cosine(query(vectors)[None], vectors)[0], kind="stable")
    return [scenes.ids[i] for i in order if scenes.ids[i] not in but][:k]


def test_answers_are_the_nearest_without_the_query(search, scenes):
    id = scenes.ids[7]
    answers = search.ask(search.query(id))
    assert answers.ids == brute(scenes, lambda v: v[7], {id})
    assert answers.distances == sorted(answers.distances)


def test_a_picture_from_outside_finds_its_copy_first(search, scenes):
    answers = search.ask(search.outside(png(scenes.images[3]), "mine.png"), k=3)
    assert answers.ids[0] == scenes.ids[3]
    assert answers.distances[0] == pytest.approx(0, abs=1e-5)


def test_likes_and_dislikes_are_rocchio_of_unit_means(search, scenes):
    likes, dislikes = [scenes.by_label(name).ids[0] for name in THINGS], [scenes.ids[20]]
    answers = search.recommend(likes, dislikes)
    rows = [scenes.ids.index(id) for id in likes]
    unit = lambda v: v / np.linalg.norm(v)  # noqa: E731
    wish = lambda v: unit(v[rows].mean(0)) - DISLIKE * v[20]  # noqa: E731
    assert answers.ids == brute(scenes, wish, {*likes, *dislikes})
    with pytest.raises(ValueError, match="Like at least one"):
        search.recommend([], dislikes)


def test_a_filter_keeps_only_what_has_the_label(search, scenes):
    answers = search.ask(search.query(scenes.ids[0]), 500, {"thing": "dog"})
    assert sorted(answers.ids) == sorted(scenes.by_label("dog").ids)
    assert search.ask(search.query(scenes.ids[0]), 5, {"thing": "whale"}).ids == []
    assert search.labelings()["thing"] == sorted(THINGS)


def test_added_is_found_removed_is_not_and_both_are_undone(search, scenes):
    before = search.ask(search.query(scenes.ids[0])).ids
    gone = before[0]
    search.remove(gone)
    assert gone not in search.ask(search.query(scenes.ids[0])).ids
    new = search.outside(png(scenes.images[0]), "mine.png")
    assert search.add(new, "lion") == "mine.png"
    assert search.add(new) == "mine.png (2)"
    assert search.ask(search.query(scenes.ids[0])).ids[:2] == ["mine.png", "mine.png (2)"]
    assert search.label("mine.png") == "lion"
    assert "lion" in search.labelings()["thing"]
    for _ in range(3):
        search.undo()
    assert search.ask(search.query(scenes.ids[0])).ids == before
    with pytest.raises(ValueError, match="nothing to undo"):
        search.undo()


def test_another_model_and_plain_backgrounds_answer_for_what_is_there_now(search, scenes):
    search.add(search.outside(png(scenes.images[0]), "mine.png"))
    search.remove(scenes.ids[1])
    search.use(model="cnn-photos", metric="euclidean", plain=True)
    answers = search.ask(search.query(scenes.ids[0]), k=len(scenes))
    assert answers.ids[0] == "mine.png"
    assert scenes.ids[1] not in answers.ids
    assert len(answers.ids) == len(scenes) - 1
    image, mask = search.without_background(search.query(scenes.ids[0]))
    assert image.shape == scenes.images[0].shape
    assert (image[mask == 0] == 255).all()


def test_two_networks_of_one_name_answer_each_for_itself(search, scenes, make_model):
    for seed in (0, 1):
        other = make_model(seed, "cnn")
        search.use(other)
        np.testing.assert_allclose(search.index.vectors, embed(other, scenes), atol=1e-6)


def test_a_model_that_is_not_here_leaves_all_as_it_was(search, scenes):
    before = search.ask(search.query(scenes.ids[0]))
    with pytest.raises(ValueError, match="no model named 'nonsense'"):
        search.use(model="nonsense")
    assert search.ask(search.query(scenes.ids[0])).ids == before.ids


def test_not_a_picture_is_said(search):
    with pytest.raises(UnreadablePicture, match="not a picture"):
        search.outside(b"hello", "hello.png")


# -- by words, without a screen --------------------------------------------------------------


@pytest.fixture
def worded(scenes, pair):
    return Search(scenes, pair=pair)


def by_words(scenes, pair, text, but=(), k=10):
    """Ids by the cosine of the text with everything, sorted."""
    scores = cosine(embed_text(pair, text), embed(pair.images, scenes))[0]
    order = np.argsort(-scores, kind="stable")
    return [scenes.ids[i] for i in order if scenes.ids[i] not in but][:k]


@pytest.mark.parametrize("text", ["red fruit", "um gato preto", "  MAÇÃ\n verde "])
def test_words_answer_with_the_nearest_pictures(worded, scenes, pair, text):
    query = worded.words(text)
    answers = worded.ask(query)
    assert answers.ids == by_words(scenes, pair, text)
    assert answers.distances == sorted(answers.distances)
    assert query.words == " ".join(text.split())
    assert query.words in query.name


def test_words_answer_the_same_under_every_model_and_distance(worded):
    before = worded.ask(worded.words("red fruit"))
    worded.use(model="cnn-photos", metric="manhattan")
    after = worded.ask(worded.words("red fruit"))
    assert (after.ids, after.distances) == (before.ids, before.distances)


def test_words_follow_the_filter_and_what_was_added_and_removed(worded, scenes, pair):
    query = worded.words("red fruit")
    dogs = worded.ask(query, 500, {"thing": "dog"}).ids
    assert dogs == by_words(scenes.by_label("dog"), pair, "red fruit", k=500)
    assert worded.ask(query, 5, {"thing": "whale"}).ids == []
    first, second = worded.ask(query, 2).ids
    worded.remove(first)
    assert worded.ask(query, 1).ids == [second]
    copy = worded.outside(png(worded.query(first).image), "mine.png")
    assert worded.add(copy) == "mine.png"
    assert worded.ask(query, 2).ids == ["mine.png", second]
    worded.undo()
    worded.undo()
    assert worded.ask(query, 2).ids == [first, second]


def test_words_see_the_pictures_without_their_background(worded, scenes, pair):
    worded.use(plain=True)
    answers = worded.ask(worded.words("red fruit"), k=1)
    plain, _ = worded.without_background(worded.query(answers.ids[0]))
    expected = cosine(embed_text(pair, "red fruit"), embed(pair.images, plain[None]))
    assert answers.distances[0] == pytest.approx(1 - expected[0, 0], abs=1e-5)


def test_words_cannot_be_added_as_a_picture(worded):
    with pytest.raises(ValueError, match="Words are no picture"):
        worded.add(worded.words("red fruit"))
    assert not worded.done


@pytest.mark.parametrize("plain", [False, True])
def test_the_shares_of_all_places_sum_to_the_cosine_with_the_words(worded, plain):
    worded.use(plain=plain)
    query = worded.words("red fruit")
    answers = worded.ask(query, k=3)
    for id, distance in zip(answers.ids, answers.distances, strict=True):
        shares = worded.why_words(query, id)
        assert shares.shape[0] == shares.shape[1] > 1
        assert shares.sum() == pytest.approx(1 - distance, abs=1e-4)


@pytest.mark.parametrize("text", ["guitar", "red guitar", "violão", "guitarra", "VIOLÃO"])
def test_what_ships_finds_a_thing_by_its_name_in_two_languages(search, text):
    answers = search.ask(search.words(text), k=5)
    assert [search.label(id) for id in answers.ids] == ["guitar"] * 5


@given(st.text("açÃõ éW—mgjñ", min_size=1, max_size=200).map(lambda t: " ".join(t.split())))
def test_a_card_shows_words_and_cuts_none_at_its_edge(words):
    shown = card(words)
    edge = np.concatenate([shown[:3], shown[-3:]]), np.concatenate([shown[:, :3], shown[:, -3:]])
    assert all((pixels == PAPER).all() for pixels in edge)
    assert (shown < 128).any() == bool(words)


# -- what the app does at each click, without a browser --------------------------------------


@pytest.fixture
def screen(scenes, pair):
    return SearchApp(scenes, pair=pair)


def test_words_are_asked_labelled_and_gone_on_from(screen, scenes, pair):
    before = screen.answers.ids
    screen._said("red fruit")
    assert screen.answers.ids == by_words(scenes, pair, "red fruit")
    assert "for “red fruit” by cosine" in screen.grid.message
    assert "“red fruit”" in screen.shown.value
    assert {tile["frame"] for tile in screen.grid.tiles} == {""}  # no label, nothing wrong
    assert screen.add.disabled
    screen._said("red  fruit ")  # the same again is no step
    assert len(screen.trail.tiles) == 1
    worded = screen.answers.ids
    screen._tool("open", worded[2])
    assert screen.words.text == ""
    assert screen.trail.tiles[0]["said"] == "back to “red fruit”"
    screen.back.click()
    assert (screen.answers.ids, screen.words.text) == (worded, "red fruit")
    screen.back.click()
    assert screen.answers.ids == before
    assert screen.back.disabled


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The text is empty"),
        (" \t ", "The text is empty"),
        ("🍎", "is a picture and no word; write “red apple”"),
        ("?!", "holds no word"),
        ("a" * 201, "at most 200"),
    ],
)
def test_words_that_cannot_be_read_are_answered_in_a_sentence(screen, text, sentence):
    screen._said("red fruit")
    before, trail = screen.answers, screen.trail.tiles
    screen._said(text)
    assert sentence in screen.grid.message
    assert screen.grid.kind == "problem"
    assert (screen.answers, screen.trail.tiles) == (before, trail)


def test_without_a_dual_encoder_the_rest_goes_on(scenes, tmp_path, monkeypatch):
    monkeypatch.setattr(utils.words.loading, "MODELS", tmp_path)
    screen = SearchApp(scenes)
    before = screen.answers.ids
    screen._said("red fruit")
    assert "missing or damaged" in screen.grid.message
    assert (screen.answers.ids, screen.grid.kind) == (before, "problem")
    with pytest.raises(ModelUnavailable):
        screen.search.words("red fruit")
    save_pair(new_pair(3), tmp_path / "pair.safetensors")
    screen._said("red fruit")
    assert "for “red fruit”" in screen.grid.message


def test_likes_are_kept_while_words_are_asked(screen):
    liked = screen.answers.ids[0]
    screen._tool("like", liked)
    screen._said("red fruit")
    screen.recommend.click()
    assert screen.answers.ids == screen.search.recommend([liked]).ids
    screen.back.click()
    assert screen.words.text == "red fruit"


def test_a_double_click_adds_one_picture(screen, scenes):
    screen._dropped("mine.png", png(scenes.images[0]))
    screen.name.value = "pear"
    screen.add.click()
    screen.add.click()
    assert len(screen.search) == len(scenes) + 1
    screen.undo.click()
    assert len(screen.search) == len(scenes)


@pytest.mark.parametrize("how", ["back", "trail"])
def test_a_double_click_on_the_way_back_is_one(screen, how):
    before = screen.answers.ids
    screen._tool("open", before[0])
    for _ in range(2):
        if how == "back":
            screen.back.click()
        else:
            screen.trail._handle_custom_msg({"event": "open", "id": "0"}, [])
    assert screen.answers.ids == before and screen.back.disabled


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ([0.5, 0.2, 0.1, 0.1], "cosine of 0.90: a quarter of the 4 places in a gives 0.50 of it, "
         "the rest 0.40."),
        ([0.5, -0.2, -0.1, -0.2], "cosine of 0.00: a quarter of the 4 places in a gives 0.50 of "
         "it, the rest -0.50."),
        ([0.1, -0.2, -0.1, -0.2], "cosine of -0.40: a quarter of the 4 places in a gives 0.10 of "
         "it, the rest -0.50."),
    ],
)  # fmt: skip
def test_why_is_true_of_a_cosine_of_any_sign(scenes, shares, told):
    a, b = (Query("", image, name) for image, name in zip(scenes.images[:2], "ab", strict=True))
    shares = np.array(shares).reshape(2, 2)
    assert told in explained(a, b, Why(shares, shares, exact=True))


@pytest.mark.parametrize("event", ["like", "dislike"])
def test_a_recommendation_ends_with_its_last_like(screen, event):
    before, liked = screen.answers.ids, screen.answers.ids[0]
    screen._tool("like", liked)
    screen.recommend.click()
    screen._tool(event, liked)
    assert screen.answers.ids == before
    screen._tool("why", before[0])
    assert "cosine of" in screen.why.value


def test_why_tells_of_the_words(screen):
    screen._said("red fruit")
    screen._tool("why", screen.answers.ids[0])
    assert f"cosine of {1 - screen.answers.distances[0]:.2f} with “red fruit”" in screen.why.value


def test_an_emptied_gallery_is_told_and_filled_again(scenes, pair):
    screen = SearchApp(scenes[:3], pair=pair)
    first, second, third = scenes.ids[:3]
    screen._tool("like", second)
    screen.recommend.click()
    for id in (third, first, second, second):  # the last one is a click that came too late
        screen._tool("remove", id)
    assert len(screen.search) == 0
    assert screen.answers.ids == []
    assert screen.grid.message == (
        f"{second} is out of the gallery; undo brings it back. Nothing found: the gallery is "
        "empty; add a picture of yours, or undo."
    )
    assert screen.choice.message == "The gallery is empty."
    screen._said("red fruit")
    assert "the gallery is empty" in screen.grid.message
    for _ in range(3):
        screen.undo.click()
    assert sorted(screen.answers.ids) == sorted(scenes.ids[:3])


@pytest.mark.parametrize("name", ["cnn", "cnn-photos", "vit", "efficientnet"])
def test_every_network_that_ships_says_why(scenes, pair, name):
    screen = SearchApp(scenes[:3], name, pair=pair)
    screen._tool("why", screen.answers.ids[0])
    assert "Bright places give most" in screen.why.value or name == "vit"
    assert "cosine of" in screen.why.value and screen.grid.kind == ""


def test_every_distance_that_is_offered_answers(scenes, pair):
    screen = SearchApp(scenes[:3], pair=pair)
    for metric in screen.metric.options:
        screen.metric.value = metric
        assert (screen.grid.kind, len(screen.answers.ids)) == ("", 2), metric


@pytest.mark.parametrize("name", ["cnn-scenes", "cnn-moco", "cnn-photos"])
def test_every_name_of_a_network_can_be_chosen(scenes, pair, name):
    screen = SearchApp(scenes[:3], name, pair=pair)
    assert screen.model.value == name and len(screen.answers.ids) == 2
    screen.model.value = "cnn"
    screen.model.value = name
    assert screen.grid.kind == ""


def test_a_disk_that_is_full_is_said_and_what_worked_goes_on(scenes, pair, model):
    full, preprocess = False, model.preprocess

    def refuse(pixels):
        if full:
            raise OSError(28, "No space left on device")
        return preprocess(pixels)

    model.preprocess = refuse
    screen = SearchApp(scenes[:3], model, pair=pair)
    before, full = screen.answers.ids, True
    screen.plain.value = True
    assert "No space left" in screen.grid.message and screen.grid.kind == "problem"
    assert (screen.plain.value, screen.answers.ids) == (False, before)


# -- in a browser ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(scenes, tmp_path_factory):
    """The pictures as anyone's folder: a folder a class."""
    folder = tmp_path_factory.mktemp("my photos")
    for i, image in enumerate(scenes.images):
        (folder / scenes.label_of(i)).mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / scenes.label_of(i) / f"{i}.png")
    return folder


@contextlib.contextmanager
def jupyterlab(folder, tmp):
    """JupyterLab with a notebook whose one cell is the app; its address."""
    cell = {
        "cell_type": "code",
        "id": "app",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    source = (
        "from utils.app import SearchApp\nfrom utils.images import load_images\n"
        f"SearchApp(load_images({str(folder)!r}, size=48), 'cnn-photos')"
    )
    about = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": [{**cell, "source": source}], "metadata": about, "nbformat": 4}
    (tmp / "app.ipynb").write_text(json.dumps({**notebook, "nbformat_minor": 5}))
    port = free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}"]
    command += ["--LabApp.extension_manager=readonly", "--IdentityProvider.token="]
    command += [f"--ServerApp.root_dir={tmp}", "--allow-root", "--ServerApp.port_retries=0"]
    url = f"http://localhost:{port}/lab/workspaces/app/tree/app.ipynb"
    with served(command, url):
        yield url


@contextlib.contextmanager
def voila(folder, tmp):
    copy = shutil.copytree(folder, tmp / "photos")
    with app_served(copy, "--size=48") as url:
        shutil.rmtree(copy)  # it has been read, and visitors do not read it again
        yield url


@pytest.fixture(scope="module")
def chromium():
    with browser() as chromium:
        yield chromium


def run_first_cell(page):
    prompt = page.locator(".jp-CodeCell .jp-InputPrompt").first
    for _ in range(30):  # JupyterLab hears no key before it is done with opening
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(1000)
        if prompt.text_content() != "[ ]:":
            break


@contextlib.contextmanager
def offline(tmp):
    """For processes begun within: no network, and nothing that was downloaded before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT / "tests" / "no_network"), prepend=os.pathsep)
        patch.setenv("HF_HUB_CACHE", str(tmp / "hub"))
        yield


@pytest.fixture(scope="module", params=[jupyterlab, voila], ids=["jupyterlab", "voila"])
def app(request, folder, chromium, tmp_path_factory):
    """A page with the app in it, and what it asked of other machines."""
    tmp = tmp_path_factory.mktemp("served")
    with offline(tmp), request.param(folder, tmp) as url:
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(60_000)
        page.outside = []
        local = re.compile(r"(https?|wss?)://localhost:\d+/|data:|blob:")
        page.on("request", lambda asked: local.match(asked.url) or page.outside.append(asked.url))
        page.goto(url)
        if request.param is jupyterlab:
            run_first_cell(page)
        page.locator(ANSWERS).nth(9).wait_for()
        yield page
        page.close()


@pytest.fixture
def page(app):
    """The app, asked with the first cat."""
    choose(app, "cat")
    return app


def says(page, pattern):
    """Wait until the sentence above the answers matches, and return it."""
    box = page.locator(".la-main > .la-tiles .la-message")
    page.wait_for_function(
        "([e, p]) => new RegExp(p).test(e.textContent)", arg=[box.element_handle(), pattern]
    )
    return box.text_content()


def answered_without_label(page):
    """Wait until a picture from outside, or a wish, has its answers: the sentence comes last."""
    says(page, r" ms\.$")


def choose(page, name):
    # a sentence of its own first, or that of an earlier question would pass for the new one
    upload(page, "none.png", b"")
    says(page, "none.png cannot be read")
    find = page.get_by_placeholder("find by name")
    find.fill(name)
    find.press("Enter")
    first = page.locator(f'.la-side .la-tile:not([hidden]) .la-open[aria-label^="{name}"]').first
    first.click()
    page.locator(f'.la-top .la-figure:has-text("{name}")').first.wait_for()
    says(page, f"have its label, {name}")


def answers(page):
    return [t.get_attribute("title") for t in page.locator(f"{ANSWERS} .la-open").all()]


def until_changed(page, old):
    """Wait until the texts of the answers, their distances among them, are others than `old`."""
    page.wait_for_function(
        """([tiles, old]) => {
            const now = [...document.querySelectorAll(tiles)].map(tile => tile.textContent);
            return now.join() !== old.join();
        }""",
        arg=[ANSWERS, old],
    )


def upload(page, name, data):
    file = {"name": name, "mimeType": "image/png", "buffer": data}
    page.locator(".la-drop input").set_input_files(file)


def switch(page, setting, option):
    """Choose, and wait: answered late, it would overwrite what the next test says."""
    old = page.locator(f"{ANSWERS}").all_text_contents()
    page.get_by_label(setting).select_option(option)
    until_changed(page, old)


def test_ten_answers_with_distances_and_right_or_wrong(page):
    tiles = page.locator(ANSWERS)
    assert tiles.count() == 10
    notes = [float(note) for note in tiles.locator(".la-note").all_text_contents()]
    assert notes == sorted(notes)
    for tile, id in zip(tiles.all(), answers(page), strict=True):
        assert tile.get_attribute("data-frame") == ("right" if id.startswith("cat/") else "wrong")


def test_a_click_searches_from_an_answer_and_back_returns(page):
    before = answers(page)
    page.locator(f"{ANSWERS} .la-open").nth(2).click()
    page.locator(f'{ANSWERS} .la-open[title="{before[2]}"]').wait_for(state="detached")
    assert before[2] not in answers(page)
    page.get_by_role("button", name="← back").click()
    page.wait_for_function(
        """([tiles, ids]) => {
            const now = [...document.querySelectorAll(tiles)].map(tile => tile.title);
            return String(now) === String(ids);
        }""",
        arg=[f"{ANSWERS} .la-open", before],
    )


def test_an_upload_finds_its_copy(page, scenes):
    upload(page, "mine.png", png(scenes.by_label("lemon").images[0]))
    page.locator('.la-top .la-figure:has-text("mine.png")').wait_for()
    answered_without_label(page)
    assert answers(page)[0].startswith("lemon/")
    assert page.locator(f"{ANSWERS} .la-note").first.text_content() == "0.000"
    assert page.locator('.la-main [data-frame="wrong"]').count() == 0  # no label, nothing wrong


def test_the_largest_upload_that_is_not_refused_is_answered(page, scenes):
    data = png(scenes.by_label("lemon").images[0]).ljust(MOST_BYTES, b"0")
    upload(page, "large.png", data)
    page.locator('.la-top .la-figure:has-text("large.png")').wait_for()
    answered_without_label(page)
    assert answers(page)[0].startswith("lemon/")


def test_pictures_have_the_size_that_was_asked_for(page):
    shown = page.locator(f"{ANSWERS} img").first
    assert shown.evaluate("(image) => image.naturalWidth") == 48


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(page, scenes, how):
    data = list(png(scenes.by_label("dog").images[0]))
    page.locator(".la-drop label").evaluate(
        """(label, [how, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], `${how}.png`, {type: "image/png"}));
            const about = {bubbles: true, cancelable: true};
            label.dispatchEvent(how === "drop"
                ? new DragEvent("drop", {dataTransfer: data, ...about})
                : new ClipboardEvent("paste", {clipboardData: data, ...about}));
        }""",
        [how, data],
    )
    page.locator(f'.la-top .la-figure:has-text("{how}.png")').wait_for()
    answered_without_label(page)
    assert answers(page)[0].startswith("dog/")


def test_a_path_is_opened_and_a_wrong_one_answered_in_a_sentence(page, folder):
    box = page.get_by_placeholder("path of a file")
    first = sorted((folder / "guitar").iterdir())[0]
    box.fill(str(first))
    box.press("Enter")
    page.locator(f'.la-top .la-figure:has-text("{first.name}")').wait_for()
    box.fill("/no/such.png")
    box.press("Enter")
    assert says(page, "no file") == "There is no file /no/such.png; paste the path of a picture."


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("notes.png", b"just words", "notes.png cannot be read: not a picture"),
        ("empty.png", b"", "empty.png cannot be read: an empty file"),
        ("big.png", b"0" * (MOST_BYTES + 1), "big.png is larger than 10 MB"),
    ],
    ids=["text", "empty", "big"],
)
def test_a_bad_upload_is_answered_in_a_sentence_and_the_answers_stay(page, name, data, sentence):
    before = answers(page)
    upload(page, name, data)
    says(page, sentence)
    assert answers(page) == before


def test_distance_model_and_background_are_switched(page):
    before = answers(page)
    settings = [("Model", "cnn-photos", "cnn"), ("Distance", "cosine", "manhattan")]
    for setting, _, other in settings:
        switch(page, setting, other)
    assert answers(page) != before
    page.get_by_label("without background").check()
    page.locator('.la-top .la-figure:has-text("what stands in it")').wait_for()
    page.get_by_label("without background").uncheck()
    page.locator('.la-top .la-figure:has-text("what stands in it")').wait_for(state="detached")
    for setting, first, _ in settings:
        switch(page, setting, first)
    assert answers(page) == before


def test_a_model_that_is_not_here_is_said_and_the_old_one_stays(page):
    before = answers(page)
    page.get_by_label("Model").select_option("vit-base")
    assert "vit-base" in says(page, "not on this machine")
    assert page.get_by_label("Model").input_value() == "cnn-photos"
    assert answers(page) == before


def test_a_filter_narrows(page):
    page.get_by_label("Among").select_option(index=1)
    page.get_by_label("that is").select_option("lemon")
    page.locator(f'{ANSWERS} .la-open[title^="lemon/"]').nth(5).wait_for()
    assert all(id.startswith("lemon/") for id in answers(page))
    switch(page, "Among", "everything")
    says(page, "have its label")


def test_added_is_found_alone_in_its_class_and_removed_is_not(page, scenes):
    upload(page, "new cat.png", png(255 - scenes.by_label("cat").images[0]))
    page.locator('.la-top .la-figure:has-text("new cat.png")').wait_for()
    page.get_by_placeholder("its label").fill("negative")
    page.get_by_role("button", name="add to the gallery").click()
    says(page, "new cat.png is in the gallery")
    find = page.get_by_placeholder("find by name")
    find.fill("negative")
    find.press("Enter")
    page.locator('.la-side .la-tile:not([hidden]) [title="new cat.png"]').wait_for()
    page.get_by_label("Among").select_option(index=1)
    page.get_by_label("that is").select_option("negative")
    says(page, "Nothing found: there is no other picture that is negative in this gallery")
    assert answers(page) == []
    page.get_by_label("Among").select_option("everything")
    says(page, "pictures, in")
    gone = answers(page)[0]
    page.locator(f'{ANSWERS} [data-event="remove"]').first.click()
    says(page, "undo brings it back")
    assert gone not in answers(page)
    for sentence in ("is in the gallery again", "is out of the gallery again"):
        page.get_by_role("button", name="undo").click()
        says(page, sentence)
    assert page.get_by_role("button", name="undo").is_disabled()


def test_likes_and_dislikes_make_a_recommendation(page):
    page.locator(f'{ANSWERS} [data-event="like"]').first.click()
    page.locator(f'{ANSWERS} [data-event="dislike"]').nth(1).click()
    liked, disliked = answers(page)[:2]
    page.get_by_role("button", name="recommend from 1 like").click()
    page.locator('.la-top .la-figure:has-text("−")').wait_for()
    answered_without_label(page)
    assert not {liked, disliked} & set(answers(page))
    page.get_by_role("button", name="forget likes").click()
    says(page, "have its label")
    assert page.get_by_role("button", name="recommend").is_disabled()


def test_why_shows_both_pictures_lit(page):
    page.locator(f'{ANSWERS} [data-event="why"]').nth(1).click()
    page.locator(".la-why img").nth(1).wait_for()
    assert "of it, the rest" in page.locator(".la-why").text_content()


def test_the_keyboard_reaches_everything(page):
    first = page.locator(f"{ANSWERS} .la-open").first
    first.focus()
    page.keyboard.press("ArrowRight")
    second = answers(page)[1]
    assert page.evaluate("document.activeElement.title") == second
    page.keyboard.press("Tab")  # from a picture to its own tools
    page.keyboard.press("Enter")
    page.get_by_role("button", name="recommend from 1 like").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="recommend from 0 likes").wait_for()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.locator(f'{ANSWERS} .la-open[title="{second}"]').wait_for(state="detached")
    assert page.evaluate("document.activeElement.className") == "la-open"  # the focus stays


def words_box(page):
    return page.get_by_role("searchbox", name="Search by words (English or Portuguese)")


def ask_words(page, text):
    words_box(page).fill(text)
    words_box(page).press("Enter")


@pytest.mark.parametrize("text", ["guitar", "violão"])
def test_words_change_the_pictures_and_back_returns(page, text):
    before = answers(page)
    ask_words(page, text)
    says(page, f"10 of [0-9,]+ pictures for “{text}” by cosine")
    page.locator(f'.la-top .la-figure:has-text("“{text}”")').wait_for()
    found = answers(page)
    assert all(id.startswith("guitar/") for id in found[:5])
    page.locator(f"{ANSWERS} .la-open").nth(1).click()
    says(page, f"have its label, {found[1].split('/')[0]}")
    assert words_box(page).input_value() == ""
    page.get_by_role("button", name="← back").click()
    says(page, f"for “{text}”")
    assert answers(page) == found
    assert words_box(page).input_value() == text
    page.locator(f'{ANSWERS} [data-event="why"]').first.click()
    page.locator(".la-why img").nth(1).wait_for()
    assert f"with “{text}”" in page.locator(".la-why").text_content()
    page.get_by_role("button", name="← back").click()
    says(page, "have its label, cat")
    assert answers(page) == before


def test_words_are_asked_by_the_keyboard_alone(page):
    words_box(page).focus()
    page.keyboard.type("yellow")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "search"
    page.keyboard.press("Enter")
    says(page, "for “yellow”")
    page.get_by_label("Among").select_option(index=1)
    page.get_by_label("that is").select_option("lemon")
    page.locator(f'{ANSWERS} .la-open[title^="lemon/"]').nth(5).wait_for()
    says(page, "for “yellow”")
    assert all(id.startswith("lemon/") for id in answers(page))
    switch(page, "Among", "everything")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "The text is empty"), ("🍋", "is a picture and no word; write “lemon”")],
)
def test_words_that_cannot_be_read_are_said_and_the_answers_stay(page, text, sentence):
    before = answers(page)
    ask_words(page, text)
    says(page, sentence)
    assert answers(page) == before
    assert words_box(page).input_value() == text  # to be mended


def places(page):
    names = (".la-words", ".la-drop", ".la-main > .la-tiles .la-grid", ".la-legend", ".la-why")
    boxes = [page.locator(name).first.bounding_box() for name in names]
    return [(round(box["x"]), round(box["y"])) for box in boxes]


def test_nothing_moves_at_a_click(page, scenes):
    before = places(page)
    page.locator(f"{ANSWERS} .la-open").first.click()
    says(page, "in")
    assert places(page) == before
    upload(page, "a name that is much too long for the place it has got.png", b"no picture")
    says(page, "cannot be read")
    assert places(page) == before
    ask_words(page, "a small yellow car in front of a house by the sea, and a boat far behind it")
    says(page, "for “a small")
    assert places(page) == before
    page.locator(f'{ANSWERS} [data-event="why"]').first.click()
    page.locator(".la-why img").first.wait_for()
    assert places(page) == before


@pytest.mark.parametrize("width", [1024, 640])
def test_a_narrow_window_cuts_nothing_off(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(300)
    cut = page.evaluate(
        """() => {
            const app = document.querySelector(".la-app").getBoundingClientRect();
            return [...document.querySelectorAll(".la-app *")].filter(e => {
                const box = e.getBoundingClientRect();
                return box.width > 1 && (box.right > app.right + 1 || box.right > innerWidth);
            }).map(e => e.className || e.tagName);
        }"""
    )
    page.set_viewport_size({"width": 1280, "height": 900})
    assert cut == []


def test_no_other_machine_was_asked(page):
    assert page.outside == []


@pytest.mark.parametrize(
    "wrong, word",
    [(["/no/such/folder"], "/no/such/folder"), (["--pair", "nonsense"], "nonsense"),
     (["cifar10"], "CIFAR10_DIR"), (["--model", "nonsense"], "no model named 'nonsense'"),
     (["--size=0", "."], "at least 1")],
)  # fmt: skip
def test_what_is_not_there_is_said_before_anything_is_served(wrong, word, tmp_path):
    command = [sys.executable, "-m", "utils.app", *wrong]
    around = os.environ | {"CIFAR10_DIR": str(tmp_path)}
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=around)
    assert told.returncode != 0
    assert word in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    "images, model",
    [([], "cnn"), (["emoji"], "cnn"), (["cifar10"], "cnn-photos"), (["train/cat"], "cnn-photos"),
     (["train/cat", "--model=vit"], "vit")],
)  # fmt: skip
def test_drawings_are_compared_by_one_network_and_photos_by_another(
    images, model, tmp_path, monkeypatch
):
    for split in ("train", "test"):
        (tmp_path / split / "cat").mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(tmp_path / split / "cat" / "one.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["utils.app", *images])
    for name in ("PICTURES", "MODEL", "PAIR", "JUPYTER_PATH"):  # which main() leaves to the page
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("CIFAR10_DIR", str(tmp_path))
    asked = []
    monkeypatch.setattr(starter, "serve", lambda *_, **__: asked.append(os.environ["MODEL"]))
    starter.main()
    assert asked == [model]
