# %% [markdown]
# # 10 · Can it live outside the notebook?
# A search in a notebook has one user. We put it behind an address, so that any program can ask with a picture, and find out what a stranger's picture may do, what survives a crash, and what a million questions cost.
#
# **After this lesson you can**
# - turn a search into a service that takes a picture in base64 and gives addresses and distances;
# - say what must be checked before a stranger's file is opened;
# - add a picture so that it is there after a crash, and show it;
# - pack it into a container, and call it without a server;
# - measure a service: answers a second, and the slowest of a hundred;
# - decide between paying by the question and paying by the month.
#
# *Before you start: lessons 00 and 06. {{results:lessons.10_serve_it.seconds:.0f}} seconds to run on two cores, no GPU, no network. `make lab` installs what the service needs; elsewhere `pip install -e ".[serve]"` does.*

# %%
from utils.course import check, start

BIG = False  # True: the gallery answers by ResNet-50, downloaded on first use
start("10_serve_it", big=BIG)

# %% [markdown]
# ## 1 · A function that speaks text
# Programs that do not know each other exchange text. A picture is bytes, so it is written as **base64**: each of 64 letters stands for six bits, and a file grows by a third. The contract of the service that we build: `{"image": base64, "k": 10}` comes in, `{"results": {address: distance}}` goes out, nearest first. Here it is as a
# function:

# %%
import base64
import json

from utils.distances import nearest
from utils.embed import embed
from utils.folder import read_picture
from utils.images import load_images, png
from utils.models import load_model
from utils.plots import show_neighbours

gallery = load_images("emoji", split="test")
cnn = load_model("cnn")
vectors = embed(cnn, gallery)


def answer(body):
    """The contract: a text comes in, a text goes out."""
    asked = json.loads(body)
    picture = read_picture(base64.b64decode(asked["image"]), size=64)
    query = embed(cnn, picture[None], cache=False)
    found, apart = nearest(query, vectors, asked["k"], "euclidean")
    ids = [gallery.ids[i] for i in found[0]]
    return json.dumps({"results": dict(zip(ids, apart[0].astype(float), strict=True))})


# %%
shark = gallery.by_label("shark")
file = png(shark.images[0])
body = json.dumps({"image": base64.b64encode(file).decode(), "k": 6})
results = json.loads(answer(body))["results"]
show_neighbours(
    shark[:1],
    gallery,
    [list(results)],
    [list(results.values())],
    title=f"{len(body):,} letters asked; the first answer is at distance {min(results.values()):.2f}",
)

# %%
check("The picture itself is at distance 0", abs(min(results.values())) < 1e-3)
check("The nearest comes first", list(results.values()) == sorted(results.values()))
check("base64 makes a file a third larger", 1.3 < len(base64.b64encode(file)) / len(file) < 1.4)

# %% [markdown]
# ## 2 · Ten lines of HTTP
# **FastAPI** calls a function of ours for each request. It needs a path, a method and the shape of what comes in; a page that describes it all comes for free. **uvicorn** listens at a port and hands requests to it. We start it in a thread of this notebook.

# %%
import socket
import threading
import time

import httpx
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class Query(BaseModel):
    image: str
    k: int = 10


small = FastAPI()


@small.post("/search")
def search(query: Query):
    return json.loads(answer(query.model_dump_json()))


# %%
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


port = free_port()
server = uvicorn.Server(uvicorn.Config(small, port=port, log_level="critical"))
thread = threading.Thread(target=server.run, daemon=True)
thread.start()
while thread.is_alive() and not server.started:
    time.sleep(0.05)

# %%
address = f"http://127.0.0.1:{port}/search"
reply = httpx.post(address, content=body, headers={"content-type": "application/json"})
print(reply.status_code, list(reply.json()["results"])[:3])
check("Over HTTP the same answer", list(reply.json()["results"]) == list(results))

# %% [markdown]
# It works. *Now a stranger sends a text that is no picture, then something that is not even base64. What will they read?*

# %%
bad = {"a text": base64.b64encode(b"I am a picture.").decode(), "no base64": "?!", "nothing": ""}
codes = {}
for name, image in bad.items():
    codes[name] = httpx.post(address, json={"image": image}).status_code
server.should_exit = True
print(codes)
check("Ten lines answer 500, as if the fault were ours", set(codes.values()) == {500})

# %% [markdown]
# A number from 500 on says: *our* fault, perhaps try again. But the fault is the sender's, and that has numbers from 400 on. Worse is what these lines would do with a picture of a gigabyte, and with a million pictures at once. A file of 50 kB that would unfold to 20,000 × 20,000 pixels (a **decompression bomb**) they refuse, again with 500: `read_picture` looks at the header first. A decoder without a limit would unfold it.
#
# ## 3 · The service
# `service/` is the same idea with the rest in place. It checks the size before it reads, the format before it decodes, and the number of pixels before it unfolds them; it keeps no picture that it is asked with; the network runs by **ONNX Runtime**, which starts faster than torch. We give it a
# small gallery in a temporary folder, which **ingestion** makes of a folder of pictures (section 7 looks inside), and start it as a process of its own.

# %%
import tempfile
from pathlib import Path

from PIL import Image

place = Path(tempfile.mkdtemp())
pictures, folder = place / "pictures", place / "gallery"
for i in range(0, len(gallery), 5):
    (pictures / gallery.label_of(i)).mkdir(parents=True, exist_ok=True)
    Image.fromarray(gallery.images[i]).save(pictures / gallery.label_of(i) / f"{i}.png")

# %%
import os
import subprocess
import sys

from utils import ROOT

network = "resnet50" if BIG else "cnn"
ours = ("LOOKALIKE_", "QDRANT_")  # yours shall not reach into this lesson, nor it into yours
own = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
settings = own | {"LOOKALIKE_TOKEN": "open sesame"}
ingest = [sys.executable, "-m", "service.ingest", str(pictures)]
ingest += ["--model", network, "--gallery", str(folder)]
subprocess.run(ingest, cwd=ROOT, env=own, check=True, stdout=subprocess.DEVNULL)

# %%
port = free_port()
home = f"http://127.0.0.1:{port}"
command = [sys.executable, "-m", "service", "--gallery", str(folder), "--port", str(port)]


def serve():
    """Start the service on our gallery, and wait until it answers."""
    process = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=subprocess.DEVNULL)
    for _ in range(600):
        try:
            httpx.get(f"{home}/health")
            return process
        except httpx.TransportError:
            time.sleep(0.2)
        if process.poll() is not None:
            raise RuntimeError(
                "The service did not start; run its command in a terminal to see why."
            )
    raise TimeoutError("The service does not answer.")


process = serve()
print(httpx.get(f"{home}/health").json())

# %%
first = gallery[[0]]
reply = httpx.post(
    f"{home}/search", json={"image": base64.b64encode(png(first.images[0])).decode(), "k": 6}
)
found = reply.json()["results"]
list(found.items())[:3]

# %% [markdown]
# The addresses are where the pictures are. A page, a phone, another service can fetch and show them:

# %%
import io

import numpy as np

from utils.images import ImageSet

fetched = [
    Image.open(io.BytesIO(httpx.get(url).content)).convert("RGB").resize((64, 64)) for url in found
]
answers = ImageSet(
    np.stack([np.asarray(p) for p in fetched]),
    np.full(len(fetched), -1),
    [],
    [url.rsplit("/", 1)[1] for url in found],
)
show_neighbours(
    first,
    answers,
    np.arange(len(answers))[None],
    np.array([list(found.values())]),
    title="Asked and fetched over HTTP",
)

# %%
check("The picture itself, at distance 0", next(iter(found.values())) == 0)

# %% [markdown]
# Open the page of a service that you start with `make serve`, and drop a picture on it; or `curl`:
#
# ```
# make serve                          # the course's drawings, http://127.0.0.1:8000
# make serve IMAGES=path/of/photos    # yours
# echo "{\"image\": \"$(base64 < cat.jpg | tr -d '\n')\", \"k\": 3}" | curl -s -H 'content-type: application/json' -d @- http://127.0.0.1:8000/search
# ```
#
# ## 4 · Strangers
# *Which of these should be refused, and with what number?*


# %%
def as_json(image, k=10):
    return {"json": {"image": base64.b64encode(image).decode(), "k": k}}


huge = io.BytesIO()
Image.new("1", (20_000, 20_000)).save(huge, "PNG")
svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
hostile = {
    "a text": as_json(b"I am a picture."),
    "no base64": {"json": {"image": "?!"}},
    "half a file": as_json(file[: len(file) // 2]),
    "an SVG with a script": as_json(svg),
    f"{len(huge.getvalue()) / 1000:.0f} kB that unfold to 400 million pixels": as_json(
        huge.getvalue()
    ),
    "11 MB": as_json(b"0" * 11_000_000),
    "k = -1": as_json(file, -1),
    "a form without a file": {"data": {"image": "cat.jpg"}},
    "XML": {"content": b"<image/>", "headers": {"content-type": "text/xml"}},
}

# %%
import pandas as pd

rows = {}
for name, request in hostile.items():
    reply = httpx.post(f"{home}/search", timeout=30, **request)
    rows[name] = {"status": reply.status_code, "what the sender reads": reply.json()["detail"]}
pd.DataFrame(rows).T.style.set_properties(**{"text-align": "left"})

# %%
statuses = [row["status"] for row in rows.values()]
check("All are refused, none is our fault", all(400 <= status < 500 for status in statuses))
escaped = httpx.get(f"{home}/images/..%2F..%2F..%2Fetc%2Fpasswd").status_code
check("A path that climbs out of the folder finds nothing", escaped in (404, 422))
check("After all that, it answers", httpx.get(f"{home}/health").json()["status"] == "ok")

# %% [markdown]
# ## 5 · There after a crash
# Who knows the token may add pictures. The rule is: **first on the disk, then say so**. We add the donkey, and the moment we have the answer we kill the process, with no time to tidy up. *Will it be there after the restart?*

# %%
donkey = load_images("emoji", split="ood")[:1]
token = {"authorization": "Bearer open sesame"}
refused = httpx.post(f"{home}/images", files={"image": png(donkey.images[0])}).status_code
added = httpx.post(f"{home}/images", files={"image": png(donkey.images[0])}, headers=token)
process.kill()
process.wait()
print(f"without the token {refused}, with it {added.status_code}: {added.json()['id']}")

# %%
process = serve()
reply = httpx.post(f"{home}/search", **as_json(png(donkey.images[0]), 1)).json()["results"]
there = list(reply) == [added.json()["url"]]
httpx.delete(added.json()["url"], headers=token)
gone = httpx.post(f"{home}/search", **as_json(png(donkey.images[0]), 1)).json()["results"]
check("Without the token nobody may add", refused == 401)
check("What was answered survives a kill", there)
check("What was removed is not found", added.json()["url"] not in gone)

# %% [markdown]
# A kill shows that the service had written before it answered. It does not show what a power cut would take: that is what the operating system still held in memory, unless the program insisted by `fsync` (Pillai et al. 2014). Ours does, for the file and its folder, but a kill can't test it.
#
# ## 6 · How many, how fast?
# A mean hides the slow ones. Users remember the **99th percentile**: one of a hundred waits that long or longer. Four clients ask at the same time, fifty times each. *Will each wait as long as if it were alone?*

# %%
from concurrent.futures import ThreadPoolExecutor

request = as_json(file)


def ask_some(client):
    taken = []
    with httpx.Client() as client:
        for _ in range(50):
            started = time.perf_counter()
            client.post(f"{home}/search", **request).raise_for_status()
            taken.append(1000 * (time.perf_counter() - started))
    return taken


# %%
load = {}
for clients in (1, 4):
    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        waits = np.concatenate(list(pool.map(ask_some, range(clients))))
    load[clients] = {
        "answers a second": len(waits) / (time.perf_counter() - started),
        "median ms": np.median(waits),
        "99th percentile ms": np.percentile(waits, 99),
    }
pd.DataFrame(load).T.rename_axis("clients").style.format("{:.1f}")

# %%
from utils.plots import show_bars

show_bars(
    {
        f"{n} client{'s' * (n > 1)}, {what}": load[n][what]
        for n in load
        for what in ("median ms", "99th percentile ms")
    },
    unit="milliseconds until the answer",
    title=f"Four at a time: {load[4]['answers a second']:.0f} answers a second, one alone {load[1]['answers a second']:.0f}",
)

# %%
process.terminate()
process.wait()

# %% [markdown]
# Of so few waits the 99th percentile is one of the slowest two or three. To know it, ask a thousand times or more, from another machine and at a fixed rate: a client that waits for its answer asks least when we are slowest.
#
# Two cores can do two things at a time; whoever comes third waits. So a service has a queue, and the queue has an end: beyond it the answer is **503**, at once, with a hint when to come again. A service that accepts everything answers nobody.
#
# ## 7 · A container and a handler
# So far the service runs where we installed the course. To run elsewhere it needs three things: a gallery, a box to travel in, and somebody to call it.
#
# **The gallery** is made before anybody asks, as ours was in section 3: ingestion reads every picture once, embeds it, and puts what answering needs into one folder. *What is the largest part of it?*

# %%
sizes = {"pictures": 0} | {f.name: f.stat().st_size for f in folder.iterdir() if f.is_file()}
sizes["pictures"] = sum(f.stat().st_size for f in folder.glob("*/*"))
show_bars(
    {name: size / 1e6 for name, size in sizes.items() if size > 1000},
    unit="MB",
    title=f"For {len(list(folder.glob('*/*')))} pictures the largest part is {max(sizes, key=sizes.get)}",
)

# %% [markdown]
# **The box** is a **container**: a file system with Python, the libraries and our files, which runs alike on every machine. Its recipe, `service/Dockerfile`, comes down to
#
# ```
# FROM python:3.12-slim
# COPY service/requirements.txt service/requirements.txt
# RUN pip install -r service/requirements.txt     # first what changes seldom: it is kept
# COPY utils utils
# COPY service service
# COPY gallery gallery
# USER 65534:65534                                # nobody: whoever breaks in owns nothing
# CMD ["python", "-m", "service", "--gallery", "gallery", "--host", "0.0.0.0"]
# ```
#
# **The caller** may be a server that waits, as above. On AWS Lambda nothing waits: each request becomes a call of one function, with the request as a dictionary. Between the two stands a translator, **Mangum**:

# %%
from mangum import Mangum

from service.api import create_app
from service.gallery import open_gallery
from service.settings import Settings

opened = open_gallery(folder, Settings())


def call(event):
    handler = Mangum(create_app(opened, Settings()), lifespan="off")
    return handler(event, None)


# %% [markdown]
# We play Lambda: no port, no server, a dictionary in and a dictionary out. (In a thread of its own, since that of a notebook runs an event loop already.)

# %%
event = {
    "version": "2.0",
    "rawPath": "/search",
    "rawQueryString": "",
    "requestContext": {"http": {"method": "POST", "path": "/search", "sourceIp": "192.0.2.1"}},
    "headers": {"content-type": "application/json", "host": "ours.example"},
    "body": json.dumps(as_json(png(first.images[0]), 3)["json"]),
    "isBase64Encoded": False,
}
with ThreadPoolExecutor(1) as lonely:
    returned = lonely.submit(call, event).result()
print(returned["statusCode"], returned["body"])

# %%
called = list(json.loads(returned["body"])["results"].values())
needed = Path(ROOT, "service/requirements.txt").read_text().split("\n")
check(
    "A call without a server gives the server's distances",
    np.allclose(called, list(found.values())[:3]),
)
check("The container needs no torch", not any(line.startswith("torch") for line in needed))

# %% [markdown]
# The handler may be stopped after any answer, and a second one may run beside it: it keeps nothing between calls. Pictures that are added must then lie outside, in S3, and their vectors in a Qdrant server. `service/template.yaml` describes the simpler half for AWS: a gallery that nobody changes, its index in the container, its pictures in S3.
#
# ## 8 · What does it cost?
# The thesis that this course grew from ran its search in such a container on Lambda, pictures in S3. That is **serverless**: pay for each question by memory × time, and nothing in between. The other way is a **standing server**, paid by the month whether anybody asks or not. From a measured time and a price list we can tell which:
#
# $$\text{serverless} = n \cdot \left( t \cdot \text{GB} \cdot p_{\text{GB s}} + p_{\text{request}} \right), \qquad \text{standing} = \left\lceil \frac{n}{\text{what one carries}} \right\rceil \cdot p_{\text{month}}$$
#
# A benchmark measured the time on one core and what a server of two cores carries; the prices are of AWS's list of 2025, the server's that of a t3.small, which may use a fifth of its two cores on average: at full load it costs several times as much. Put in yours.

# %%
from utils.course import measured

service = measured("service")
prices, memory = service["cost"]["prices"], service["cost"]["lambda_memory_mb"] / 1024
seconds = service["lambda"]["answer_milliseconds"] / 1000


def serverless(n):
    return n * (seconds * memory * prices["gb_second"] + prices["request"])


def standing(n):
    return np.ceil(n / service["cost"]["standing_carries_a_month"]) * prices["server_hour"] * 730


# %%
from utils.plots import show_curve

questions = np.logspace(4, 9, 501)
even = questions[np.argmax(serverless(questions) > standing(questions))]
show_curve(
    questions / 1e6,
    {"serverless": serverless(questions), "standing server": standing(questions)},
    xlabel="million questions a month",
    ylabel="dollars a month",
    log="xy",
    title=f"Below {even / 1e6:,.0f} million questions a month, pay by the question",
)

# %%
print(
    f"a million questions: serverless {serverless(1e6):.2f} dollars, standing {standing(1e6):.2f}"
)
check("A million questions a month are cheaper serverless", serverless(1e6) < standing(1e6))
check("A billion are cheaper on standing servers", serverless(1e9) > standing(1e9))

# %% [markdown]
# These times are of our machine and one small drawing, not of Lambda. And the formula leaves out the start of the container, the address in front (CloudFront), traffic and logs: each may cost as much as the answers. Nor will a body over 6 MB come through.
#
# It leaves out a wait, too: a function that nobody asked for minutes is put away, and the next question waits until it has started again, the **cold start**. In the thesis that was torch and a network. Our handler leaves torch out, and a fresh process typically gives its first answer after {{results:service.lambda.first_answer_seconds:.1f}} seconds (the slowest of nine took {{results:service.lambda.first_answer_slowest_seconds:.1f}}), further ones in about {{results:service.lambda.answer_milliseconds:.0f}} milliseconds.
#
# ## 9 · Whose picture is it?
# A photo that somebody asks with shows faces, rooms, children, and its file may tell where it was taken. The rules that our service keeps, and that yours should:
#
# - what is asked with is not stored, not logged, and out of memory with the answer;
# - what is added loses everything but its pixels, EXIF with the place included; but ingestion makes a picture's address of words of its file's path, and everybody reads them: rename `anna/knee.jpg` first;
# - an embedding is *not* anonymous: it finds other pictures of the same thing or person, and some of the picture can be read back from it (lesson 01 read back a tint);
# - whoever may add can remove, and removed means gone, from the index and from the disk (a browser that has just shown it may keep it for five minutes);
# - other sites' pages cannot read its answers (**CORS** is closed until you open it), and without the token nobody can change anything;
# - over plain HTTP everybody on the way reads token and pictures: on a network put **TLS** before it (https, by a proxy such as Caddy or nginx);
# - photos of people are personal data, and vectors made to recognise people are biometric data: in the European Union the law (GDPR, articles 6 and 9) asks for your reason before you begin.
#
# One door stays open by design: the answers. Suppose that nobody can fetch a picture, and only numbered results with their distances come out. *What does a stranger learn who has the same network, and pictures of their own?* Of unit vectors $q$ and $v$ the distance is $d^2 = 2 - 2\, q \cdot v$ (lesson 04), so $q \cdot v = 1 - d^2 / 2$. The stranger knows $q$ and reads $d$: each answer is one linear equation for
# the hidden $v$, with as many unknowns as a vector has numbers. We play the stranger: every fifth drawing of `gallery`, the service's pictures, is hidden; the others are ours to ask with. A question may ask for a hundred answers, nearly half of what is hidden.

# %%
hidden = np.arange(0, len(gallery), 5)
mine = np.setdiff1d(np.arange(len(gallery)), hidden)
mine = np.random.default_rng(0).permutation(mine)
who, apart = nearest(vectors[mine], vectors[hidden], 100, "euclidean")


def rebuild(picture, questions):
    """The hidden vector of one picture, from its distances in the first so many answers."""
    asked, place = np.nonzero(who[:questions] == picture)
    products = 1 - apart[asked, place].astype(float) ** 2 / 2
    return np.linalg.lstsq(vectors[mine[asked]], products, rcond=None)[0]


# %%
from sklearn.metrics.pairwise import paired_cosine_distances

some, numbers = range(20), (50, 100, 200, 300, 400, 500, 600)
near = {}
for n in numbers:
    guesses = [rebuild(picture, n) for picture in some]
    near[n] = 1 - paired_cosine_distances(guesses, vectors[hidden[some]])
show_curve(
    numbers,
    {"typical picture": [np.median(near[n]) for n in numbers],
     "worst of twenty": [near[n].min() for n in numbers]},
    xlabel="questions asked",
    ylabel="cosine to the hidden vector",
    title=f"{next(n for n in numbers if near[n].min() > 0.999)} questions give all {vectors.shape[1]} numbers of twenty hidden vectors away",
)  # fmt: skip

# %% [markdown]
# *Would it help to leave the distances out, and to tell only who comes first, second, third? Or to give ten answers instead of a hundred?* Then the stranger adds up the own vectors to which the hidden picture was an answer, each divided by its place, and takes the thing of the own picture that is nearest to the sum. We own other drawings of all these things; a guess would be right once in
# two hundred times.


# %%
def by_order(k):
    """A sum for each hidden picture; its length does not matter to the cosine."""
    weights = np.zeros((len(hidden), len(mine)), np.float32)
    for place in range(k):
        weights[who[:, place], np.arange(len(mine))] = 1 / (place + 1)
    return weights @ vectors[mine]


rebuilt = np.stack([rebuild(picture, 600) for picture in range(len(hidden))])
known = {
    "the vectors themselves": vectors[hidden],
    "a hundred distances an answer": rebuilt,
    "the order of a hundred": by_order(100),
    "the order of ten": by_order(10),
}

# %%
named = {}
for way, guess in known.items():
    best = nearest(guess, vectors[mine], 1, "cosine")[0][:, 0]
    named[way] = (gallery.labels[mine[best]] == gallery.labels[hidden]).mean()
show_bars(
    named,
    unit="share of hidden pictures whose thing is named",
    title=f"The vectors name {named['the vectors themselves']:.0%} of the hidden pictures, the order of ten {named['the order of ten']:.0%}",
)

# %%
worst = 1 - paired_cosine_distances(rebuilt, vectors[hidden]).max()
check("Distances give every hidden vector away", worst > 0.999)
check(
    "Rebuilt vectors name as many things as the true ones",
    abs(named["a hundred distances an answer"] - named["the vectors themselves"]) < 0.01,
)
check(
    "The order alone names nine tenths as many, even of ten",
    min(named["the order of a hundred"], named["the order of ten"])
    > 0.9 * named["the vectors themselves"],
)

# %% [markdown]
# This is no fault in the code: a search tells what its pictures look like, that is what it is for. So whoever may *ask* may know, and a gallery of faces or of patients needs the lock at the questions, not at the pictures: a login, and a limit to how many questions each may ask. Fewer answers hide numbers, and hardly what the pictures show.
#
# ## Exercises
# ### Exercise 10.1 · Speak the contract
# Write `to_request(data, k)`: `data` are the bytes of a picture file. Return the JSON text `{"image": base64, "k": k}`. And `from_reply(text)`: the service's JSON text as a list of pairs (address, distance), nearest first, whatever the order in the text. Hand in both.


# %% tags=["solution"] id="ex-10-1"
def to_request(data, k):
    return json.dumps({"image": base64.b64encode(data).decode("ascii"), "k": k})


def from_reply(text):
    return sorted(json.loads(text)["results"].items(), key=lambda pair: pair[1])


# %% tags=["grader"] id="grade-10-1"
from utils.course import exercise

exercise("10.1", to_request, from_reply)

# %% [markdown]
# ### Exercise 10.2 · A polite client
# A busy service answers 503 and says in `retry-after` how many seconds to wait. Write `ask_politely(send, sleep, tries)`: `send()` returns a reply with `.status_code` and `.headers` (a dict), `sleep(seconds)` waits. Send; on 503 wait as long as the header says (1 second if it says nothing) and send again, at most `tries` times in all. Return the last
# reply; do not wait after it. Any other status is returned at once.


# %% tags=["solution"] id="ex-10-2"
def ask_politely(send, sleep, tries):
    for last in range(tries):
        reply = send()
        if reply.status_code != 503 or last == tries - 1:
            return reply
        sleep(float(reply.headers.get("retry-after", 1)))


# %% tags=["grader"] id="grade-10-2"
exercise("10.2", ask_politely)

# %% [markdown]
# ### Exercise 10.3 · The slowest of a hundred
# Write `slowest(waits, per_hundred)`: `waits` are milliseconds, N of them in any order. Return the smallest of them that is not shorter than `100 − per_hundred` percent of all waits: with `per_hundred = 1` the 99th percentile, without interpolation (the *nearest rank*). It must be one of the waits.


# %% tags=["solution"] id="ex-10-3"
def slowest(waits, per_hundred):
    rank = int(np.ceil(len(waits) * (100 - per_hundred) / 100))
    return float(np.sort(waits)[max(rank, 1) - 1])


# %% tags=["grader"] id="grade-10-3"
exercise("10.3", slowest)

# %% [markdown]
# ## Quiz
# <details><summary>1. A stranger's file cannot be read. Why is 500 the wrong answer?</summary>
#
# It says that the service is broken: clients try again, and somebody is woken up at night. 4xx says that the request was wrong, and a sentence says what.
# </details>
#
# <details><summary>2. Why is the number of pixels checked before the picture is decoded?</summary>
#
# A file of some fifty kilobytes may unfold to more than a gigabyte of one colour. Its header tells width and height without unfolding.
# </details>
#
# <details><summary>3. The service answers "added" and then writes to the disk, a millisecond later. What is wrong?</summary>
#
# In that millisecond the power may go. The sender was told that the picture is there, and it is not. First on the disk, then say so.
# </details>
#
# <details><summary>4. The median is 10 ms, the 99th percentile 400. Somebody says the service answers in 10 ms. True?</summary>
#
# For half of the requests. A page that asks ten times meets one of the slow ones in every tenth visit.
# </details>
#
# <details><summary>5. No picture leaves the service, only numbered results and distances. Is it a secret what the pictures show?</summary>
#
# No. Each distance is an equation for a hidden vector, and as many of them as it has numbers solve it. Without distances the order alone told us nearly as much.
# </details>
#
# ## In one paragraph
# A service is a function behind an address, plus everything that strangers make necessary: sizes checked before reading, formats before decoding, pixels before unfolding, a queue with an end, errors in a sentence with the right number. What it has confirmed survives a crash because it was on the disk before. Its speed is a median and a slowest of a hundred, its
# cost a formula in which the number of questions decides, and what people ask with is theirs. What it answers tells what its pictures look like, so whoever may ask may know.
#
# ## Go further
# - Fielding, *Architectural Styles and the Design of Network-based Software Architectures* (2000): what HTTP is made for.
# - Dean & Barroso, *The Tail at Scale* (2013): why the slowest of a hundred matters.
# - Tramèr et al., *Stealing Machine Learning Models via Prediction APIs* (2016): equations solved from answers; Morris et al., *Text Embeddings Reveal (Almost) As Much As Text* (2023): what vectors give away.
# - Pillai et al., *All File Systems Are Not Created Equal* (2014): what is on the disk after a crash, and what is not.
# - OWASP, *File Upload Cheat Sheet*: what a stranger's file may do.
# - Jonas et al., *Cloud Programming Simplified: A Berkeley View on Serverless Computing* (2019).
