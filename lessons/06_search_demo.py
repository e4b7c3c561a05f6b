# %% [markdown]
# # 06 · Can anyone use it?
# A search that needs Python is a search for us alone. We build one that needs a mouse: first in ten lines, then a whole app, and we find out what it takes to answer anybody's picture, in time, and with a reason.
#
# **After this lesson you can**
# - turn a search into something one can click, in ten lines;
# - search your own folder of photos in an app, in the notebook or on a page of its own;
# - say how long an answer takes, and where that time goes;
# - show *why* two pictures are alike, place by place, in shares that add up to the score;
# - recommend pictures from likes and dislikes, and know when a dislike does harm.
#
# *Before you start: lessons 00 and 01. {{results:lessons.06_search_demo.seconds:.0f}} seconds to run on two cores, no GPU, no network.*

# %%
from utils.course import check, start

BIG = False  # True: ResNet-50 answers in the app, downloaded on first use
start("06_search_demo", big=BIG)

# %% [markdown]
# ## 1 · A search without a screen
# Before anything can be clicked, there must be something to ask. `Search` holds a gallery, a network and the index of lesson 00. It is asked by a **query**: a picture of the gallery, or one from outside.

# %%
import numpy as np

from utils.app import Search
from utils.images import load_images
from utils.plots import show_neighbours

gallery = load_images("scenes", split="test")
search = Search(gallery)
query = search.query(gallery.by_label("panda").ids[0])
answers = search.ask(query, k=8)
asked = gallery[[gallery.ids.index(query.id)]]
right = sum(search.label(id) == "panda" for id in answers.ids)
show_neighbours(
    asked,
    gallery,
    np.array([answers.ids]),
    np.array([answers.distances]),
    title=f"A panda finds {right} pandas, and they come first",
)

# %%
print(f"{len(search):,} pictures searched in {1000 * answers.seconds:.1f} ms")
check("The first four are pandas", [search.label(id) for id in answers.ids[:4]] == 4 * ["panda"])
check("The query is not its own answer", query.id not in answers.ids)

# %% [markdown]
# ## 2 · A dropdown and a grid, in ten lines
# **ipywidgets** are buttons, sliders and menus that live in a notebook. Each is two halves: what we see is in the browser, and a Python object with the same value is in the kernel. `observe` calls a function of ours when the value
# changes. *Choose another thing.*

# %%
import ipywidgets as widgets

from utils.app.widgets import data_url

menu = widgets.Dropdown(options=sorted(set(search.labelings()["thing"])), value="panda")
grid = widgets.HTML()


def answer(_=None):
    first = gallery.by_label(menu.value).ids[0]
    shown = [first, *search.ask(search.query(first), k=9).ids]
    pictures = [
        f'<img width=72 alt="{search.label(id)}" src="{data_url(search.query(id).image)}">'
        for id in shown
    ]
    grid.value = " ".join(pictures)


menu.observe(answer, "value")
answer()
widgets.VBox([menu, grid])

# %% [markdown]
# That is a search app. The function is called no matter who changes the value, so we can try it without a mouse:

# %%
before = grid.value
menu.value = "pizza"
check("Another choice, other pictures", grid.value != before)
check("The first picture is a pizza", 'alt="pizza"' in grid.value.split(">")[0])
menu.value = "panda"

# %% [markdown]
# ## 3 · Anybody's picture
# The gallery's pictures are tidy: square, upright, 64 pixels. What people upload is not. We make four uploads from one photo of a cat: as it is, lying on its side with a note in the file to turn it (**EXIF**; phones do that), on a transparent ground,
# and a text that calls itself a picture. *Which of them will be answered?*

# %%
import io

import skimage.data
from PIL import Image, ImageDraw

cat = Image.fromarray(skimage.data.chelsea())


def as_file(picture, format, **how):
    file = io.BytesIO()
    picture.save(file, format, **how)
    return file.getvalue()


# %%
turned = Image.Exif()
turned[0x0112] = 6  # "show me a quarter turn clockwise"
see_through = cat.copy()
oval = Image.new("L", cat.size)
ImageDraw.Draw(oval).ellipse((75, 0, 375, 300), fill=255)
see_through.putalpha(oval)
uploads = {
    "as it is": as_file(cat, "JPEG", quality=95),
    "on its side": as_file(cat.rotate(90, expand=True), "JPEG", quality=95, exif=turned),
    "transparent": as_file(see_through, "PNG"),
    "a text": b"I am a cat.",
}

# %%
from utils.folder import UnreadablePicture

read, said = {}, {}
for name, data in uploads.items():
    try:
        read[name] = search.outside(data, name)
    except UnreadablePicture as error:
        said[name] = str(error)
said

# %%
from utils.images import ImageSet

seen = np.stack([upload.image for upload in read.values()])
asked_with = ImageSet(seen, np.full(len(seen), -1), [], list(read))
first_ten = {name: search.ask(upload).ids for name, upload in read.items()}
show_neighbours(
    asked_with,
    gallery,
    np.array([ids[:6] for ids in first_ten.values()]),
    title="Three files of one cat: upright, square, and what was transparent is white",
)

# %%
check("A text is refused in a sentence, not by a crash", said == {"a text": "not a picture"})
check(
    "Turned or not, the cat's first three answers are the same",
    first_ten["on its side"][:3] == first_ten["as it is"][:3],
)
check("What is transparent becomes white", (read["transparent"].image[0, 0] == 255).all())

# %% [markdown]
# ## 4 · The app
# The rest of an app is patience: a place to drop a picture, menus for the network and the distance, a way back, a message for every mistake. It is written in `utils/app`, and it is the same `Search` behind it. *Drop a photo of yours on it. Click
# an answer to search from it. Press **?** to ask why. Take the background away, and see what the network is asked with.* The box on top takes words; how a network compares words and pictures is the question of lesson 09.

# %%
from utils.app import SearchApp

app = SearchApp(gallery)
if BIG:
    app.model.value = "resnet50"
app

# %% [markdown]
# `SearchApp(load_images("path/of/your/photos"), "cnn-photos")` does the same on a folder of yours; the folders in it become labels. Everything one can click, one can also call:

# %%
name = app.search.add(read["as it is"], label="cat")
app.ask(app.search.outside(uploads["on its side"], "again.jpg"))
found = app.answers.ids[0]
print(app.grid.message)
app.search.undo()
app.ask(app.search.outside(uploads["on its side"], "again.jpg"))
check("A picture that was added is found by its twin", found == name)
check("Undo takes it out again", name not in app.answers.ids)

# %% [markdown]
# ## 5 · How long may it take?
# Nielsen (1993, after Miller 1968) gives three limits that held for every machine since: a tenth of a second feels like our own doing, up to a second we notice the wait and keep our thought, after ten we are gone. *We ask with an upload. Which step takes longest: reading the
# file, embedding, searching, or drawing ten answers?*

# %%
import time

from utils.app.widgets import tile
from utils.embed import embed

upload = search.outside(uploads["as it is"], "cat.jpg")
vector = embed(search.model, upload.image[None], cache=False)
ten = [search.query(id) for id in search.ask(upload).ids]
steps = {
    "read the file": lambda: search.outside(uploads["as it is"], "cat.jpg"),
    "embed": lambda: embed(search.model, upload.image[None], cache=False),
    "search": lambda: search.index.search(vector, 10),
    "draw ten answers": lambda: [tile(q.id, q.image, q.name) for q in ten],
}


# %%
def milliseconds(step, times=30):
    """The median of some runs, which forgets the odd slow one."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        step()
        taken.append(time.perf_counter() - started)
    return 1000 * float(np.median(taken))


from utils.plots import show_bars

spent = {name: milliseconds(step) for name, step in steps.items()}
show_bars(
    spent,
    unit="milliseconds, median of 30",
    title=f"An answer takes {sum(spent.values()):.0f} ms: the longest is to {max(spent, key=spent.get)}",
)

# %% [markdown]
# All of it together is within the tenth of a second. A benchmark asked a gallery of ten thousand: an upload, once read, takes the kernel {{results:app.kernel_ms.with_screen.median:.0f}} ms, and from the click on an answer until ten other pictures are on the screen it is {{results:app.browser_ms.median:.0f}} ms in a browser. What happens at a million is the question of lesson 07.
#
# ## 6 · Why this one?
# A score alone convinces nobody. Our network's embedding is a **mean over places** (lesson 01): each place of the last maps gives a vector, and the embedding is their mean, scaled to length 1. Then the cosine of two embeddings *u* and *v* is a sum over the
# places *p* of the first picture:
#
# $$\cos(u, v) = \sum_p \frac{u_p \cdot v}{n\,\lVert u \rVert\,\lVert v \rVert}, \qquad u = \frac{1}{n} \sum_p u_p$$
#
# So each place has its share of the score, and the shares are no guess: they add up. (Zhou et al. 2016 for classes, Stylianou et al. 2019 for pairs of pictures.) *Where will a panda's share be?*

# %%
import torch

cnn = search.model
pair = np.stack([query.image, search.query(answers.ids[0]).image])
with torch.inference_mode():
    (x,) = cnn.inputs(pair, 2)
    maps = cnn.module.maps(x)  # 2 pictures × channels × 6 × 6 places
    places = cnn.module.head(maps.permute(0, 2, 3, 1).flatten(0, 2))
places = places.reshape(2, 36, -1).numpy()
u, v = places.mean(axis=1)
shares = places[0] @ v / (36 * np.linalg.norm(u) * np.linalg.norm(v))
print(f"the 36 shares add up to {shares.sum():.4f}")

# %%
from utils.explain import similarity_maps, spotlight

why = similarity_maps(cnn, *pair)
score = 1 - answers.distances[0]
check("The shares add up to the cosine", np.isclose(shares.sum(), score, atol=1e-4))
check("utils.explain has the same ones", np.allclose(shares, why.first.ravel(), atol=1e-5))

# %%
from utils.plots import show_grid

lit, ids = {"query": [], "answer": []}, answers.ids[:6]
for id in ids:
    why = search.why(query, id)
    lit["query"].append(spotlight(query.image, why.first))
    lit["answer"].append(spotlight(search.query(id).image, why.second))
show_grid(lit, title="Bright where the score comes from: on the panda, and not only there")

# %% [markdown]
# The scenes' own masks tell what belongs to the thing and what to the background. Over two hundred queries and their nearest answers: *how much of the score lies at places on the thing, which covers less than a third of the picture?*

# %%
from utils.distances import nearest

vectors = embed(cnn, gallery)
near, _ = nearest(vectors, vectors, 1, leave_one_out=True)
rng = np.random.default_rng(0)
inside, covered, peaks, lowest = [], [], [], []
for i in rng.choice(len(gallery), 200, replace=False):
    shares = similarity_maps(cnn, gallery.images[i], gallery.images[near[i, 0]]).first
    mask = Image.fromarray(gallery.masks[i]).resize(shares.shape, Image.Resampling.BOX)
    mask = np.asarray(mask) / 255
    inside.append((shares * mask).sum() / shares.sum())
    covered.append(mask.mean())
    peaks.append(mask.flat[shares.argmax()])
    lowest.append(shares.min())
show_bars(
    {
        "of the picture": np.mean(covered),
        "of the score": np.mean(inside),
        "of the brightest place": np.mean(peaks),
    },
    unit="share that lies within the thing, mean of 200 queries",
    title=f"Places on the thing: {np.mean(covered):.0%} of the picture, {np.mean(inside):.0%} of the score",
)

# %%
check("On the thing lies more than its area", np.mean(inside) > 1.5 * np.mean(covered))
check("… but a third of the score or more lies at places around it", np.mean(inside) < 2 / 3)
check("In most pictures a place has a share below zero", np.mean(np.array(lowest) < 0) > 0.5)

# %% [markdown]
# A share below zero belongs to a place that speaks against the likeness. The shares tell at which places the *network* holds the score, no more: what one place saw reaches nearly everywhere, over {{results:cnn_embeddings.layers.stages 2.receptive_field:d}} of {{results:cnn_embeddings.layers.input:d}} pixels (lesson 01, receptive field), so a share around the thing may well be the thing's.
# To learn what the score *needs*, exchange the background and ask again (lesson 02). For the transformer, whose [CLS] is no mean, the app shows something else: the best match of each patch.
#
# ## 7 · More like these
# A search answers one picture. A **recommendation** answers a person: some pictures they like, some they do not. The oldest idea still works (after Rocchio 1971): the mean of the likes, less a little of the mean of the dislikes, is a query like any other.

# %%
likes = [gallery.by_label(name).ids[0] for name in ("panda", "lion", "shark")]
wish = search.recommend(likes, k=8)
liked = gallery[[gallery.ids.index(id) for id in likes]]
more = gallery[[gallery.ids.index(id) for id in wish.ids]]
category = gallery.relabel("category")
kinds = [category.label_of(gallery.ids.index(id)) for id in wish.ids]
show_grid(
    {"liked": liked.images, "recommended": more.images},
    title=f"Three animals liked: {kinds.count('animals-nature')} of eight recommended are of nature",
)

# %%
named = [vectors[gallery.ids.index(id)] for id in likes]
mean = np.mean(named, axis=0)
ranked = np.argsort(-(vectors @ mean), kind="stable")
by_hand = [gallery.ids[i] for i in ranked if gallery.ids[i] not in likes][:8]
check("In the open: the nearest to the mean of the liked vectors", by_hand == wish.ids)

# %% [markdown]
# Is it any good? A recipe plays {{results:recommendation.users:d}} users whose taste is one category. Each likes a few pictures and is shown ten. *Does it help to like more? Is the mean a good summary of a taste, or is it better to ask for pictures that
# are near to **any** of the likes?* Each thing was drawn by several artists, and another drawing of a liked thing counts as right. So the recipe asks twice: with these drawings, and for **new things** alone, with all of them left out.

# %%
from utils.course import measured
from utils.plots import show_curve

taste = measured("recommendation")["test"]
counts = [1, 2, 3, 5, 8]
ways = {
    "near any like": "nearest",
    "near the mean": "mean",
    "near any like, new things": "new_nearest",
    "near the mean, new things": "new_mean",
}
shown = {name: np.array([taste[str(n)][way] for n in counts]) for name, way in ways.items()}
any_like, by_mean, any_new, mean_new = shown.values()
show_curve(
    counts,
    shown,
    xlabel="likes",
    ylabel="right ones among ten",
    levels={"chance": taste["chance"]["share"]},
    title=f"Any like: {any_like[-1]:.0%} against {by_mean[-1]:.0%}; new things: {any_new[-1]:.0%} against {mean_new[-1]:.0%}",
)

# %%
check("Each like more helps", np.all(np.diff(by_mean) > 0) and np.all(np.diff(mean_new) > 0))
check("From two likes on, near any of them looks better", np.all((any_like - by_mean)[1:] > 0))
spread = max(taste[str(n)][f"new_{way}_sd"] for n in counts for way in ("mean", "nearest"))
check("… but of new things both find the same", np.all(abs(any_new - mean_new) < spread))
check("It shows more of what one had", taste["8"]["own_nearest"] > 1.5 * taste["8"]["own_mean"])

# %% [markdown]
# Near any of eight likes, {{results:recommendation.test.8.own_nearest:.0%}} of the ten are other drawings of what was liked, near their mean {{results:recommendation.test.8.own_mean:.0%}}. Without them both find the same, {{results:recommendation.test.8.new_nearest:.0%}} (± {{results:recommendation.test.8.new_nearest_sd:.0%}} over the seeds) and {{results:recommendation.test.8.new_mean:.0%}} (± {{results:recommendation.test.8.new_mean_sd:.0%}}). What it gained was more of what they had.
#
# And dislikes? Each user then dislikes what was wrong among the ten, and is shown ten others. Rocchio took off their whole mean; later versions of his formula give it a weight. *How much should it be?*

# %%
weights = [0, 10, 20, 30, 50, 100]


def after(likes, way):
    return np.array([taste[str(likes)][f"{way}_{w}"] for w in weights])


as_is, scaled = after(8, "next"), after(8, "scaled")
show_curve(
    [w / 100 for w in weights],
    {"the means as they are": as_is, "both at length 1": scaled},
    xlabel="weight of the dislikes, after eight likes",
    ylabel="right ones among the next ten",
    levels={"without dislikes": as_is[0]},
    title=f"In full, dislikes ruin: {as_is[0]:.0%} becomes {as_is[-1]:.0%}; at length 1, {scaled[-1]:.0%}",
)

# %%
fifth, half = weights.index(20), weights.index(50)
both = [after(n, way) for n in counts for way in ("next", "scaled")]
check("A fifth helps, by one like and by eight, both ways", all(a[fifth] > a[0] for a in both))
check("With eight likes a full dislike does harm", as_is[-1] < 0.6 * as_is[0])
check(
    "… and a half does, but not at length 1",
    as_is[half] < 0.9 * as_is[0] < scaled[0] < scaled[half],
)
check("Nor with fewer likes", all(after(n, "scaled")[half] > after(n, "scaled")[0] for n in counts))
full = {n: after(n, "scaled") for n in counts}
check("But in full it does harm at length 1, too", all(a[-1] < a[0] for a in full.values()))

# %% [markdown]
# The mean of eight different likes is short, {{results:recommendation.test.8.likes_length:.2f}}; that of a few dislikes is nearly twice as long, {{results:recommendation.test.8.dislikes_length:.2f}}. Taken in full, the dislikes outweigh the likes. It is not that the two lie nearer to each other: their cosine is {{results:recommendation.test.8.cosine:.2f}}, and with one like {{results:recommendation.test.1.cosine:.2f}}. With both at length 1 a half does
# no harm. A full one still does: what was wrong among the first ten lay *near* the likes, or it would not have been shown, and what is right lies there, too. The app takes what the recipe chose on validation things: both at length 1, and a fifth. Over all numbers of likes that finds {{results:recommendation.test.every.scaled_20:.1%}} on the test things, a fifth of the means as they are {{results:recommendation.test.every.next_20:.1%}}: little, but more for each of the seeds.
#
# ### A search that likes its own answers
# And if nobody clicks? The search can take its own first answers for liked: the query becomes the mean of itself and its *k* nearest, and asks again. That is **query expansion** (for pictures Chum et al. 2007). Wrong answers vote, too. *Where will it help: for the things
# of our scenes, where most first answers are wrong? For their categories, where most of the first hundred are wrong? Among CIFAR-10's photos, where most are right? And in small galleries of these photos, with six of each class?*


# %%
from utils.embed import load_embeddings


def expanded(v, k):
    """Every row as the mean of itself and its k nearest, scaled to length 1."""
    found, _ = nearest(v, v, k, leave_one_out=True)
    mixed = v + v[found].sum(axis=1)
    return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)


def right_ones(queries, v, labels, first):
    """Share of right ones among the first answers, the query's own picture left out."""
    found, _ = nearest(queries, v, first, leave_one_out=True)
    return (labels[found] == labels[:, None]).mean()


# %%
photos, known = load_embeddings("cifar10-test")
galleries = {
    "photos": (photos[::2], known.labels[::2], 100),
    "categories": (vectors, category.labels, 100),
    "things": (vectors, gallery.labels, 5),
}
trusted, gain, plain = [1, 2, 4, 8, 16], {}, {}
for name, (v, labels, first) in galleries.items():
    plain[name] = right_ones(v, v, labels, first)
    again = [right_ones(expanded(v, k), v, labels, first) for k in trusted]
    gain[name] = [100 * (share - plain[name]) for share in again]
small = measured("recommendation")["expansion"]["few_photos"]  # the mean of 180 galleries
plain["six photos a class"] = small["right"]
gain["six photos a class"] = [small[f"gain_{k}"] for k in trusted]
show_curve(
    trusted,
    gain,
    xlabel="answers that the query takes in",
    ylabel="points more than without",
    levels={"": 0},
    title=f"Sixteen taken in: {gain['photos'][-1]:+.1f} points of 500 photos a class, {gain['six photos a class'][-1]:+.1f} of six",
)

# %%
print({name: f"{share:.0%} right without" for name, share in plain.items()})
check(
    "With hundreds of right ones it helps, the more the better", np.all(np.diff(gain["photos"]) > 0)
)
check(
    "… also where most answers are wrong", plain["categories"] < 0.5 and min(gain["categories"]) > 0
)
check("With four or five it does harm from eight on", max(gain["things"][3:]) < -1)
few = gain["six photos a class"]
check(
    "… also where most answers are right", plain["six photos a class"] > 0.5 and max(few[3:]) < -0.5
)
check("Up to four it does next to no harm anywhere", min(min(g[:3]) for g in gain.values()) > -0.5)

# %% [markdown]
# **It does harm once it takes in more answers than there are right ones.** A thing has four or five other drawings here, and five photos of a class are left in the small galleries, where eight answers bring {{results:recommendation.expansion.few_photos.gain_8:.1f}} points (± {{results:recommendation.expansion.few_photos.gain_8_sd:.1f}} over the seeds) and sixteen {{results:recommendation.expansion.few_photos.gain_16:.1f}} (± {{results:recommendation.expansion.few_photos.gain_16_sd:.1f}}).
# A category or a class of photos has about a hundred or more. So keep *k* below the number of answers you expect. One may also weigh each answer by a power of its cosine (Radenović et al. 2019), or trust only those that are neighbours in both directions (Zhong et al. 2017).
#
# ## 8 · A page of its own
# Who only wants to search should see no code. **Voilà** runs a notebook, hides its cells and shows what is left, widgets and all:
#
# ```
# make app                          # the course's scenes
# make app IMAGES=path/of/photos    # yours
# ```
#
# Each visitor of the page gets a Python of their own. *How much memory is that?*

# %%
import psutil

memory = psutil.Process().memory_full_info()
print(f"this kernel holds {memory.rss / 1e9:.1f} GB, {memory.uss / 1e9:.1f} GB of it alone")
check("More than 300 MB are this kernel's alone", memory.uss > 0.3e9)

# %% [markdown]
# The first number counts what processes share, mostly the libraries' code, so ten visitors need less than ten times that. The second is what would be free if this kernel ended: nearer to the cost of one visitor, though this kernel ran the whole lesson and theirs only the app. Hundreds of megabytes a visitor it is.
#
# The page answers on this machine alone, with a kernel for each tab. For other people lesson 10 builds a service that shares one network and one index. (Do not just open this page to them: its path box reads any folder of your machine.)
#
# ## Exercises
# ### Exercise 06.1 · Only dogs, please
# A user wants answers of one kind. Write `search_among(vectors, query, allowed, k)`: `vectors` are N×D, each of length 1, `query` is D long, `allowed` is N times True or False. Return the positions *in the gallery* of the `k` most similar by cosine among those allowed,
# best first; fewer where fewer are allowed.


# %% tags=["solution"] id="ex-06-1"
def search_among(vectors, query, allowed, k):
    at = np.flatnonzero(allowed)
    order = np.argsort(-(vectors[at] @ query), kind="stable")
    return at[order[:k]]


# %% tags=["grader"] id="grade-06-1"
from utils.course import exercise

exercise("06.1", search_among)

# %% [markdown]
# ### Exercise 06.2 · Shares
# Write `shares(places, other)`: `places` is h×w×D, what each place gives before the mean; `other` is the other picture's embedding, D long, of any length. Return h×w shares that add up to the cosine between the mean of the places and `other`.


# %% tags=["solution"] id="ex-06-2"
def shares(places, other):
    mean = places.mean(axis=(0, 1))
    n = places.shape[0] * places.shape[1]
    return places @ other / (n * np.linalg.norm(mean) * np.linalg.norm(other))


# %% tags=["grader"] id="grade-06-2"
exercise("06.2", shares)

# %% [markdown]
# ### Exercise 06.3 · Near any of the likes
# Write `recommend(vectors, likes, dislikes, k)`: `vectors` are N×D, each of length 1; `likes` and `dislikes` are lists of positions in it, `dislikes` may be empty. Rank by the cosine to the *nearest like*; leave out what is nearer to a dislike than to any like, and everything
# that was liked or disliked itself. Return at most `k` positions, best first.
#
# *After eight likes {{results:recommendation.test.8.next_nearest:.0%}} of the next ten are right by this rule, by the app's {{results:recommendation.test.8.scaled_20:.0%}}. Of new things it is {{results:recommendation.test.8.new_next_nearest:.0%}} (± {{results:recommendation.test.8.new_next_nearest_sd:.0%}}) and {{results:recommendation.test.8.new_scaled_20:.0%}} (± {{results:recommendation.test.8.new_scaled_20_sd:.0%}}).*


# %% tags=["solution"] id="ex-06-3"
def recommend(vectors, likes, dislikes, k):
    liking = (vectors @ vectors[likes].T).max(axis=1)
    disliking = np.full(len(vectors), -np.inf)
    if len(dislikes):
        disliking = (vectors @ vectors[dislikes].T).max(axis=1)
    wanted = liking >= disliking
    wanted[[*likes, *dislikes]] = False
    order = np.argsort(-liking, kind="stable")
    return order[wanted[order]][:k]


# %% tags=["grader"] id="grade-06-3"
exercise("06.3", recommend)

# %% [markdown]
# ## Quiz
# <details><summary>1. Why must a filter work before the ten best are taken, not after?</summary>
#
# After it, nothing may be left: the ten nearest pictures of a panda may hold no dog, though the gallery is full of them. Then the user reads "nothing found", which is false.
# </details>
#
# <details><summary>2. An upload of a phone's photo is answered with pictures lying on their side. What was forgotten?</summary>
#
# The EXIF note. The pixels in the file lie as the sensor lay; the file says how to turn them. Pillow and many others give the raw pixels unless asked; OpenCV turns them.
# </details>
#
# <details><summary>3. Why do the shares of places add up to the cosine for our CNN and not for a transformer's [CLS]?</summary>
#
# The CNN's embedding is the mean over places, and a dot product with a mean is the mean of dot products. [CLS] is made by attention and layers that mix the patches in ways that are no sum.
# </details>
#
# <details><summary>4. Eight likes, and dislikes taken in full: the answers are hardly better than chance. Why?</summary>
#
# Eight different likes partly cancel in their mean, which is short. The mean of a few dislikes is nearly twice as long and outweighs it; and the disliked were shown because they lie near the likes, where the right ones lie, too. At one length the harm is less.
# </details>
#
# ## In one paragraph
# A search becomes an app when anybody's picture is answered: read in whatever shape it comes, refused in a sentence where it cannot be, within a tenth of a second, most of which is not the search. An embedding that is a mean over places can tell which place gave which share of the score: more than half
# lies at places on the thing, the rest around it, which does not yet tell what the score needs. Likes make a query: the more the better. Near *any* of them looks better than near their mean, until other drawings of the liked things are left out. Dislikes help in small doses, and likes and dislikes are to be of one length. A search may take its own first answers for liked, as long as they are fewer than the right ones.
#
# ## Go further
# - Rocchio, *Relevance feedback in information retrieval* (1971): likes and dislikes as a query.
# - Chum, Philbin, Sivic, Isard & Zisserman, *Total Recall* (2007): query expansion, each answer verified before it counts.
# - Zhong, Zheng, Cao & Li, *Re-ranking Person Re-identification with k-reciprocal Encoding* (2017).
# - Miller, *Response time in man-computer conversational transactions* (1968): how long we wait for what; Nielsen, *Usability Engineering* (1993): a tenth of a second, one, ten.
# - Zhou et al., *Learning Deep Features for Discriminative Localization* (2016): a mean over places can be split.
# - Stylianou, Souvenir & Pless, *Visualizing Deep Similarity Networks* (2019): the same for pairs.
