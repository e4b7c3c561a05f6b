# %% [markdown]
# # 00 · What does it take to find pictures that look alike?
# Four lines of Python search a thousand pictures for the ones that show the same thing. This page plays the whole
# game once, and every later lesson takes one of its moves apart.
#
# **After this lesson you can**
# - search any set of pictures, your own folder too, for the nearest neighbours of one of them;
# - say what an embedding is, and what it buys over comparing colours or pixels;
# - measure how good a search is with one number, recall@1, and say how sure that number is;
# - tell what "alike" leaves open.
#
# *Before you start: some Python and a little NumPy. {{results:lessons.00_start_here.seconds:.0f}} seconds to run on two cores, no
# GPU, no network.*

# %%
from utils.course import check, start

BIG = False  # True: ResNet-50 from ImageNet and CIFAR-10's own files, downloaded on first use
start("00_start_here", big=BIG)

# %% [markdown]
# ## The pictures
# Six artists have drawn the same things: one octopus, six ways. We put each drawing on a background of its own,
# at a random size, place, angle and light, and call the result a **scene**.

# %%
from utils.images import load_images

gallery = load_images("scenes", split="test")
gallery

# %% [markdown]
# The set we search is called the **gallery**; the picture we ask with is the **query**. Here are all scenes of three
# things. What do the octopuses have in common, number by number? Not their colours, not their backgrounds, not where
# they stand.

# %%
from utils.plots import show_images, show_neighbours

three = ("octopus", "lion", "pizza")
rows = [i for name in three for i in range(len(gallery)) if gallery.label_of(i) == name]
show_images(gallery[rows], columns=6, title=f"{len(rows)} pictures, but only {len(three)} things")

# %% [markdown]
# ## The whole game in four moves
# **Move 1: load a network.** This one is small, was trained by us, and **has never seen a lion**: the things of the
# gallery were kept out of its training.
#
# **Move 2: embed.** The network turns each picture into a short list of numbers, its **embedding**. Pictures that look
# alike should get lists that lie close together.

# %%
from utils.embed import embed
from utils.models import load_model

model = load_model("resnet50" if BIG else "cnn")
vectors = embed(model, gallery)
print(f"{gallery.images[0].size:,} numbers in a picture, {vectors.shape[1]} in its embedding")

# %% [markdown]
# **Move 3: index.** We hand the embeddings to something that can search them. An exact index compares the query with
# every one; for a thousand pictures, or a hundred thousand, nothing cleverer is needed.

# %%
from utils.index import ExactIndex

index = ExactIndex(metric="cosine", model=model.digest)
index.add(gallery.ids, vectors)
len(index)

# %% [markdown]
# **Move 4: search.** We ask with one lion and want the eleven nearest, since the nearest of all is the query itself.
# *Before you run the cell: five lions are in the gallery, so at most four of the ten answers can be right. How many
# will be?*

# %%
query = gallery.by_label("lion")[4]
ids, distances = index.search(embed(model, query), k=11)
ids, distances = ids[:, 1:], distances[:, 1:]
right = sum(name.endswith("/lion") for name in ids[0])
show_neighbours(
    query, gallery, ids, distances, title=f"{right} of 4 other lions are among the ten nearest"
)

# %%
check("The nearest answer is another lion", ids[0, 0].endswith("/lion"))

# %% [markdown]
# The number under each answer is its distance: smaller is nearer. Not every thing is so easy: the six
# octopuses are purple, orange or red, and no two hold their arms alike.

# %%
octopus = gallery.by_label("octopus")[4]
ids, distances = index.search(embed(model, octopus), k=11)
caught = sum(name.endswith("/octopus") for name in ids[0, 1:])
show_neighbours(
    octopus, gallery, ids[:, 1:], distances[:, 1:], title=f"An octopus finds {caught} of 5 others"
)

# %%
check("An octopus finds a smaller share of its kind than the lion does", caught / 5 < right / 4)

# %% [markdown]
# **Change `"octopus"` to another thing** (`"panda"`, `"shark"`, `"popcorn"`; `gallery.classes` lists all of them) and run
# the cell again. Which things are easy, and what do they have in common?

# %% [markdown]
# ## Could we have had this without a network?
# Lions are yellow, sharks grey. Perhaps it is enough to count colours. A **colour histogram** cuts red,
# green and blue into four levels each and counts how many pixels fall into each of the 64 boxes. It is one of
# the oldest embeddings, and takes four lines.

# %%
import numpy as np


def histogram(picture):
    levels = picture.reshape(-1, 3) // 64
    boxes = levels @ [16, 4, 1]
    return np.bincount(boxes, minlength=64) / len(boxes)


colours = np.stack([histogram(picture) for picture in gallery.images])

# %%
from utils.embed import colour_histogram

check("Our four lines agree with the library's", np.allclose(colours, colour_histogram(gallery)))

# %% [markdown]
# *What will the same lion find by its colours?*

# %%
from utils.distances import nearest

asked = [gallery.ids.index(query.ids[0])]
found, apart = nearest(colours[asked], colours, k=11, metric="manhattan")
by_colour = sum(gallery.label_of(i) == "lion" for i in found[0, 1:])
show_neighbours(
    query,
    gallery,
    found[:, 1:],
    apart[:, 1:],
    title=f"By colours the lion finds its background, and {by_colour} of 4 lions",
)

# %%
check("Colours find fewer lions than the network does", by_colour < right)

# %% [markdown]
# The histogram cannot tell the animal from what is behind it. Lesson 02 asks how much that matters, and removes the
# background.
#
# ## One lion proves nothing
# We let **every** picture be the query once and look at its nearest other picture. The share of queries whose answer
# shows the same thing is **recall@1**. A blind guess scores less than half a percent here.
#
# *Put these five in order before you look: raw pixels, colours, a network with random weights, a network trained on
# photos of ten classes, and a narrower one that began with photos and was then trained on scenes of other things.*

# %%
from utils.embed import pixel_vectors
from utils.metrics import recall_at_k

ways = {
    "raw pixels": pixel_vectors(gallery),
    "colours": colours,
    "network, random weights": embed(load_model("cnn", trained=False), gallery),
    "network, trained on photos": embed(load_model("cnn-photos"), gallery),
    "network, photos, then scenes": vectors,
}
scores = {name: recall_at_k(way, gallery.labels, k=1) for name, way in ways.items()}

# %%
from utils.plots import show_bars

best = scores["network, photos, then scenes"]
show_bars(
    scores,
    intervals={name: score.interval() for name, score in scores.items()},
    unit=f"recall@1 on {len(gallery):,} scenes, with 95 % interval",
    title=f"Training takes recall@1 from {scores['network, random weights']:.0%} to {best:.0%}",
)

# %%
untrained, photos_only = scores["network, random weights"], scores["network, trained on photos"]
others = [score for name, score in scores.items() if score is not best]
check(
    "Training is what matters: random weights find less than a quarter as much",
    untrained < best / 4,
)
check("Ten classes of photos alone carry over little: less than a third", photos_only < best / 3)
check(
    "No other interval reaches the trained network's",
    all(o.interval()[1] < best.interval()[0] for o in others),
)

# %% [markdown]
# The network trained on photos is a good one, on photos. It learned to tell ten classes apart, and the rest is what
# tells a lion from a lizard. **What an embedding was not asked to keep may be lost**, most of all in a short last layer
# (lesson 03 takes it off and finds more).
#
# The whisker on each bar is a **confidence interval**: draw the queries again and again, with replacement, and 95 % of
# the scores fall inside it. Two scores whose intervals overlap may be the same.
#
# That is the chance of these *pictures*, and five or six of them show one thing. With other *things* the score could move
# further. *Draw whole things in place of single queries: how much wider is the interval?*

# %%
over_queries, over_things = best.interval(), best.interval(groups=gallery.labels[best.queries])
print(f"over queries {over_queries[0]:.3f} to {over_queries[1]:.3f}")
print(f"over things  {over_things[0]:.3f} to {over_things[1]:.3f}")
check(
    "Over things the interval is wider by a quarter or more",
    np.ptp(over_things) > 1.25 * np.ptp(over_queries),
)

# %% [markdown]
# The course's intervals are over queries: take them as the least.
#
# Did the network just remember the lion? It cannot have: no drawing of a thing of the gallery was in its training, nor of
# a near-twin. But it began with photos, and those showed ten kinds of things, horses, birds, planes, cars and trucks
# among them. *Is the score owed to these? Leave the gallery's drawings of such things out of the queries.*

# %%
trained_on = load_images("scenes", split="train")
check(
    "No thing of the gallery is among the scenes of training",
    not set(trained_on.classes) & set(gallery.classes),
)
kinds = {"horse", "airplane", "truck", "lorry", "car", "engine", "chick", "duck", "eagle", "owl"}
photographed = np.array([not kinds.isdisjoint(name.split()) for name in gallery.classes])
without = best.per_query[~photographed[gallery.labels[best.queries]]].mean()
print(f"recall@1 {best:.3f}, without {photographed.sum()} such things {without:.3f}")
check("Without such things the score is the same to a point", abs(without - best) < 0.01)

# %% [markdown]
# ## Where it fails
# The best of the five is still often wrong, and the mistakes say more than the score. Each row is a query whose nearest
# answer is wrong.

# %%
wrong = best.queries[best.per_query == 0]
some = wrong[:: len(wrong) // 4][:4]
found, apart = nearest(vectors, vectors, k=6, leave_one_out=True)
show_neighbours(
    gallery[some],
    gallery,
    found[some],
    apart[some],
    title=f"{len(wrong)} queries go wrong at the first answer",
)

# %% [markdown]
# Some answers are hopeless. Others make us doubt the question: a *rat* for a *mouse* is counted as wrong. The gallery
# knows its near-twins, as **families**. *How many of the wrong answers are of the query's own family?*

# %%
families = gallery.relabel("family").labels
twins = np.mean(families[found[wrong, 0]] == families[wrong])
by_family = recall_at_k(vectors, families, k=1)
print(f"{twins:.0%} of the wrong answers; recall@1 by thing {best:.3f}, by family {by_family:.3f}")
check("More than a fifth of the mistakes are near-twins", twins > 0.2)

# %% [markdown]
# What counts as alike is for us to say. The same drawings carry two other labelings: the **category** and the
# **artist**.

# %%
for labeling in ("thing", "category", "artist"):
    truth = gallery.relabel(labeling)
    score = recall_at_k(vectors, truth.labels, k=1)
    others = [(truth.labels == label).sum() - 1 for label in truth.labels]
    guess = np.mean(others) / (len(truth) - 1)
    print(f"{labeling:>9}: {score:.0%} of the nearest answers share it; by chance {guess:.1%}")

# %%
by_artist = recall_at_k(vectors, gallery.relabel("artist").labels, k=1)
check("By artist the same embedding is a poor search", by_artist < 0.5)

# %% [markdown]
# One embedding, three ideas of alike: it was trained for the first and serves the third badly. Lesson 03 teaches a
# network our own idea.
#
# ## Real photos
# Drawings are kind to us. So the course ships what another of our networks, `cnn-photos`, made of the 10,000 test
# photos of CIFAR-10, small pictures of ten classes: 64 numbers for each photo, but not the photos. (They were saved as
# JPEG, so what we find must not be set beside published numbers.)

# %%
from utils.embed import load_embeddings

photo_vectors, photo_labels = load_embeddings("cifar10-test")
top1 = recall_at_k(photo_vectors, photo_labels.labels, k=1)
print(
    f"{photo_vectors.shape}: for {top1:.1%} of the photos the nearest other photo shows the same class"
)

# %%
check("More than four photos in five find their own class first", top1 > 0.8)

# %% [markdown]
# That is another game, though: of these ten classes the network saw 48,000 labelled photos, of the gallery's things
# ours saw none.
#
# Where you have CIFAR-10's photos, the next cell shows six of them with their neighbours; otherwise it says how to get
# them.

# %%
from utils.images import DatasetUnavailable

try:
    photos = load_images("cifar10", split="test", download=BIG)
    rows, some = embed(load_model("cnn-photos"), photos), np.arange(700, len(photos), 1700)
    found, apart = nearest(rows, rows, k=8, leave_one_out=True)
    agree = np.mean(photos.labels[found[some]] == photos.labels[some, None])
    show_neighbours(
        photos[some],
        photos,
        found[some],
        apart[some],
        title=f"{agree:.0%} of these answers are of the query's class",
    )
except DatasetUnavailable as missing:
    print(missing)

# %% [markdown]
# ## Your own folder
# Three lines search any folder of pictures. Ours is a folder that every installation has, scikit-image's sample
# photos; **put the path of yours in its place.** Files that cannot be read as pictures are skipped. A warning, on pink in
# most notebooks, names them; it is no error.

# %%
from pathlib import Path

import skimage

folder = Path(skimage.__file__).parent / "data"  # ← your folder, such as "C:/Users/me/Pictures"

# %%
mine = load_images(folder, size=224 if BIG else 64)  # ResNet-50 looks at 224×224 pixels
rows = embed(load_model("resnet50" if BIG else "cnn-photos"), mine)
found, apart = nearest(rows, rows, k=min(5, len(mine) - 1), leave_one_out=True)

# %%
some = [
    i for i, id in enumerate(mine.ids) if id.startswith(("motorcycle_left", "gravel", "rocket"))
] or list(range(min(3, len(mine))))
show_neighbours(
    mine[some],
    mine,
    found[some],
    apart[some],
    title=f"{len(some)} of the {len(mine)} pictures in {mine.name}/, and their nearest",
)

# %% [markdown]
# Gravel finds grass, and the two views of one motorcycle find each other. The rocket finds nonsense, and why
# we cannot say: this small network has seen ten classes in its life, but gravel was none of them either. Set `BIG = True` at the top, with a network connection, and the
# same lines use a ResNet-50 that has seen a thousand.

# %% [markdown]
# ## How this course works
# - **Predict, then run.** Each section asks a question before the code answers it. Say your guess aloud; being wrong is
#   how it sticks.
# - **Claims have ticks.** A line `✓ …` is a sentence the code has just tested on the very numbers above it. Change
#   something and it may turn into `✗ …`. That is not an error, but a finding.
# - **Nothing is downloaded** unless `BIG = True`. The pictures, the networks and this page are all in the folder you
#   cloned.
#
# | lesson | question |
# | --- | --- |
# | **00 Start here** | What does it take to find pictures that look alike? |
# | 01 CNN embeddings | What is an image to a network? |
# | 02 ViT and background | Does the background decide what is similar? |
# | 03 Triplet training | Can we teach a network our own idea of alike? |
# | 04 Distances | Which distance should we use? |
# | 05 Maps and clusters | What does the space look like? |
# | 06 Search demo | Can anyone use it? |
# | 07 A growing index | What about a million pictures? |
# | 08 Without labels | Do we need labels at all? |
# | 09 Words and pictures | Can we search with words? |
# | 10 Serve it | Can it live outside the notebook? |

# %% [markdown]
# ## Exercises
# Each exercise ends in a cell that grades it: "not done yet", a tick, or a hint. Replace the `...`, run both cells, and
# try as often as you like; `progress()` shows what you have done.
#
# ### Exercise 00.1 · Five chances
# A person who sees five answers is content if one of them is right. Compute **recall@5** of `vectors` on the gallery.

# %% tags=["solution"] id="ex-00-1"
recall_5 = recall_at_k(vectors, gallery.labels, k=5)

# %% tags=["grader"] id="grade-00-1"
from utils.course import exercise, progress

exercise("00.1", recall_5, vectors, gallery.labels)

# %% [markdown]
# ### Exercise 00.2 · Where a colour is
# The histogram forgets where a colour was. Write `quarters(picture)`, for a picture of H×W×3: cut it into top left, top
# right, bottom left and bottom right, take the `histogram` of each, and join the four into 256 numbers that sum to 1.
# Does it find more than `histogram` does?


# %% tags=["solution"] id="ex-00-2"
def quarters(picture):
    """Four colour histograms, one a quarter: 256 numbers that sum to 1."""
    h, w = picture.shape[0] // 2, picture.shape[1] // 2
    parts = [picture[:h, :w], picture[:h, w:], picture[h:, :w], picture[h:, w:]]
    return np.concatenate([histogram(part) for part in parts]) / 4


# %% tags=["grader"] id="grade-00-2"
exercise("00.2", quarters)

# %% [markdown]
# ### Exercise 00.3 · A search for any folder
# Write `search_folder(folder, k)`: it reads the pictures of a folder and gives for each the ids of its `k` nearest
# *other* pictures, nearest first. Then point it at your photos. *(With thousands of photos and `BIG = True` this is
# where a GPU pays; on Colab choose one under Runtime.)*


# %% tags=["solution"] id="ex-00-3"
def search_folder(folder, k):
    """The ids of each picture's k nearest others: an array of N×k."""
    pictures = load_images(folder, size=224 if BIG else 64)
    rows = embed(load_model("resnet50" if BIG else "cnn-photos"), pictures)
    found, _ = nearest(rows, rows, k, leave_one_out=True)
    return np.array(pictures.ids)[found]


# %% tags=["grader"] id="grade-00-3"
exercise("00.3", search_folder)

# %%
progress()

# %% [markdown]
# ## Quiz
# **1. The query is itself in the gallery. Why is it never counted as an answer?**
# <details><summary>Answer</summary>Its distance to itself is 0, so it would always come first and every search would
# score 100 %. Recall@1 asks for the nearest <i>other</i> picture.</details>
#
# **2. A search has recall@1 of 50 % on 1,000 queries and another 52 %. Is the second better?**
# <details><summary>Answer</summary>Perhaps not: with 1,000 queries the interval is about ±3 points, and the two overlap.
# More queries, or comparing them query by query, would tell.</details>
#
# **3. We say the network has never seen a drawing of the gallery's things. Why must near-twins, such as <i>cat</i> and <i>cat
# face</i>, be kept on the same side?**
# <details><summary>Answer</summary>Otherwise the network would have been trained on nearly the same drawing, and we
# would measure memory and call it understanding.</details>
#
# **4. Random weights find more than one answer in a hundred. How can a network that learned nothing be better than a
# blind guess?**
# <details><summary>Answer</summary>Its embedding still depends on the picture: similar colours and edges give similar
# numbers, whatever the weights.</details>

# %% [markdown]
# ## In one paragraph
# To search pictures we turn each into an embedding, a short list of numbers, and look for the nearest lists. What makes
# the search good is the embedding: colours see the background, random weights see little, and a network trained on
# *other* things puts pictures of the same thing close together, though far from always. We measure that with recall@1
# over every picture as the query, with an interval, on things of which the network never saw a drawing.
#
# ## Go further
# - Swain & Ballard, *Color Indexing* (1991): the colour histogram as a search.
# - Babenko et al., *Neural Codes for Image Retrieval* (2014): a classifier's inner layers as embeddings.
# - Musgrave, Belongie & Lim, *A Metric Learning Reality Check* (2020): how to measure such a search, and how not to.
