"""S3 by a real server, Lambda's handler, the container's steps, the template."""

import base64
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import distribution
from pathlib import Path

import boto3
import httpx
import pytest
from botocore.config import Config
from cfnlint.api import lint_file
from conftest import network_of
from fastapi.testclient import TestClient
from moto.server import ThreadedMotoServer
from packaging.requirements import Requirement
from service_server import KEY, TOKEN, serving

from service.api import create_app
from service.gallery import open_gallery
from service.ingest import main
from service.models import EXAMPLE
from service.settings import Settings
from service.store import LocalStore, S3Store
from utils import ROOT

SERVICE = ROOT / "service"


@pytest.fixture(scope="module")
def s3():
    """An S3 server on this machine, found as boto3 finds any: by the environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    told = {"AWS_ENDPOINT_URL_S3": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1"}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in told.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="pictures")
        yield boto3.client("s3")
    server.stop()


@pytest.fixture(params=["folder", "S3"])
def store(request, tmp_path):
    if request.param == "folder":
        return LocalStore(tmp_path)
    request.getfixturevalue("s3")
    return S3Store("pictures")


def test_every_store_gives_back_what_was_put_and_knows_what_it_has_not(store):
    for data in (b"one", b"another"):
        store.put("a-picture", data)
        assert store.get("a-picture") == data
    store.delete("a-picture")
    for forgotten in (store.get, store.delete):
        with pytest.raises(KeyError):
            forgotten("a-picture")
    assert store.url("a-picture") == "images/a-picture"


def test_a_bucket_that_cannot_be_reached_is_a_matter_of_the_connection():
    options = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    patience = Config(connect_timeout=1, retries={"max_attempts": 0})
    client = boto3.client("s3", endpoint_url="http://127.0.0.1:9", config=patience, **options)
    store = S3Store("pictures", client=client)
    for ask in (store.get, store.delete, lambda id: store.put(id, b"one")):
        with pytest.raises(ConnectionError):
            ask("a-picture")


def test_a_bucket_that_is_not_there_is_one_clear_sentence(s3, album, gallery_folder, capsys):
    assert main([str(album), "--gallery", str(gallery_folder), "--bucket", "none-such"]) == 1
    assert "bucket does not answer as it should: " in capsys.readouterr().err
    with pytest.raises(ConnectionError, match="NoSuchBucket"):
        S3Store("none-such").put("a-picture", b"one")


def test_a_gallery_in_s3_is_ingested_searched_and_changed(s3, album, finished, tmp_path, capsys):
    network_of(finished, tmp_path)
    assert main([str(album), "--gallery", str(tmp_path), "--bucket", "pictures"]) == 0
    assert not (tmp_path / "pictures").exists()
    settings = Settings(
        token=TOKEN, bucket="pictures", pictures_address="https://cdn.example/gallery/"
    )
    gallery = open_gallery(tmp_path, settings)
    keys = {it["Key"] for it in s3.list_objects_v2(Bucket="pictures")["Contents"]}
    assert keys == {f"images/{id}" for id in gallery.index.ids} and len(keys) == 30
    with TestClient(create_app(gallery, settings)) as client:
        file = {"image": (album / "odd" / "Drawing 3.png").read_bytes()}
        (url, score), *_ = client.post("/search", files=file).json()["results"].items()
        assert url.startswith("https://cdn.example/gallery/images/odd-drawing-3-") and score == 0
        kept = client.post("/images", files=file, headers=KEY).json()["id"]
        head = s3.head_object(Bucket="pictures", Key=f"images/{kept}")
        assert head["ContentType"] == "image/webp"
        assert client.get(f"/images/{kept}").headers["content-type"] == "image/webp"
        assert client.delete(f"/images/{kept}", headers=KEY).status_code == 204
        assert client.get(f"/images/{kept}").status_code == 404


def test_a_gallery_that_moves_to_s3_takes_its_pictures_along(s3, album, gallery_folder):
    s3.create_bucket(Bucket="moved")
    for _ in range(2):
        assert main([str(album), "--gallery", str(gallery_folder), "--bucket", "moved"]) == 0
        keys = {it["Key"] for it in s3.list_objects_v2(Bucket="moved")["Contents"]}
        gallery = open_gallery(gallery_folder, Settings())
        assert keys == {f"images/{id}" for id in gallery.index.ids} and len(keys) == 30


HANDLE = """
import json, sys
from service.aws import handler
events = json.load(sys.stdin)
print(json.dumps([handler(event, None) for event in events]))
heavy = {"torch", "scipy", "sklearn", "pandas", "transformers"} & set(sys.modules)
assert not heavy, heavy
"""


def event(method, path, body=b"", kind="application/json"):
    """What a function URL hands to Lambda (payload format 2.0)."""
    return {
        "version": "2.0", "rawPath": path, "rawQueryString": "", "isBase64Encoded": True,
        "headers": {"content-type": kind, "host": "abc.lambda-url.on.aws"},
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "192.0.2.1"}},
        "body": base64.b64encode(body).decode(),
    }  # fmt: skip


def handle(events, folder, python=sys.executable, cwd=ROOT):
    done = subprocess.run(
        [python, "-c", HANDLE],
        input=json.dumps(events),
        env=os.environ | {"LOOKALIKE_GALLERY": str(folder)},
        cwd=cwd,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_lambda_answers_as_the_server_does_up_to_four_megabytes(finished, album):
    text = base64.b64encode((album / "odd" / "Drawing 3.png").read_bytes())
    asked = b'{"k": 3, "image": "%s"}' % text
    large = b'{"image": "%s"}' % base64.b64encode(bytes(4_000_001))
    search, image, health, refused, off = handle([
        event("POST", "/search", asked), event("GET", "/"), event("GET", "/health"),
        event("POST", "/search", large), event("POST", "/images", asked),
    ], finished)  # fmt: skip
    results = json.loads(search["body"])["results"]
    assert len(results) == 3 and next(iter(results.values())) == 0
    assert next(iter(results)).startswith("https://abc.lambda-url.on.aws/images/odd-drawing-3-")
    assert "Lookalike" in image["body"] and json.loads(health["body"])["pictures"] == 30
    assert (refused["statusCode"], off["statusCode"]) == (413, 403)


def test_a_gallery_on_a_disk_that_cannot_be_written_is_searched(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "gallery")
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = sorted(folder.rglob("*"))
    assert len(open_gallery(folder, Settings())) == 30
    assert sorted(folder.rglob("*")) == before


def lines():
    """Instruction and words of each line of the Dockerfile."""
    text = re.sub(r"^#.*\n", "", (SERVICE / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    return [line.split(maxsplit=1) for line in text.splitlines() if line]


def closure(names):
    """The installed distributions that these requirements bring."""
    found, left = {}, [Requirement(name) for name in names]
    while left:
        wanted = left.pop()
        known = (wanted.name.lower(), frozenset(wanted.extras))
        if known in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        found[known] = distribution(wanted.name)
        assert found[known].version in wanted.specifier, wanted
        for text in found[known].requires or []:
            more = Requirement(text)
            extras = wanted.extras or {""}
            if not more.marker or any(more.marker.evaluate({"extra": it}) for it in extras):
                more.marker = None
                left.append(more)
    return list(found.values())


@pytest.fixture(scope="module")
def container(finished, tmp_path_factory):
    """What the Dockerfile's steps make, in a clean folder: the folder and its python.

    Nothing is downloaded: `pip install` is played by links to what is installed here, and to
    nothing that the requirements do not bring.
    """
    context, place = tmp_path_factory.mktemp("context"), tmp_path_factory.mktemp("container")
    for room in ("utils", "service"):
        shutil.copytree(ROOT / room, context / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(finished, context / "gallery")
    app, packages = place / "app", place / "packages"
    packages.mkdir()
    venv.create(place / "python", symlinks=True)
    python = place / "python" / "bin" / "python"
    for step, words in lines():
        if step == "COPY":
            source, target = words.split()
            (app / target).parent.mkdir(parents=True, exist_ok=True)
            if (context / source).is_dir():
                shutil.copytree(context / source, app / target, dirs_exist_ok=True)
            else:
                shutil.copy(context / source, app / target)
        elif step == "RUN" and words.startswith("pip install"):
            named = app / shlex.split(words)[-1]
            wanted = [it for it in named.read_text("utf-8").splitlines() if it[0] != "#"]
            wanted = [it for it in wanted if not it.startswith("awslambdaric")]  # Lambda's own
            for one in closure(wanted):
                for top in {Path(str(file)).parts[0] for file in one.files or []} - {".."}:
                    here = Path(str(one.locate_file(top)))
                    if here.exists() and not (packages / top).exists():
                        (packages / top).symlink_to(here)
        elif step == "RUN":
            run = [python, *shlex.split(words)[1:]]
            subprocess.run(run, cwd=app, check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(packages))
        patch.delenv("PYTHONHOME", raising=False)
        yield app, python


def test_the_containers_steps_make_a_server_that_answers_in_a_clean_folder(container, album):
    app, python = container
    command = json.loads(next(words for step, words in reversed(lines()) if step == "CMD"))
    assert command[:4] == ["python", "-m", "service", "--gallery"]
    with serving(app / command[4], python=python, cwd=app) as (_, address):
        file = (album / "even" / "Drawing 0.png").read_bytes()
        results = httpx.post(f"{address}/search", files={"image": file}).json()["results"]
        assert next(iter(results.values())) == 0 and len(results) == 10
        assert httpx.get(next(iter(results))).status_code == 200
        assert "Lookalike" in httpx.get(address).text


def test_the_containers_steps_make_a_lambda_that_answers(container):
    app, python = container
    named = json.loads(next(words for step, words in lines() if step == "CMD"))
    assert named == ["service.aws.handler"]
    told = [event("POST", "/search", json.dumps({"image": EXAMPLE}).encode())]
    assert handle(told, app / "gallery", python, app)[0]["statusCode"] == 200


def test_the_container_has_no_torch_and_runs_as_nobody(container):
    app, python = container
    done = subprocess.run([python, "-c", "import torch"], cwd=app, capture_output=True)
    assert done.returncode == 1
    assert dict(lines())["USER"].split(":")[0] not in ("0", "root")
    size = sum(path.stat().st_size for path in app.rglob("*") if path.is_file())
    assert size < 30_000_000


def test_the_container_takes_the_ranges_of_the_course():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    course = {*project["dependencies"], *project["optional-dependencies"]["serve"]}
    text = (SERVICE / "requirements.txt").read_text("utf-8")
    wanted = {line for line in text.splitlines() if not line.startswith("#")}
    assert wanted - course == {"awslambdaric>=2"}


def test_nothing_outside_the_container_is_copied_into_it():
    kept = (ROOT / ".dockerignore").read_text("utf-8").split()
    sources = {words.split()[0].split("/")[0] for step, words in lines() if step == "COPY"}
    assert {line[1:] for line in kept if line.startswith("!")} == sources


def test_the_template_is_one_that_cloudformation_takes():
    assert [str(match) for match in lint_file(SERVICE / "template.yaml")] == []
