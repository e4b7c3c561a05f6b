"""The service seen from outside: the thesis's contract, adding, removing, what is kept of whom."""

import base64
import io
import json
import os
import re
import shutil
import sqlite3
import tempfile
import threading
import time
from dataclasses import replace

import httpx
import numpy as np
import psutil
import pytest
from conftest import make_cnn, network_of
from fastapi.testclient import TestClient
from PIL import Image
from qdrant_server import Server
from service_server import KEY, TOKEN, serving

import utils.models
from benchmarks.service import load
from service import __main__ as server
from service import ingest
from service.api import create_app
from service.gallery import open_gallery
from service.index import SqliteIndex
from service.ingest import make_gallery, weights_of
from service.models import EXAMPLE
from service.pictures import SIDE, encode, keep, name
from service.settings import Settings
from tools.serving import free_port
from utils import ROOT
from utils.index import ExactIndex, QdrantIndex
from utils.models import save_compact

RNG = np.random.default_rng(0)


def picture_file(width=40, height=30, format="png", **options):
    pixels = RNG.integers(0, 256, (height, width, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


def post(client, data, **more):
    return client.post("/search", json={"image": base64.b64encode(data).decode(), **more})


def client_of(folder, **settings):
    settings = Settings(**settings)
    return TestClient(create_app(open_gallery(folder, settings), settings))


def moved(album, folder, photos):
    """The album in another place, as the gallery in `folder` is told."""
    (folder / "images.txt").unlink()
    return shutil.copytree(album, photos)


@pytest.fixture(scope="module")
def reader(finished):
    """A client that may only search."""
    with client_of(finished) as client:
        yield client


@pytest.fixture
def writer(gallery_folder):
    """A client whose token may change the gallery."""
    with client_of(gallery_folder, token=TOKEN) as client:
        yield client


def test_a_picture_of_the_gallery_finds_itself_at_0_and_nine_more_by_distance(reader, album):
    file = (album / "even" / "Drawing 4.png").read_bytes()
    answer = post(reader, file, k=10)
    assert answer.status_code == 200 and list(answer.json()) == ["results"]
    results = answer.json()["results"]
    assert len(results) == 10 and list(results.values()) == sorted(results.values())
    first, score = next(iter(results.items()))
    assert score == 0.0 and "/images/even-drawing-4-" in first
    itself = reader.get(first)
    assert itself.headers["content-type"] == "image/webp"
    assert next(iter(post(reader, itself.content).json()["results"].items())) == (first, 0.0)


def test_scores_are_euclidean_distances_of_what_the_course_embeds(reader, finished, album):
    from utils.embed import embed
    from utils.images import load_images
    from utils.models import load_model

    pictures = load_images(album, size=32)
    vectors = embed(load_model("cnn-photos"), pictures, cache=False)
    apart = np.linalg.norm(vectors - vectors[7], axis=1)
    results = post(reader, (album / pictures.ids[7]).read_bytes(), k=30).json()["results"]
    np.testing.assert_allclose(list(results.values()), np.sort(apart), atol=2e-3)
    assert len(results) == 30


def test_a_form_with_a_file_asks_the_same(reader, album):
    file = (album / "odd" / "Drawing 3.png").read_bytes()
    answer = reader.post("/search", files={"image": file}, data={"k": 4})
    assert answer.json() == post(reader, file, k=4).json()


def test_ten_unless_asked_otherwise_and_no_more_than_there_are(reader):
    assert len(post(reader, picture_file()).json()["results"]) == 10
    assert len(post(reader, picture_file(), k=1000).json()["results"]) == 30


def test_no_more_than_the_service_gives_at_most(finished):
    with client_of(finished, max_results=5) as few:
        assert len(post(few, picture_file(), k=1000).json()["results"]) == 5


@pytest.mark.parametrize("body, status, word", [
    ({}, 422, "image"), ({"image": "aaaa"}, 422, "whole picture"), ({"image": "a"}, 422, "ase64"),
    ({"image": EXAMPLE, "k": 0}, 422, "k"), ({"image": EXAMPLE, "k": "x"}, 422, "k"),
    ({"image": EXAMPLE[:60]}, 422, "picture"), ({"image": 7}, 422, "image"),
])  # fmt: skip
def test_what_cannot_be_answered_is_told_in_a_sentence(reader, body, status, word):
    answer = reader.post("/search", json=body)
    assert answer.status_code == status
    assert list(answer.json()) == ["detail"] and word in answer.json()["detail"]


def test_the_example_on_the_api_page_works(reader):
    assert reader.post("/search", json={"image": EXAMPLE, "k": 3}).status_code == 200
    page = reader.get("/docs").text
    assert "/static-offline-docs/" in page and "//cdn" not in page


def test_adding_and_removing_is_off_unless_there_is_a_token_and_known(reader, writer):
    for client, given, status in ((reader, KEY, 403), (writer, {}, 401), (
        writer, {"authorization": "Bearer guess"}, 401)):  # fmt: skip
        assert client.post("/images", json={"image": EXAMPLE}, headers=given).status_code == status
        assert client.delete("/images/abc", headers=given).status_code == status


def test_a_picture_added_is_found_and_removed_is_gone_also_after_a_restart(gallery_folder):
    file = picture_file(500, 200)
    with client_of(gallery_folder, token=TOKEN) as client:
        answer = client.post("/images", files={"image": file}, headers=KEY)
        assert answer.status_code == 201
        again = client.post("/images", files={"image": file}, headers=KEY)
        assert (again.status_code, again.json()) == (200, answer.json())
    url, id = answer.json()["url"], answer.json()["id"]
    with client_of(gallery_folder, token=TOKEN) as client:
        assert post(client, file, k=1).json()["results"] == {url: 0.0}
        assert max(Image.open(io.BytesIO(client.get(url).content)).size) == SIDE
        assert client.delete(f"/images/{id}", headers=KEY).status_code == 204
        assert client.delete(f"/images/{id}", headers=KEY).status_code == 404
    with client_of(gallery_folder) as client:
        assert client.get(url).status_code == 404 and url not in post(client, file).text
        assert client.get("/health").json() == {"status": "ok", "pictures": 30}


def test_a_removal_cut_short_can_be_finished(writer, gallery_folder):
    id = writer.post("/images", files={"image": picture_file()}, headers=KEY).json()["id"]
    writer.app.state.gallery.index.remove([id])  # and then the power went
    assert writer.delete(f"/images/{id}", headers=KEY).status_code == 204
    assert not (gallery_folder / "pictures" / f"{id}.webp").exists()


def test_nothing_is_kept_of_a_picture_that_only_asks(gallery_folder, writer):
    before = {path: path.stat().st_mtime_ns for path in gallery_folder.rglob("*")}
    post(writer, picture_file())
    assert before == {path: path.stat().st_mtime_ns for path in gallery_folder.rglob("*")}


def test_a_large_form_that_only_asks_does_not_touch_the_disk_either(reader, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no such folder"))
    file = picture_file(1200, 800)
    assert len(file) > 2_000_000
    answer = reader.post("/search", files={"image": file}, data={"k": 4})
    assert answer.json() == post(reader, file, k=4).json() and answer.status_code == 200


def test_what_is_kept_is_pixels_without_place_time_or_anything_appended(writer):
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "home, sweet home", 6
    file = picture_file(60, 40, "jpeg", exif=exif) + b"<script>alert(1)</script>"
    url = writer.post("/images", files={"image": file}, headers=KEY).json()["url"]
    answer = writer.get(url)
    kept = Image.open(io.BytesIO(answer.content))
    assert kept.size == (40, 60) and not kept.getexif()
    assert b"home" not in answer.content and b"script" not in answer.content
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_a_kept_picture_kept_again_is_the_same_and_has_the_same_id():
    picture = keep(picture_file(700, 500, "jpeg"))
    again = keep(encode(picture))
    assert again.tobytes() == picture.tobytes() and again.size == (SIDE, 229)
    assert name(picture, "Ünique tîtle!") == f"unique-title-{name(again)}"


def test_other_sites_may_not_ask_unless_they_are_named(reader, finished):
    asking = {"origin": "https://other.example", "access-control-request-method": "POST"}
    assert "access-control-allow-origin" not in reader.options("/search", headers=asking).headers
    with client_of(finished, origins=("https://other.example",)) as client:
        told = client.options("/search", headers=asking).headers
    assert told["access-control-allow-origin"] == "https://other.example"


def test_metrics_count_by_route_and_never_by_what_strangers_choose(finished):
    with client_of(finished) as client:
        for path in ("/images/a1", "/images/b2", "/never-heard-of", "/../x"):
            client.get(path)
        client.request("BREW", "/pot")
        told = client.get("/metrics").text
    assert 'method="GET",path="/images/{id}",status="404"} 2.0' in told
    assert "never-heard" not in told and "BREW" not in told
    assert "lookalike_pictures 30.0" in told


def test_an_error_of_ours_shows_nothing_of_the_inside(finished):
    app = create_app(open_gallery(finished, Settings()))
    app.state.gallery.encoder = None
    answer = post(TestClient(app, raise_server_exceptions=False), picture_file())
    assert answer.status_code == 500 and "NoneType" not in answer.text


@pytest.mark.parametrize("address", ["https://pictures.example/", "https://a.example/lookalike"])
def test_the_address_can_be_another_than_that_asked(finished, address):
    with client_of(finished, address=address) as client:
        urls = post(client, picture_file()).json()["results"]
    assert all(url.startswith(f"{address.rstrip('/')}/images/") for url in urls)


def test_the_page_names_each_variable_that_is_read_and_no_other():
    code = (ROOT / "service/settings.py").read_text("utf-8")
    read = {f"LOOKALIKE_{name}" for name in re.findall(r'\bget\("([A-Z_]+)"', code)}
    read = read - {"LOOKALIKE_QDRANT_URL"} | {"QDRANT_URL", "QDRANT_API_KEY"}
    page = (ROOT / "service/README.md").read_text("utf-8")
    table = {name for row in re.findall(r"^\|(.*?)\|", page, re.M) for name in row.split("`")[1::2]}
    assert len(read) > 5 and table == read


def test_settings_come_from_the_environment():
    told = {
        "LOOKALIKE_TOKEN": " t\n",  # as a file of secrets ends
        "LOOKALIKE_ADDRESS": "https://pictures.example/",
        "LOOKALIKE_ORIGINS": "https://a.example, https://b.example,",
        "LOOKALIKE_BUCKET": "mine",
        "LOOKALIKE_PICTURES_ADDRESS": "https://cdn.example/",
        "LOOKALIKE_COLLECTION": "shared",
        "LOOKALIKE_MAX_MEGABYTES": "4",
        "QDRANT_URL": "http://q:6333",
    }
    assert Settings.from_environment(told) == Settings(
        token="t",
        address="https://pictures.example/",
        origins=("https://a.example", "https://b.example"),
        bucket="mine",
        pictures_address="https://cdn.example/",
        qdrant_url="http://q:6333",
        collection="shared",
        max_bytes=4_000_000,
    )
    assert Settings.from_environment({}) == Settings()
    assert Settings.from_environment({"LOOKALIKE_COLLECTION": ""}) == Settings()


@pytest.mark.parametrize("number", ["many", "0", "-3", "2.5", "1e3", ""])
def test_a_size_that_is_no_whole_number_starts_no_service(number, finished, monkeypatch, capsys):
    monkeypatch.setenv("LOOKALIKE_MAX_MEGABYTES", number)
    assert server.main(["--gallery", str(finished)]) == 1
    told = f"LOOKALIKE_MAX_MEGABYTES must be a whole number from 1, not {number!r}.\n"
    assert capsys.readouterr().err == told


def test_the_index_finds_what_the_exact_one_finds(tmp_path):
    vectors = RNG.normal(size=(500, 16)).astype(np.float32)
    vectors[100:200] = vectors[0] + 1e-7 * vectors[100:200]  # nearly the same
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ours, exact = SqliteIndex(tmp_path / "i.sqlite"), ExactIndex("euclidean")
    ids = [str(i) for i in range(500)]
    for index in (ours, exact):
        index.add(ids, vectors)
        index.remove(ids[300:350])
    for k in (1, 10, 450):
        found, apart = ours.search(vectors[:120], k)
        expected, distances = exact.search(vectors[:120], k)
        np.testing.assert_allclose(apart, distances, atol=1e-6)
        if k == 1:
            assert (apart == 0).all() and (found == expected).all()
    with pytest.raises(ValueError, match="k must be"):
        ours.search(vectors, 451)
    none, apart = ours.search(vectors[:0], 3)
    assert none.shape == apart.shape == (0, 3)
    ours.save(tmp_path / "copy")
    assert SqliteIndex.load(tmp_path / "copy", "").ids == ours.ids


def test_an_index_that_is_none_or_of_another_model_is_refused(tmp_path):
    SqliteIndex(tmp_path / "a", "one").close()
    with pytest.raises(ValueError, match="'one'"):
        SqliteIndex(tmp_path / "a", "other")
    (tmp_path / "b").write_bytes(b"no database, this" * 100)
    with pytest.raises(ValueError, match="not an index"):
        SqliteIndex(tmp_path / "b", "one")
    with pytest.raises(FileNotFoundError, match=r"no index at .*service\.ingest.*QDRANT_URL"):
        SqliteIndex(tmp_path / "c", "one", read_only=True)


def test_an_index_cut_off_in_a_change_is_whole_again_once_it_may_be_written(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(100, 64)).astype(np.float32)
    SqliteIndex(tmp_path / "index", "one").add([f"p{i}" for i in range(100)], vectors)
    changing = sqlite3.connect(tmp_path / "index", isolation_level=None)
    changing.execute("PRAGMA cache_size = 1")  # so that pages are written before the commit
    changing.execute("BEGIN")
    changing.execute("UPDATE pictures SET vector = zeroblob(256)")
    (tmp_path / "cut").mkdir()
    for part in ("index", "index-journal"):
        shutil.copy(tmp_path / part, tmp_path / "cut")
    changing.close()
    with pytest.raises(OSError, match=r"after a crash `python -m service\.ingest` has to run once"):
        SqliteIndex(tmp_path / "cut" / "index", "one", read_only=True)
    found = SqliteIndex(tmp_path / "cut" / "index", "one")
    np.testing.assert_array_equal(found.vectors, vectors)


def test_a_damaged_network_is_one_clear_sentence(gallery_folder):
    (gallery_folder / "model.onnx").write_bytes(b"")
    with pytest.raises(ValueError, match=r"model\.onnx is damaged .*delete it and run"):
        open_gallery(gallery_folder, Settings())


def test_what_a_damaged_index_says_to_delete_lets_it_be_made_again(album, gallery_folder):
    index = gallery_folder / "index.sqlite"
    index.write_bytes(b"no database, this" * 100)
    with pytest.raises(ValueError, match=r"delete it and \S+sources\*\.json, and make") as told:
        make_gallery(str(album), folder=gallery_folder)
    named = re.search(r"delete it and (\S+),", str(told.value))[1]
    for path in [index, *gallery_folder.parent.glob(os.path.relpath(named, gallery_folder.parent))]:
        path.unlink()
    make_gallery(str(album), folder=gallery_folder)
    assert len(open_gallery(gallery_folder, Settings())) == 30


@pytest.mark.parametrize("fault", ["database is locked", "unable to open"])
def test_an_index_that_cannot_be_opened_now_is_not_called_none(tmp_path, fault):
    path = tmp_path / "i.sqlite"
    if fault == "unable to open":
        path.mkdir()
    else:
        SqliteIndex(path).close()
        other = sqlite3.connect(path)
        other.execute("BEGIN EXCLUSIVE")  # as another ingest that is at work
    with pytest.raises(OSError, match=rf"cannot be opened for this \({fault}.*no other process"):
        SqliteIndex(path)


def test_the_vector_of_a_removed_picture_is_not_in_the_file_any_more(tmp_path):
    vectors = RNG.normal(size=(40, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = SqliteIndex(tmp_path / "i.sqlite")
    index.add([str(i) for i in range(40)], vectors)
    assert vectors[7].tobytes() in (tmp_path / "i.sqlite").read_bytes()
    index.remove(["7", *map(str, range(20, 40))])
    kept = (tmp_path / "i.sqlite").read_bytes()
    left = [i for i, vector in enumerate(vectors) if vector.tobytes() in kept]
    assert left == [i for i in range(20) if i != 7]


def test_an_add_that_the_disk_refuses_is_no_add(tmp_path):
    index = SqliteIndex(tmp_path / "i.sqlite")
    index.add(["a"], np.eye(3)[:1])
    index._file.execute("PRAGMA max_page_count = 1")
    index._file.execute("PRAGMA query_only = on")  # as a disk that has become read-only
    with pytest.raises(sqlite3.Error):
        index.add(["b"], np.eye(3)[1:2])
    assert index.ids == ["a"]


def test_ingesting_again_looks_only_at_what_changed(album, finished, tmp_path, monkeypatch):
    folder = shutil.copytree(finished, tmp_path / "gallery")
    photos, read = moved(album, folder, tmp_path / "photos"), []
    monkeypatch.setattr(ingest, "keep", lambda path: read.append(path) or keep(path))
    (photos / "even" / "Drawing 2.png").unlink()
    (photos / "new.png").write_bytes(picture_file())
    (photos / "broken.png").write_bytes(b"\x89PNG")
    with pytest.warns(UserWarning, match=r"broken\.png"):
        make_gallery(str(photos), folder=folder)
    assert {path.rsplit("/", 1)[1] for path in read} == {"new.png", "broken.png"}
    gallery = open_gallery(folder, Settings(token=TOKEN))
    assert len(gallery) == 30 and not any("drawing-2-" in id for id in gallery.index.ids)
    urls = (folder / "addresses.txt").read_text().split()
    assert urls == [f"images/{id}" for id in gallery.index.ids]
    gallery.remove(gallery.index.ids[0])
    gallery.index.close()
    (photos / "broken.png").unlink()
    make_gallery(str(photos), folder=folder)
    assert len(open_gallery(folder, Settings())) == 29, "what was removed came back"


def test_a_file_that_was_touched_moved_away_or_copied_keeps_its_picture(album, finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "gallery")
    photos = moved(album, folder, tmp_path / "photos")
    one, twin = photos / "even" / "Drawing 2.png", photos / "even" / "Drawing 2.bmp"
    Image.open(one).save(twin)

    def answered():
        make_gallery(str(photos), folder=folder)
        gallery = open_gallery(folder, Settings())
        ids = [id for id in gallery.index.ids if "drawing-2-" in id]
        assert all(gallery.store.get(id) for id in gallery.index.ids)
        return len(gallery), len(ids)

    assert answered() == (30, 1), "two files of the same pixels and name are one picture"
    os.utime(one, (1, 1))
    assert answered() == (30, 1)
    twin.unlink()
    assert answered() == (30, 1), "it went with its copy"
    one.rename(tmp_path / "away.png")
    assert answered() == (29, 0)
    (tmp_path / "away.png").rename(one)
    assert answered() == (30, 1), "it came back with its old time, and was taken for known"


def test_a_gallery_keeps_the_model_that_it_was_made_with(album, tmp_path, capsys):
    asked = [str(album), "--gallery", str(tmp_path / "new")]
    assert ingest.main([*asked, "--model", "cnn"]) == 0
    assert ingest.main([*asked, "--model", "cnn-photos"]) == 1
    assert "was made with cnn, not cnn-photos; name another" in capsys.readouterr().err
    assert ingest.main(asked) == 0


def test_a_gallery_keeps_to_the_folder_that_it_was_made_of(album, gallery_folder, tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "other.png").write_bytes(picture_file())
    for source in ([str(photos)], []):  # without a folder it is the course's drawings
        assert ingest.main([*source, "--gallery", str(gallery_folder)]) == 1
        told = capsys.readouterr().err
        assert told.startswith(f"{gallery_folder} was made of {album}, not of ")
        assert told.count("\n") == 1 and "images.txt if" in told
        assert len(open_gallery(gallery_folder, Settings())) == 30
    (album.parent / "link").symlink_to(album)
    make_gallery(str(album.parent / "link"), folder=gallery_folder)


@pytest.fixture
def renewable(shipped, monkeypatch):
    """Puts weights of its own in the place of those of cnn-photos."""
    monkeypatch.setattr(ingest, "MODELS", utils.models.MODELS)
    weights = utils.models.MODELS / "cnn-photos.safetensors"
    return lambda seed, dim: save_compact(make_cnn(seed, dim), weights)


def test_new_weights_are_taken_and_what_was_added_stays(album, tmp_path, renewable, capsys):
    folder, file = tmp_path / "gallery", picture_file()
    make_gallery(str(album), folder=folder)
    with client_of(folder, token=TOKEN) as client:
        added = client.post("/images", files={"image": file}, headers=KEY).json()
    capsys.readouterr()
    make_gallery(str(album), folder=folder)
    assert capsys.readouterr().out == "", "the weights are those of before"

    renewable(seed=5, dim=12)
    store = open_gallery(folder, Settings()).store
    data = store.get(added["id"])
    store.delete(added["id"])
    with pytest.raises(FileNotFoundError, match=rf"'{added['id']}' is not there.*LOOKALIKE_BUCKET"):
        make_gallery(str(album), folder=folder)
    with pytest.raises(ValueError, match=r"service\.ingest` again, which embeds all anew"):
        open_gallery(folder, Settings())
    store.put(added["id"], data)
    capsys.readouterr()
    make_gallery(str(album), folder=folder)
    assert capsys.readouterr().out == "The network has changed: embedding 31 pictures anew …\n"

    gallery = open_gallery(folder, Settings())
    assert gallery.encoder.dim == 12 and len(gallery) == 31
    again = [gallery.encoder(keep(gallery.store.get(id))) for id in gallery.index.ids]
    np.testing.assert_array_equal(gallery.index.vectors, np.concatenate(again))
    with client_of(folder) as client:
        assert post(client, file, k=1).json()["results"] == {added["url"]: 0.0}


def test_all_weights_that_ship_have_a_name_and_those_of_libraries_none():
    names = [weights_of(model) for model in ("cnn", "cnn-photos", "vit", "efficientnet")]
    assert len({*names}) == 4 and all(names)
    assert weights_of("cnn") == weights_of("cnn-scenes")
    assert weights_of("resnet50") == weights_of("vit-base") == ""


def test_a_finished_gallery_is_not_filled_by_the_way(finished, album, capsys):
    with pytest.raises(SystemExit):
        server.main(["--gallery", str(finished), "--images", str(album)])
    assert "service.ingest" in capsys.readouterr().err


def test_a_search_beside_a_removal_answers_with_what_is_left(gallery_folder):
    gallery = open_gallery(gallery_folder, Settings(token=TOKEN))
    last, first = gallery.index.ids[-1], Image.new("RGB", (64, 64))
    encoder = gallery.encoder

    def slow(picture):  # meanwhile another removes one
        if last in gallery.index:
            gallery.remove(last)
        return encoder(picture)

    gallery.encoder = slow
    assert len(gallery.search(first, len(gallery))) == len(gallery)


def test_a_folder_in_the_home_folder_is_found(album, gallery_folder, monkeypatch):
    monkeypatch.setenv("HOME", str(album.parent))
    make_gallery(f"~/{album.name}", folder=gallery_folder)
    assert len(open_gallery(gallery_folder, Settings())) == 30


def test_a_folder_without_pictures_is_told(tmp_path, finished):
    network_of(finished, tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder"):
        make_gallery(str(tmp_path / "none"), folder=tmp_path)
    (tmp_path / "photos").mkdir()
    with pytest.raises(FileNotFoundError, match=r"service\.ingest"):
        open_gallery(tmp_path / "photos", Settings())
    (tmp_path / "photos" / "letter.txt").write_text("Dear cat,")
    with (
        pytest.warns(UserWarning, match="letter"),
        pytest.raises(FileNotFoundError, match="No pic"),
    ):
        make_gallery(str(tmp_path / "photos"), folder=tmp_path)


def test_a_folder_whose_disk_is_not_there_empties_no_gallery(album, finished, tmp_path, capsys):
    photos, folder = tmp_path / "photos", shutil.copytree(finished, tmp_path / "gallery")
    (photos / "sub-folder").mkdir(parents=True)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert ingest.main([str(photos), "--gallery", str(folder)]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "no file in" in told and "nothing was changed" in told
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert len(open_gallery(folder, Settings())) == 30


def test_workers_in_front_of_qdrant_keep_nothing_themselves(album, finished, tmp_path):
    server = Server()
    settings = {"qdrant_url": server.url, "collection": "shared", "token": TOKEN}
    network_of(finished, tmp_path)
    make_gallery(str(album), folder=tmp_path, settings=Settings(**settings))
    assert not (tmp_path / "index.sqlite").exists()
    with client_of(tmp_path, **settings) as one, client_of(tmp_path, **settings) as other:
        file = picture_file()
        url = one.post("/images", files={"image": file}, headers=KEY).json()["url"]
        results = post(other, file, k=3).json()["results"]
        assert next(iter(results)) == url and results[url] == pytest.approx(0, abs=1e-3)
        assert other.get("/health").json()["pictures"] == 31
        assert other.delete(url, headers=KEY).status_code == 204
        assert url not in post(one, file).json()["results"]
    server.shutdown()
    server.server_close()


@pytest.fixture
def qdrant():
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


def test_a_gallery_that_moves_to_qdrant_takes_its_pictures_along(album, gallery_folder, qdrant):
    settings = Settings(qdrant_url=qdrant.url)
    for _ in range(2):  # the second time there is nothing to do
        make_gallery(str(album), folder=gallery_folder, settings=settings)
        gallery = open_gallery(gallery_folder, settings)
        assert len(gallery) == len(open_gallery(gallery_folder, Settings())) == 30
    assert [what for _, what, _ in qdrant.seen].count("points/delete") == 0
    qdrant.client.delete_collection(gallery_folder.name)
    with pytest.raises(FileNotFoundError, match=r"removed since; delete .*sources-\w+\.json"):
        make_gallery(str(album), folder=gallery_folder, settings=settings)


def test_two_galleries_on_one_qdrant_server_stay_two(album, finished, tmp_path, qdrant):
    settings, single = Settings(qdrant_url=qdrant.url), tmp_path / "single"
    single.mkdir()
    (single / "picture.png").write_bytes(picture_file())
    folders = {tmp_path / "one": album, tmp_path / "another: 2?": single}
    for folder, images in folders.items():
        folder.mkdir()
        network_of(finished, folder)
        make_gallery(str(images), folder=folder, settings=settings)
    assert [len(open_gallery(folder, settings)) for folder in folders] == [30, 1]
    collections = qdrant.client.get_collections().collections
    assert {it.name for it in collections} == {"one", "another--2-"}, "Qdrant takes no : and no ?"


def test_a_collection_of_another_network_is_left_and_the_way_out_told(finished, qdrant):
    QdrantIndex(qdrant.url, finished.name, "euclidean", "older").add(["a"], np.eye(64)[:1])
    with pytest.raises(ValueError, match=r"'older'.*LOOKALIKE_COLLECTION to a new name"):
        open_gallery(finished, Settings(qdrant_url=qdrant.url))
    assert len(open_gallery(finished, Settings(qdrant_url=qdrant.url, collection="new"))) == 0


def test_a_worker_that_began_before_the_collection_was_there_answers(album, gallery_folder, qdrant):
    settings = {"qdrant_url": qdrant.url, "collection": "later"}
    with client_of(gallery_folder, **settings) as client:
        assert post(client, picture_file()).json() == {"results": {}}
        assert client.get("/health").json()["pictures"] == 0
        make_gallery(str(album), folder=gallery_folder, settings=Settings(**settings))
        assert len(post(client, picture_file()).json()["results"]) == 10
        assert client.get("/health").json()["pictures"] == 30


def test_a_search_in_qdrant_counts_nothing_and_a_look_at_its_health_only_estimates(
    album, gallery_folder, qdrant
):
    settings = {"qdrant_url": qdrant.url}
    make_gallery(str(album), folder=gallery_folder, settings=Settings(**settings))
    with client_of(gallery_folder, **settings) as client:
        qdrant.seen.clear()
        assert len(post(client, picture_file(), k=30).json()["results"]) == 30
        assert [what for _, what, _ in qdrant.seen if what] == ["points/query/batch"]
        assert len(post(client, picture_file(), k=31).json()["results"]) == 30
        qdrant.seen.clear()
        assert client.get("/health").json()["pictures"] == 30
        assert [(what, body["exact"]) for _, what, body in qdrant.seen] == [("points/count", False)]
        qdrant.faults["POST", "points/count"] = [503, 503]
        assert client.get("/health").status_code == 503
        assert qdrant.faults["POST", "points/count"] == [503], "it was asked again"


def test_a_qdrant_that_does_not_answer_is_told_and_stops_nothing(finished):
    with pytest.raises(ConnectionError):
        open_gallery(finished, replace(Settings(), qdrant_url="http://127.0.0.1:9"))

    class Gone:
        def search(self, *_):
            raise ConnectionError("no answer")

    app = create_app(open_gallery(finished, Settings()))
    app.state.gallery.index = Gone()
    assert post(TestClient(app), picture_file()).status_code == 503


def test_killed_in_mid_add_nothing_acknowledged_is_lost(gallery_folder):
    kept, lost = {}, []
    with serving(gallery_folder, LOOKALIKE_TOKEN=TOKEN) as (process, address):

        def add(files):
            for file in files:
                try:
                    told = httpx.post(f"{address}/images", files={"image": file}, headers=KEY)
                    kept[told.json()["id"]] = file
                except httpx.TransportError:
                    lost.append(file)
                    return

        batches = [[picture_file() for _ in range(200)] for _ in range(3)]
        threads = [threading.Thread(target=add, args=(batch,)) for batch in batches]
        for thread in threads:
            thread.start()
        while len(kept) < 15:
            time.sleep(0.005)
        process.kill()
        for thread in threads:
            thread.join()
    assert lost, "it was not killed in mid-add"
    with client_of(gallery_folder, token=TOKEN) as client:
        assert 30 + len(kept) <= client.get("/health").json()["pictures"] <= 30 + len(kept) + 3
        for id, file in kept.items():
            (url, apart), *_ = post(client, file, k=1).json()["results"].items()
            assert (url.rsplit("/", 1)[1], apart) == (id, 0.0)
            assert client.get(url).status_code == 200
        again = client.post("/images", files={"image": lost[0]}, headers=KEY)
        assert again.status_code in (200, 201)


def test_the_openapi_names_both_ways_to_send_a_picture(reader):
    told = reader.get("/openapi.json").json()
    ways = told["paths"]["/search"]["post"]["requestBody"]["content"]
    assert set(ways) == {"application/json", "multipart/form-data"}
    assert json.dumps(told).count("examples") > 3


def test_a_load_whose_requests_fail_is_not_measured():
    nobody = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(httpx.ConnectError):
        load(picture_file(), psutil.Process(), nobody, clients=2, seconds=0.2)
