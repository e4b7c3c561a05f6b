"""The figures of the deck of lesson 10, made with the service itself."""

import base64
import contextlib
import io
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import skimage.data
from matplotlib import pyplot as plt
from matplotlib import rc_context
from PIL import ExifTags, Image

from service.ingest import make_gallery
from service.pictures import encode, receive
from service.settings import Settings
from tools.figures.serve_it_charts import cost, percentiles, queue
from tools.figures.serve_it_drawings import (
    arrow,
    block,
    canvas,
    checks,
    cold_start,
    disk_first,
    on_aws,
    whose_fault,
    workers,
)
from tools.figures.shared import BIG, save, save_page, without_openmoji
from tools.serving import free_port, served
from tools.slides import browser
from utils.distances import nearest
from utils.embed import embed
from utils.images import load_images, png
from utils.models import load_model
from utils.plots.style import COLOURS, GREY, RIGHT, WRONG

ASKED = "noto/lion"


@contextlib.contextmanager
def service_served() -> Iterator[str]:
    """The service on the test drawings that figures may show; its address."""
    pictures = without_openmoji(load_images("emoji", "test"))
    with tempfile.TemporaryDirectory() as place:
        for i, image in enumerate(pictures.images):
            folder = Path(place) / "pictures" / pictures.label_of(i)
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{pictures.ids[i].partition('/')[0]}.png")
        gallery = make_gallery(f"{place}/pictures", "cnn", Path(place) / "gallery")
        url = f"http://127.0.0.1:{free_port()}"
        command = [sys.executable, "-m", "service", "--gallery", str(gallery)]
        with served([*command, "--port", url.rpartition(":")[2]], f"{url}/health"):
            yield url


def asked_with() -> bytes:
    pictures = load_images("emoji", "test")
    return png(pictures.images[pictures.ids.index(ASKED)])


def as_json(data: bytes, k: int = 10) -> dict[str, Any]:
    return {"image": base64.b64encode(data).decode(), "k": k}


def service_page() -> None:
    """The service's page, asked with a lion."""
    with service_served() as url, browser() as chromium:
        window = {"width": 1240, "height": 600}
        page = chromium.new_page(viewport=window)
        page.goto(url)
        file = {"name": "lion.png", "mimeType": "image/png", "buffer": asked_with()}
        page.locator("#file").set_input_files([file])
        page.locator("#results li").nth(9).wait_for()
        page.wait_for_function("[...document.images].every(image => image.complete)")
        told = "The service's page in a browser: a lion that was dropped on it, and its ten answers"
        save_page(page, "service_page", told)


def contract() -> None:
    """A question and its answer as they go over the wire."""
    body = as_json(asked_with(), 3)
    with service_served() as url:
        results = httpx.post(f"{url}/search", json=body).raise_for_status().json()["results"]
        found = [Image.open(io.BytesIO(httpx.get(each).content)) for each in results]
    question = ["{", f'  "image": "{body["image"][:11]}…",', f'  "k": {body["k"]}', "}"]
    named = [f'  "…/{each.rpartition("/")[2][:-17]}": {far:.2f}' for each, far in results.items()]
    with rc_context(BIG):
        figure, axes = canvas(5.2)
        block(axes, (9.9, 0.2), (2.05, 4.8), ["service"], GREY, first=26)
        for top, lines in ((4.75, question), (2.2, ['{"results": {', *named, "}}"])):
            for i, line in enumerate(lines):
                axes.text(4.4, top - 0.4 * i, line, fontsize=19, family="monospace", va="center")
        axes.imshow(Image.open(io.BytesIO(asked_with())), extent=(1.05, 2.85, 3.25, 5.05))
        for i, picture in enumerate(found):
            axes.imshow(picture, extent=(0.05 + 1.25 * i, 1.2 + 1.25 * i, 0.8, 1.95))
        for start, end in (((3.2, 4.15), (4.2, 4.15)), ((9.0, 4.15), (9.9, 4.15)),
                           ((9.9, 1.4), (9.0, 1.4)), ((4.4, 1.4), (3.8, 1.4))):  # fmt: skip
            arrow(axes, start, end)
        axes.set(xlim=(0, 12), ylim=(0, 5.2), aspect="auto")
    told = f"Asked: a picture in base64 and k = 3; answered: {'; '.join(named)}"
    save(figure, "contract", told)


def hostile() -> dict[str, dict[str, Any]]:
    """What strangers send, as arguments for httpx."""
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    file = asked_with()
    return {
        "a text": {"json": as_json(b"I am a picture.")},
        "half a file": {"json": as_json(file[: len(file) // 2])},
        "an SVG with a script": {"json": as_json(svg)},
        f"{len(bomb.getvalue()) / 1000:.0f} kB, 400 million pixels": {
            "json": as_json(bomb.getvalue())
        },
        "11 MB": {"json": as_json(bytes(11_000_000))},
        "k = −1": {"json": as_json(file, -1)},
    }


def strangers() -> None:
    """What is sent, the number and the sentence that come back."""
    with service_served() as url:
        replies = {
            name: httpx.post(f"{url}/search", timeout=60, **sent)
            for name, sent in hostile().items()
        }
        replies["images/../../etc/passwd"] = httpx.get(f"{url}/images/..%2F..%2Fetc%2Fpasswd")
    with rc_context(BIG):
        figure, axes = canvas(5.4)
        for i, (name, reply) in enumerate(replies.items()):
            y = 5.0 - 0.77 * i
            if i % 2 == 0:
                axes.axhspan(y - 0.385, y + 0.385, color="#f3f6f8", linewidth=0)
            sentence = textwrap.fill(reply.json()["detail"], 48)
            axes.text(0.1, y, textwrap.fill(name, 26), va="center", fontsize=18)
            axes.text(4.9, y, str(reply.status_code), va="center", ha="center", fontsize=22,
                      weight="bold", color=RIGHT)  # fmt: skip
            axes.text(5.7, y, sentence, va="center", fontsize=17, linespacing=1.1)
    told = "; ".join(f"{name}: {reply.status_code}" for name, reply in replies.items())
    save(figure, "strangers", f"What strangers send and what they read. {told}")


def exif() -> None:
    """A photo with what its file tells, and what is kept of it."""
    sent = Image.Exif()
    sent[ExifTags.Base.Make], sent[ExifTags.Base.Artist] = "a phone", "a name"
    sent.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2025:05:01 10:12:33"
    place = sent.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef], place[ExifTags.GPS.GPSLatitude] = "N", (51.0, 28.0, 40.0)
    place[ExifTags.GPS.GPSLongitudeRef], place[ExifTags.GPS.GPSLongitude] = "W", (0.0, 0.0, 5.0)
    file = io.BytesIO()
    Image.fromarray(skimage.data.chelsea()).save(file, "JPEG", quality=95, exif=sent)
    before = Image.open(io.BytesIO(file.getvalue()))
    kept = receive(file.getvalue(), Settings().max_pixels)
    after = Image.open(io.BytesIO(encode(kept)))
    if after.getexif():
        raise ValueError("The kept picture still tells something.")
    told = before.getexif()
    gps = told.get_ifd(ExifTags.IFD.GPSInfo)
    where = [f"{float(d):.0f}°{float(m):.0f}′{float(s):.0f}″" for d, m, s in (gps[2], gps[4])]
    lines = [
        f"made by: {told[ExifTags.Base.Make]}",
        f"by whom: {told[ExifTags.Base.Artist]}",
        f"when: {told.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal]}",
        f"where: {where[0]} {gps[1]}, {where[1]} {gps[3]}",
    ]
    with rc_context(BIG):
        figure, axes = canvas(5.2)
        for x, wide, picture, title, below in (
            (0.1, 4.8, before, "what was sent", "\n".join(lines)),
            (6.6, 4.8 * after.width / before.width, after, "what is kept", "only its pixels"),
        ):  # at the same scale
            low = 4.6 - wide * picture.height / picture.width
            axes.imshow(np.asarray(picture.convert("RGB")), extent=(x, x + wide, low, 4.6))
            size = f"{picture.width} × {picture.height}"
            axes.text(x, 4.9, f"{title}, {size}", va="center", fontsize=21, weight="bold")
            axes.text(x, low - 0.1, below, va="top", fontsize=19, linespacing=1.25)
        axes.set(xlim=(0, 12), ylim=(0, 5.2), aspect="auto")
    alt = f"A photo of a cat whose file tells {', '.join(lines)}; kept without that"
    save(figure, "exif", alt, dpi=96)


def given_away() -> None:
    """Three circles that meet in a hidden point, and vectors rebuilt from answers."""
    pictures = load_images("emoji", "test")
    vectors, at = embed(load_model("cnn"), pictures), np.arange(len(pictures))
    mine = np.random.default_rng(0).permutation(at[at % 5 > 0])
    who, apart = nearest(vectors[mine], vectors[at % 5 == 0], 100, "euclidean")
    counts, cosines = (50, 100, 200, 300, 400, 500, 600), []
    for count in counts:
        near = []
        for picture in range(20):
            asked, place = np.nonzero(who[:count] == picture)
            products = 1 - apart[asked, place] ** 2 / 2
            guess = np.linalg.lstsq(vectors[mine[asked]], products, rcond=None)[0]
            near.append(guess @ vectors[5 * picture] / np.linalg.norm(guess))
        cosines.append(float(np.median(near)))
    hidden, points = np.array((3.1, 2.6)), np.array(((1.9, 3.3), (4.6, 3.1), (3.3, 1.35)))
    with rc_context(BIG):
        figure, axes = canvas(5.2)
        for name, point in zip(("lion", "fountain", "trumpet"), points, strict=True):
            radius = np.linalg.norm(point - hidden)
            axes.add_patch(plt.Circle(point, radius, fill=False, color=GREY, linewidth=2))
            image = pictures.images[pictures.ids.index(f"noto/{name}")]
            axes.imshow(image, extent=(*(point[0] + (-0.35, 0.35)), *(point[1] + (-0.35, 0.35))))
        axes.plot(*hidden, "o", color=WRONG, markersize=34, zorder=3)
        axes.text(*hidden, "?", ha="center", va="center", color="white", fontsize=26, weight="bold")
        axes.set(xlim=(0, 12), ylim=(0, 5.2), aspect="equal")
        curve = figure.add_axes((0.63, 0.19, 0.35, 0.66))
        curve.plot(counts, cosines, "o-", color=COLOURS[0], linewidth=3)
        curve.set(xlabel="questions asked", ylim=(min(cosines) - 0.05, 1.04))
        curve.set_title("cosine of rebuilt and hidden vector", loc="left", fontsize=17)
    told = f"the cosine is {cosines[0]:.2f} after {counts[0]} questions, {cosines[-1]:.3f} after "
    told += f"{counts[-1]}"
    save(
        figure, "given_away", f"Three circles meet in the hidden picture; of rebuilt vectors {told}"
    )


DRAWN = (
    service_page, contract, whose_fault, strangers, checks, disk_first, percentiles,
    queue, on_aws, cold_start, cost, exif, given_away, workers,
)  # fmt: skip
