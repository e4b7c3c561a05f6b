# %% [markdown]
# # 01 · What is an image to a network?
# A scene is 12,288 numbers. A network replaces them by 192 others, and suddenly its look-alikes can be found. We open the
# network and see what those numbers keep, what they give up, and where.
#
# **After this lesson you can**
# - compare pixels, one-hot vectors and embeddings by size, neighbours, recall and cost;
# - compute a convolution by hand, read a network's feature maps with hooks, and find the patch of a picture that excites a channel;
# - say what flattening keeps and what pooling throws away, and prove it with a probe;
# - turn any classifier into an embedder, prepare its pictures as it wants them, and search with it in one matrix product;
# - tell what can be rebuilt from an embedding, and what cannot.
#
# *Before you start: lesson 00. {{results:lessons.01_cnn_embeddings.seconds:.0f}} seconds to run on two cores, no GPU, no network.*

# %%
from utils.course import check, start

BIG = False  # True: ResNet-50 from ImageNet, downloaded on first use
start("01_cnn_embeddings", big=BIG)

# %% [markdown]
# ## 1 · Three ways to write a picture down
# We take the scenes of lesson 00 again: things of which the network never saw a drawing.

# %%
import numpy as np

from utils.images import load_images
from utils.models import load_model
from utils.plots import show_images

gallery = load_images("scenes", split="test")
model = load_model("resnet50" if BIG else "cnn")
chosen = [
    i
    for name in ("lion", "pizza", "panda")
    for i in np.flatnonzero(gallery.labels == gallery.classes.index(name))
]
show_images(
    gallery[chosen], title=f"{len(chosen)} of the {len(gallery):,} scenes: lions, pizzas, pandas"
)

# %% [markdown]
# A computer can write these pictures down in three ways.
# - **Pixels**: the numbers of the file, three for each point.
# - **One-hot**: number the pictures from 0; picture *i* is a vector of zeros with a single 1 at place *i*.
# - **Embedding**: what the network answers.

# %%
from utils.embed import embed

pixels = gallery.images.reshape(len(gallery), -1)
one_hot = np.eye(len(gallery), dtype=np.float32)
vectors = embed(model, gallery)
ways = {"pixels": pixels, "one-hot": one_hot, "embedding": vectors}
for name, way in ways.items():
    print(f"{name:>9}: {way.shape[1]:>6,} numbers and {way[0].nbytes:>6,} bytes a picture")

# %% [markdown]
# Now the distances among our chosen pictures, dark for near. If a way of writing knows what a lion is, we should see
# **three dark blocks** on the diagonal. *Which of the three will show them?*

# %%
from utils.distances import pairwise
from utils.plots import show_matrix

names = [gallery.label_of(i) for i in chosen]
apart = {name: pairwise(way[chosen], way[chosen]) for name, way in ways.items()}
show_matrix(
    apart,
    names,
    unit="cosine distance",
    title="Only the embedding knows which pictures belong together",
)

# %%
alike = gallery.labels[chosen][:, None] == gallery.labels[chosen]
itself = np.eye(len(chosen), dtype=bool)
gap = {name: d[~alike].mean() / d[alike & ~itself].mean() for name, d in apart.items()}
check("In one-hot any two pictures are equally far apart", np.ptp(apart["one-hot"][~itself]) == 0)
check(
    "In pixels two different things are less than a fifth farther apart than two alike",
    gap["pixels"] < 1.2,
)
check("In the embedding they are farther by a third and more", gap["embedding"] > 1.33)

# %% [markdown]
# One lion asks, first by its pixels, then by its embedding.

# %%
from utils.distances import nearest
from utils.plots import show_neighbours

lion = gallery.ids.index("noto/lion")
answers = [nearest(way[[lion]], way, 8) for way in (pixels, vectors)]
found, distances = (np.concatenate([answer[part][:, 1:] for answer in answers]) for part in (0, 1))
right = (gallery.labels[found] == gallery.labels[lion]).sum(1)
title = f"Lions among seven answers: {right[0]} by pixels (above), {right[1]} by embedding (below)"
show_neighbours(gallery[[lion, lion]], gallery, found, distances, title=title)

# %% [markdown]
# And over all pictures as queries? In one-hot all are equally near, so we let a pinch of noise choose. **mAP@R** looks
# at as many answers as there are right ones, and is 1 only where those come first.

# %%
import timeit

import pandas as pd

from utils.distances import Gallery
from utils.metrics import mean_average_precision_at_r, recall_at_k


def report(way):
    """Size, quality and milliseconds of one search among all pictures."""
    searched = Gallery(way)
    seconds = min(timeit.repeat(lambda: searched.nearest(way[:1], 10), number=10, repeat=3)) / 10
    recall = recall_at_k(way, gallery.labels)
    precision = mean_average_precision_at_r(way, gallery.labels)
    return {
        "numbers": way.shape[1],
        "recall@1": recall,
        "mAP@R": precision,
        "ms a search": 1000 * seconds,
    }


# %%
noisy = one_hot + 1e-3 * np.random.default_rng(0).normal(size=one_hot.shape)
table = pd.DataFrame({name: report(way) for name, way in (ways | {"one-hot": noisy}).items()}).T
table.style.format("{:.3f}").format("{:,.0f}", subset="numbers")

# %%
check(
    "Pixels and one-hot find almost nothing", max(table["recall@1"][["pixels", "one-hot"]]) < 0.05
)
check(
    "The embedding finds at least ten times as much as the pixels",
    table["recall@1"]["embedding"] > 10 * table["recall@1"]["pixels"],
)
check(
    "… with a tenth of the numbers, or fewer" if not BIG else "… with a fifth of the numbers",
    table["numbers"]["embedding"] < table["numbers"]["pixels"] / (5 if BIG else 10),
)

# %% [markdown]
# ### What one-hot really costs
# One often reads that the weights a network needs grow *exponentially* with the length of a one-hot vector. Count them:
# a layer from *n* inputs to 64 outputs. *What will the curve look like?*

# %%
from torch import nn

from utils.plots import show_curve

items = [1_000, 2_000, 3_000, 4_000, 5_000]
weights = [nn.Linear(n, 64, bias=False).weight.numel() for n in items]
show_curve(
    items,
    weights,
    xlabel="items, so length of a one-hot vector",
    ylabel="weights of the next layer",
    title=f"Each item more costs {weights[1] // items[1]} weights more: a straight line",
)

# %%
check(
    "Twice the items take twice the weights: linear, not exponential",
    weights[3] == 2 * weights[1] == 4 * weights[0],
)

# %% [markdown]
# It is wasteful all the same: of those products all but one are with zero. A one-hot vector times a matrix **is** one row of
# the matrix, so libraries look the row up instead. That table of rows is the original *embedding* layer.

# %%
import torch
import torch.nn.functional as F

rows = nn.Embedding(5_000, 64)
item = torch.tensor([42])
product = F.one_hot(item, 5_000).float() @ rows.weight
check("One-hot times weights is a row of the weights", torch.allclose(product, rows(item)))

# %% [markdown]
# ### The curse of dimensionality
# Why would fewer numbers be *better*? Throw 500 random points into a box of more and more dimensions. For each point, how
# much farther away is its farthest fellow than its nearest? That is its **contrast**; Beyer et al. (1999) showed when it
# vanishes. A search lives on it. *At 8,192 dimensions: ten times farther? Twice?*


# %%
def contrast(points):
    """(farthest − nearest) / nearest, the median over all points."""
    d = np.sort(pairwise(points, points, "euclidean"), axis=1)  # first comes the point itself
    return float(np.median(d[:, -1] / d[:, 1] - 1))


rng = np.random.default_rng(0)
dimensions = [2**i for i in range(1, 14)]
of_random = [contrast(rng.random((500, d))) for d in dimensions]
of_ours = {name: contrast(ways[name][:500] / 1.0) for name in ("pixels", "embedding")}

# %%
show_curve(
    dimensions, of_random, xlabel="dimensions", ylabel="contrast", log="xy",
    levels={f"our {name}, {ways[name].shape[1]:,} numbers": value for name, value in of_ours.items()},
    title=f"Among random points in {dimensions[-1]:,} dimensions the farthest is {of_random[-1]:.0%} farther than the nearest",
)  # fmt: skip

# %%
check(
    "Among random points contrast falls with every doubling of the dimensions",
    np.all(np.diff(of_random) < 0),
)
check(
    "In 8,192 dimensions the farthest is less than a tenth farther than the nearest",
    of_random[-1] < 0.1,
)
check(
    "Pictures are not random points: pixels keep over ten times that contrast",
    of_ours["pixels"] > 10 * of_random[-1],
)

# %% [markdown]
# So the curse is real for points that fill their space, and pictures do not: neighbouring pixels repeat each other. And
# contrast alone is no merit. Pixels have *more* of it than our embedding and find far less: what makes them far apart
# is the background as much as the thing (lesson 02).
#
# ## 2 · What the layers see
# ### A convolution, by hand
# Most layers of the network are **convolutions**. A small window of weights, the **kernel**, slides over the picture; at each
# place its weights are multiplied with the numbers beneath and summed. One kernel makes one map.


# %%
def convolve(picture, kernel):
    """The map of a picture (channels×H×W) that a kernel (channels×h×w) makes, without padding."""
    (_, rows, columns), (_, h, w) = picture.shape, kernel.shape
    answer = np.empty((rows - h + 1, columns - w + 1))
    for row in range(len(answer)):
        for column in range(len(answer[0])):
            beneath = picture[:, row : row + h, column : column + w]
            answer[row, column] = (beneath * kernel).sum()
    return answer


# %% [markdown]
# Three kernels, each three by three and the same for all colours. *Which lines of the lion will each of them draw?*

# %%
from utils.plots import show_grid

upright = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
kernels = {"upright edges": upright, "level edges": upright.T, "a blur": np.full((3, 3), 1 / 9)}
picture = gallery.images[lion].transpose(2, 0, 1) / 255  # colours first, from 0 to 1
filtered = {name: convolve(picture, np.stack([kernel] * 3)) for name, kernel in kernels.items()}
show_grid(
    {"the lion": [gallery.images[lion], *filtered.values()]},
    columns=["the picture", *filtered],
    title="Nine weights find edges",
)

# %%
together = torch.tensor(np.stack([[kernel] * 3 for kernel in kernels.values()]))
library = F.conv2d(torch.tensor(picture)[None], together)[0].numpy()
slid = np.roll(picture, 5, axis=2)
check("PyTorch's conv2d computes the same", np.allclose(library, list(filtered.values())))
check(
    "Slide the picture, and its map slides along",
    np.allclose(convolve(slid, together[0].numpy())[:, 5:], filtered["upright edges"][:, :-5]),
)

# %% [markdown]
# In a network the kernels' weights are learned. And they are few, because every place shares them. *A layer of
# 24 such kernels reads a picture half as wide and half as high: how many weights does it save?*

# %%
convolution, tied_to_places = nn.Conv2d(3, 24, 3, padding=1), nn.Linear(3 * 64 * 64, 24)
print(f"24 kernels have {convolution.weight.numel()} weights; to read 64×64 pixels,")
print(f"24 numbers of a fully connected layer take {tied_to_places.weight.numel():,}")
check(
    "The same weights read large pictures and small ones: halving saves work, not weights",
    convolution(torch.rand(1, 3, 64, 64)).shape[2:] == (64, 64)
    and convolution(torch.rand(1, 3, 32, 32)).shape[2:] == (32, 32),
)

# %% [markdown]
# ### Layer by layer
# Each layer of the network has its **feature maps**, small grey pictures, one for each of its **channels**, bright where the
# channel found what it looks for. A **hook** is a function that PyTorch calls when a layer has answered; ours keeps the answer.
#
# Our network begins with a fixed convolution, `whiten`, that makes neighbouring pixels less alike. Then come three **stages**, each a
# convolution, a halving and a refinement: stages 1 to 3, which the code counts from 0.

# %%
from utils.embedder import feature_maps

layers = (
    ["layer1", "layer2", "layer3", "layer4"]
    if BIG
    else ["whiten", "stages.0", "stages.1", "stages.2"]
)
others = [i for i in range(0, len(gallery), 4 if BIG else 1) if i != lion]
explored = gallery[[lion, *others]]  # the lion stands first
maps = feature_maps(model, explored, layers)
for layer in layers:
    print(f"{layer:>9}: channels × rows × columns = {' × '.join(map(str, maps[layer].shape[1:]))}")


# %%
def busiest(some, n=8):
    """The n maps of a picture that differ most from place to place."""
    return list(some[np.argsort(-some.std((1, 2)))[:n]])


rows = {"picture": [explored.images[0]]} | {layer: busiest(maps[layer][0]) for layer in layers}
show_grid(rows, title="From outlines to a few coarse places: eight maps of each layer")

# %%
steps = np.diff([maps[layer].shape[1:3] for layer in layers], axis=0)
check("From layer to layer: more channels, fewer rows", np.all(steps * [1, -1] > 0))

# %% [markdown]
# ### How much of the picture does a channel look at?
# Ask the gradient: which pixels can change the middle value of a layer's map? The square they fill is the layer's
# **receptive field**.

# %%
from torchvision.models.feature_extraction import create_feature_extractor

side = model.preprocess.size


def receptive_field(layer):
    """Side, in pixels of the network's input, of the square that the middle of a map sees."""
    x = torch.rand(1, 3, side, side, device=model.device, requires_grad=True)
    answer = create_feature_extractor(model.module, [layer])(x)[layer]  # by name; see section 4
    middle = answer.shape[-1] // 2
    answer[0, :, middle, middle].square().sum().backward()
    touched = x.grad.abs().sum((0, 1, 3)).nonzero()
    return int(touched.max() - touched.min() + 1)


# %%
fields = {layer: receptive_field(layer) for layer in layers}
print(", ".join(f"{layer} {field}" for layer, field in fields.items()), f"of {side} pixels")

# %% [markdown]
# What excites a channel most? For one of each layer we take the pictures in which its map gets brightest, and cut out the patch
# at that place. *What will the last layer's patches have in common?*


# %%
def exciting(layer, channel, n=8):
    """The patches of the n pictures that excite a channel most, the strongest first."""
    found = maps[layer][:, channel]
    patches, half = [], max(1, round(fields[layer] * 64 / side / 2))
    for picture in np.argsort(-found.max((1, 2)))[:n]:
        place = np.array(np.unravel_index(found[picture].argmax(), found[picture].shape))
        centre = (place + 0.5) * 64 // len(found[picture])
        top, left = np.clip(centre - half, 0, 64 - 2 * half).astype(int)
        patches.append(explored.images[picture][top : top + 2 * half, left : left + 2 * half])
    return patches


# %%
channels = dict(zip(layers, (6, 37, 44, 60), strict=True))
rows = {
    f"{layer}, channel {channel}": exciting(layer, channel) for layer, channel in channels.items()
}
show_grid(rows, title="Deeper layers wait for larger and more particular patches")

# %% [markdown]
# Corners, slanted stripes, arcs, and in the last layer trucks, if it were not for a squid. A pretty row is no proof: we
# chose the channels. So for **every** channel we take the nine pictures that excite it most and count how many pairs of them
# show the same thing; in the last layer also among things of its training.

# %%
from utils.plots import show_bars

things, last = explored.labels, layers[-1]
training = load_images("scenes", split="train")
taught = feature_maps(model, training, [last])[last]


def agreement(maps, things):
    """Share of pairs, among the nine pictures that excite a channel most, that show one thing."""
    best = np.argsort(-maps.max((2, 3)), axis=0)[:9].T
    same = things[best][:, :, None] == things[best][:, None, :]
    return (same.sum((1, 2)) - 9).mean() / 72


# %%
agree = {layer: agreement(maps[layer], things) for layer in layers}
known = agreement(taught, training.labels)
guess = np.mean([(things == thing).sum() - 1 for thing in things]) / (len(things) - 1)
show_bars(
    {"two pictures at random": guess} | agree | {f"{last}, things of its training": known},
    unit="share of pairs that show the same thing",
    title=f"In the last layer, a channel agrees on a thing {agree[last] / guess:.1f} times as often as chance",
)

# %%
check(
    "The deeper the layer, the more often a channel agrees on a thing",
    np.all(np.diff(list(agree.values())) > 0),
)
check(
    "Yet channels are on average no detectors of one thing, be it known or not: below 10 %",
    BIG or max(agree[last], known) < 0.1,
)

# %% [markdown]
# (All five drawings of one thing among the nine would make 28 %.) "Edges, then parts, then objects" is thus a tendency, not a filing system.
# A thing is written across many channels at once, and that is why we compare whole vectors.
#
# ## 3 · Where does the place go?
# Slide a picture one pixel to the right and every number in it changes. To us nothing happened. Textbooks say that pooling
# makes a network *translation invariant*. *How far will the embedding move: not at all, a little, or as far as another
# picture's?*

# %%
some = gallery[:100]
shifts = range(0, 13)


def average(maps):
    return maps.mean((2, 3))


def flatten(maps):
    return maps.reshape(len(maps), -1)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


# %%
slid = [feature_maps(model, np.roll(some.images, shift, axis=2), [last])[last] for shift in shifts]
drift = {
    name: [1 - (unit(read(slid[0])) * unit(read(m))).sum(1).mean() for m in slid]
    for name, read in (("flattened maps", flatten), ("averaged maps, the embedding", average))
}

# %%
_, to_nearest = nearest(vectors, vectors, 1, leave_one_out=True)
to_nearest = to_nearest[: len(some)]
levels = {"its nearest neighbour": to_nearest.mean()}
moved = np.array(drift["averaged maps, the embedding"]) / to_nearest.mean()
show_curve(
    shifts,
    drift,
    xlabel="shift (of 64 pixels)",
    ylabel="cosine distance to where it was",
    levels=levels,
    title=f"Eight pixels move an embedding {moved[8]:.0%} of the way to its nearest neighbour",
)

# %%
check("One pixel moves the embedding less than a tenth of the way to its neighbour", moved[1] < 0.1)
check(
    "Twelve pixels move it at least a fifth of the way: tolerant, not invariant",
    BIG or moved[12] > 0.2,
)
check(
    "Flattened maps move more than twice as far",
    drift["flattened maps"][8] > 2 * drift["averaged maps, the embedding"][8],
)

# %% [markdown]
# *Invariant* is too strong a word: the network is **tolerant**, and we can measure how much. Who gives it the tolerance? Pooling
# keeps one number of each 2×2 square: the largest (**max pooling**) or the mean (**average pooling**). A **strided** convolution
# computes only every second place to begin with. Watch a single bright pixel pass by.

# %%
for place in range(2, 6):
    signal = F.one_hot(torch.tensor([place]), 8)[:, None].float()
    largest, mean = F.max_pool1d(signal, 2)[0, 0], F.avg_pool1d(signal, 2)[0, 0]
    print(
        f"bright at {place}:  max {largest.tolist()}  mean {mean.tolist()}  stride {signal[0, 0, ::2].tolist()}"
    )

# %% [markdown]
# Within a window pooling does not notice the step; across its border it does. The stride misses the pixel at every other
# place. Which of them makes a whole network tolerant?
#
# A recipe (`recipes/pooling.py`) has trained four networks that differ only in how they halve their maps, three times each, and slid
# the validation scenes. All average their last maps, like ours. A fifth, with max pooling, saw its training pictures shifted at random.
# *Put them in order.*

# %%
from utils.course import measured

pooling = measured("pooling")
halvings = {
    "stride": "stride 2",
    "max": "max pooling",
    "max, shifted": "max pooling, trained with shifts",
    "average": "average pooling",
    "none": "no halving at all",
}
drifts = {text: pooling[name]["mean"]["mean"] for name, text in halvings.items()}
one = {text: drift[1] for text, drift in drifts.items()}
show_curve(
    pooling["shifts"],
    drifts,
    xlabel="shift (of 32 pixels)",
    ylabel="drift, in distances to the neighbour",
    title=f"One pixel: max pooling drifts {one['max pooling']:.0%} of the way to the neighbour, no halving {one['no halving at all']:.0%}",
)

# %%
check(
    "The network without any halving is the most tolerant of one pixel",
    min(one, key=one.get) == "no halving at all",
)
check(
    "Average pooling costs little of it, max pooling much, strides most",
    one["average pooling"] < one["max pooling"] / 3 < one["stride 2"] / 3,
)
check(
    "Strides drift less by 8 pixels than by 7",
    drifts["stride 2"][8] < drifts["stride 2"][7],
)
check(
    "Shifts among the training pictures take more than half of max pooling's drift by a pixel away",
    one["max pooling, trained with shifts"] < one["max pooling"] / 2,
)

# %%
finds = {name: pooling[name]["recall_at_1"]["mean"] for name in halvings}
check(
    "Average pooling finds most of the five, by the mean of three seeds",
    max(finds, key=finds.get) == "average",
)
whole = {name: np.array(pooling[name]["flatten"]["mean"]) for name in ("none", "average", "max")}
check(
    "With the maps flattened instead, average pooling drifts less than no halving at every shift",
    np.all(whole["average"][1:] < whole["none"][1:]),
)
check("… and max pooling from four pixels on", np.all((whole["max"] < whole["none"])[4:]))

# %% [markdown]
# The textbook is half right. A convolution's maps move along with the picture, and an average at the end forgets where they
# are: **that** gives the tolerance, and every halving before it *costs* some, since the picture falls on another grid (Zhang 2019);
# by eight pixels, where three halvings meet their grid again, all five end close together. Where maps are compared place by place,
# pooling does help.
#
# Tolerance is not all, and a drift is measured in distances of its own network. These networks find little: recall@1 is {{results:pooling.stride.recall_at_1.mean:.0%}} with strides, {{results:pooling.max.recall_at_1.mean:.0%}} with max pooling and {{results:pooling.max, shifted.recall_at_1.mean:.0%}} when it saw shifts,
# {{results:pooling.none.recall_at_1.mean:.0%}} with no halving, {{results:pooling.average.recall_at_1.mean:.0%}} with average pooling (means of three seeds; those of the last three overlap). Of the five, average pooling is nearly as tolerant as no halving, and finds most. What halving buys besides is speed (not fewer weights in the convolutions after it, as one often reads) and a larger
# receptive field. Our own network halves by max pooling; its training pictures were shifted, which is likely why it holds still so well.

# %% [markdown]
# ### Flattening
# To make a vector of the last maps we can **flatten** them, that is, write all the numbers one after the other, or **pool** each map
# to one number: its mean (**global average pooling**) or its maximum.
#
# Flattening goes in **row-major** order: along a row first, then to the next row, then to the next channel.

# %%
block = np.arange(12).reshape(3, 2, 2)  # 3 channels, 2 rows, 2 columns
flat = block.flatten()
print(block.tolist(), "→", flat.tolist())

# %%
check(
    "The value at (channel, row, column) lands at (channel × rows + row) × columns + column",
    flat[(2 * 2 + 1) * 2 + 0] == block[2, 1, 0],
)
check(
    "Flattening loses nothing: the maps can be had back",
    np.array_equal(flat.reshape(block.shape), block),
)

# %% [markdown]
# One often reads that flattening *sacrifices* the place of things. It cannot: nothing is lost. But does a vector make the
# place easy to read? A **linear probe** tells: a linear model that tries to read the thing's place off the vector. It
# learns on scenes of the training things and answers on ours; the true places come from the masks.
# *From which of the three can it read the place?*

# %%
from sklearn.linear_model import Ridge

tested = feature_maps(model, gallery, [last])[last]


def largest(maps):
    return maps.max((2, 3))


def places(pictures):
    """The centre of each thing, in pixels: N×2."""
    weight = pictures.masks / pictures.masks.sum((1, 2), keepdims=True)
    return np.stack([weight.sum(1) @ np.arange(64), weight.sum(2) @ np.arange(64)], axis=1)


readouts = {"flattened": flatten, "averaged": average, "maximum": largest}

# %%
truth = places(gallery)
off = {"a guess, always the middle": np.abs(places(training).mean(0) - truth).mean()}
for name, read in readouts.items():
    reader = Ridge(alpha=1).fit(unit(read(taught)), places(training))
    off[name] = np.abs(reader.predict(unit(read(tested))) - truth).mean()
show_bars(
    off,
    unit="pixels off, mean over rows and columns",
    title=f"Flattened maps tell the place to {off['flattened']:.1f} pixels, averaged ones to {off['averaged']:.1f}",
)

# %%
guessing = off["a guess, always the middle"]
check(
    "Flattening keeps the place: the probe is off by less than half of a guess",
    off["flattened"] < guessing / 2,
)
check(
    "Averaging and maximum throw most of it away: off by more than two thirds of a guess",
    min(off["averaged"], off["maximum"]) > 2 / 3 * guessing,
)

# %% [markdown]
# Not all of it, probably because the convolutions see the padding near the edge: a little of *where* leaks into *what*. Now
# the search. *Which of the three will find most?*

# %%
found = {name: report(unit(read(tested))) for name, read in readouts.items()}
pd.DataFrame(found).T.style.format("{:.3f}").format("{:,.0f}", subset="numbers")

# %%
check(
    "Averaged maps find more than flattened ones",
    found["averaged"]["recall@1"] > found["flattened"]["recall@1"],
)

# %% [markdown]
# For *what is it?* the place is noise, and averaging takes it out. (This network was trained with the average at its end, so it has
# the home advantage.) For *where is it?* averaging would be the wrong choice.
#
# ## 4 · From a classifier to a search
# ### Why deep networks have shortcuts
# Our network's stages end in a **residual block**: it computes F(x) and returns **H(x) = F(x) + x** (He et al. 2016).

# %%
from utils.cnn import Residual

block = Residual(channels=8).eval()
x = torch.randn(2, 8, 6, 6)
f = F.gelu(block.norm(block.conv(x)))
check("H(x) = F(x) + x is all there is to it", torch.allclose(block(x), f + x))

# %% [markdown]
# What is the `+ x` for? We stack plain layers, with and without it and with and without normalisation (**norm**), and look at the
# gradient that arrives at the first. *At 32 layers: a half of it, a tenth, a thousandth?*


# %%
class Layer(nn.Module):
    def __init__(self, width, shortcut, norm):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.norm = nn.BatchNorm1d(width, momentum=1) if norm else nn.Identity()
        self.shortcut = shortcut

    def forward(self, x):
        f = F.relu(self.norm(self.linear(x)))
        return f + x if self.shortcut else f


def stack(depth, shortcut, norm):
    torch.manual_seed(0)
    body = [Layer(32, shortcut, norm) for _ in range(depth)]
    return nn.Sequential(nn.Linear(64, 32), *body, nn.Linear(32, 10))


# %%
from sklearn.datasets import load_digits

digits = load_digits()  # 1,797 pictures of 8×8 pixels, ten classes
ink, digit = torch.tensor(digits.data / 16).float(), torch.tensor(digits.target)


def first_gradient(network):
    """Length of the gradient of the first layer's weights."""
    F.cross_entropy(network(ink[:256]), digit[:256]).backward()
    return network[0].weight.grad.norm().item()


# %%
kinds = {
    "plain": (False, False),
    "with norm": (False, True),
    "with shortcut": (True, False),
    "with both": (True, True),
}
depths = [1, 2, 4, 8, 16, 32]
gradients = {
    name: [first_gradient(stack(d, *kind)) for d in depths] for name, kind in kinds.items()
}

# %%
show_curve(
    depths,
    gradients,
    xlabel="layers",
    ylabel="gradient at the first layer",
    log="xy",
    title=f"Without shortcut and norm the gradient dies: {gradients['plain'][-1]:.0e} at 32 layers",
)

# %%
check(
    "In the plain stack less than a millionth of the gradient arrives",
    gradients["plain"][-1] < 1e-6 * gradients["plain"][0],
)
growth = {kind: steps[-1] / steps[0] for kind, steps in gradients.items()}
check(
    "With a norm or a shortcut alone it grows more than a hundredfold, with both less than thirtyfold",
    min(growth["with norm"], growth["with shortcut"]) > 100 > 30 > growth["with both"] > 1,
)

# %% [markdown]
# The plain stack dies of PyTorch's initial weights, which shrink the gradient by √(1/6) a layer; those of He et al. (2015) keep it alive. Norms
# without shortcuts make it explode (Yang et al. 2019). So either would do? Let them learn.


# %%
def learn(network, steps=80):
    """Shares of the digits it learns from, and of unseen ones, that a network gets right."""
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(network(ink[:1000]), digit[:1000]).backward()
        optimizer.step()
    network(ink[:1000])  # the norms keep the statistics of this, their last batch
    right = (network.eval()(ink).argmax(1) == digit).float()
    return right[:1000].mean().item(), right[1000:].mean().item()


# %%
learned = {f"24 layers, {name}": learn(stack(24, *kind)) for name, kind in kinds.items()}
learned |= {"1 layer, with norm": learn(stack(1, False, True))}
learned |= {"1 layer, with both": learn(stack(1, True, True))}
accuracy = {name: unseen for name, (_, unseen) in learned.items()}
show_bars(
    accuracy,
    unit="accuracy on 797 unseen digits",
    title=f"With shortcut and norm 24 layers learn: {accuracy['24 layers, with both']:.0%}",
)

# %%
check(
    "A norm alone keeps the gradient alive, yet does not save the learning",
    accuracy["24 layers, with norm"] < accuracy["24 layers, with both"] - 0.2,
)
check("The plain stack learns next to nothing", accuracy["24 layers, plain"] < 0.3)
check(
    "Norm alone: 24 layers know fewer than one layer even of the digits they learn from",
    learned["24 layers, with norm"][0] < learned["1 layer, with norm"][0] - 0.1,
)
check(
    "On digits, depth gains nothing over a single layer",
    accuracy["24 layers, with both"] < accuracy["1 layer, with both"] + 0.03,
)

# %% [markdown]
# So it is not overfitting alone: after these 80 steps the deeper stack is worse even where it was taught. He et al. (2016) saw the same in networks
# trained to the end, called it **degradation**, and answered with the shortcut. It does not make depth useful. It makes depth *possible*: a block that has nothing to add can leave x as it is.
#
# ### A ResNet without its last layer
# ResNets are trained as classifiers: their last layer turns an embedding into a score for each class. We want what comes
# before. The usual trick lists the network's children and leaves out the last; torchvision's `create_feature_extractor` asks for a
# node by name.

# %%
from torchvision.models import resnet18

resnet = resnet18(weights=None).eval()
cut = nn.Sequential(*list(resnet.children())[:-1])
extractor = create_feature_extractor(resnet, {"flatten": "embedding"})
batch = torch.rand(2, 3, 64, 64)
check(
    "On a ResNet both give the same 512 numbers",
    torch.allclose(cut(batch).flatten(1), extractor(batch)["embedding"], atol=1e-5),
)

# %%
photos = load_model("cnn-photos").module.cpu()
cut = nn.Sequential(*list(photos.children())[:-1])
extractor = create_feature_extractor(photos, {"pool": "embedding"})
differ = (cut(batch) - extractor(batch)["embedding"]).abs().max()
check("On our network they differ", differ > 0.01)

# %% [markdown]
# `children()` lists the parts, not what `forward` does *between* them: ours applies an activation there, a GELU, that is not a part. **Cutting by
# children is safe only where `forward` is nothing but its children in order.**
#
# ### What goes in: pre-processing
# A network expects its pictures as in training: its size, its order of numbers, its range. Mean and
# standard deviation (**std**) are those of the colours in its first training pictures.

# %%
side, mean, std = (getattr(model.preprocess, name) for name in ("size", "mean", "std"))


def prepare(pictures, mean=mean, std=std):
    """uint8 N×H×W×3 → float32 N×3×side×side, ready for the network."""
    x = torch.tensor(pictures).permute(0, 3, 1, 2)  # colours first, then rows and columns
    x = x / 255  # from 0 to 1
    x = F.interpolate(x, (side, side), mode="bilinear", antialias=True)
    return (x - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


# %%
ready = prepare(gallery.images[:100])
print(f"{tuple(ready.shape)}, from {ready.min():.1f} to {ready.max():.1f}, mean {ready.mean():.2f}")
check(
    "That is all that model.preprocess does",
    torch.allclose(ready, model.preprocess(torch.tensor(gallery.images[:100])), atol=1e-5),
)

# %% [markdown]
# And if somebody prepares the **queries** a little differently, while the gallery stays as it is? Some libraries
# read colours as blue–green–red. *Which mistake costs most, and which will raise an error?*


# %%
def found_by(queries):
    """recall@1 of prepared queries in the gallery as it is; none is its own answer."""
    with torch.inference_mode():
        batches = [model.module(x.to(model.device)).flatten(1) for x in queries.split(256)]
    similar = F.normalize(torch.cat(batches)).cpu().numpy() @ vectors.T
    similar[np.arange(len(asked)), asked] = -1
    return np.mean(gallery.labels[similar.argmax(1)] == gallery.labels[asked])


# %%
asked = np.arange(0, len(gallery), 3)  # every third, to save time
images = gallery.images[asked]
unscaled = {"mean": [m / 255 for m in mean], "std": [s / 255 for s in std]}  # x / 255 forgotten
prepared = {
    "like the gallery": prepare(images),
    "blue – green – red": prepare(images[..., ::-1].copy()),
    "columns before rows": prepare(images.swapaxes(1, 2)),
    "no mean, no std": prepare(images, mean=[0] * 3, std=[1] * 3),
    "from 0 to 255": prepare(images, **unscaled),
    "reshape for permute": prepare(images.reshape(-1, 3, 64, 64).transpose(0, 2, 3, 1)),
}
recalls = {name: found_by(queries) for name, queries in prepared.items()}
show_bars(
    recalls,
    unit="recall@1",
    title=f"Queries prepared wrongly: recall@1 falls from {recalls['like the gallery']:.2f} to {min(recalls.values()):.3f}",
)

# %%
check(
    "No mistake shows itself: all are numbers of the right shape",
    len({queries.shape for queries in prepared.values()}) == 1,
)
check(
    "Each costs more than half of what the right preparation finds",
    BIG or sorted(recalls.values())[-2] < recalls["like the gallery"] / 2,
)

# %% [markdown]
# Pre-processing belongs to a network as its weights do, and `load_model` hands out both together.
#
# ### `get_embedding` and `find_similar_images`
# The whole search as one finds it in tutorials: a picture file in, its embedding out; then a loop over a dictionary.

# %%
from PIL import Image


def get_embedding(path):
    """The embedding of a picture file: 1-D, unit length."""
    picture = np.asarray(Image.open(path).convert("RGB"))
    with torch.inference_mode():
        batch = model.preprocess(torch.from_numpy(picture[None]).to(model.device))
        return F.normalize(model.module(batch).flatten(), dim=0).cpu()


# %%
def find_similar_images(query, database, top_n=3):
    """The top_n names with the most similar embeddings, and their cosine similarity."""
    cosine = nn.CosineSimilarity(dim=0)
    similarity = {name: cosine(query, embedding).item() for name, embedding in database.items()}
    return sorted(similarity.items(), key=lambda pair: pair[1], reverse=True)[:top_n]


# %%
import tempfile
from pathlib import Path

database = dict(zip(gallery.ids, torch.from_numpy(vectors), strict=True))
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "lion.png")
    Image.fromarray(gallery.images[lion]).save(file)
    query = get_embedding(file)
find_similar_images(query, database, top_n=4)

# %%
check(
    "One picture at a time or all in batches: the same embedding",
    torch.allclose(query, database["noto/lion"], atol=1e-4),
)

# %% [markdown]
# The first answer is the query itself. It works, and it is slow: a call a picture. Unit vectors'
# cosine similarity is their product, so **one matrix product** answers for the whole gallery, and for many queries at once.
# *How many times faster?*

# %%
matrix = torch.from_numpy(vectors)


def find_similar_fast(query, top_n=3):
    scores, rows = (matrix @ query).topk(top_n)
    return list(zip([gallery.ids[i] for i in rows], scores.tolist(), strict=True))


# %%
loop = min(timeit.repeat(lambda: find_similar_images(query, database, 10), number=1, repeat=3))
product = min(timeit.repeat(lambda: find_similar_fast(query, 10), number=20, repeat=3)) / 20
print(
    f"loop {1000 * loop:.1f} ms, product {1000 * product:.2f} ms: {loop / product:.0f} times faster"
)

# %%
slow, fast = find_similar_images(query, database, 10), find_similar_fast(query, 10)
by_course, _ = nearest(query[None].numpy(), vectors, 10)
check(
    "Loop and product give the same ten names",
    [name for name, _ in slow] == [name for name, _ in fast],
)
check(
    "… and so does the course's own search",
    [gallery.ids[i] for i in by_course[0]] == [name for name, _ in fast],
)

# %% [markdown]
# ## 5 · What an embedding keeps
# Can we have the picture back? We fit linear **decoders** on the training scenes, from three vectors: the flattened maps, the
# embedding, and as many **principal components** (PCA: the directions in which the pixels vary most) as the embedding has numbers.

# %%
from sklearn.decomposition import PCA

from utils.embed import pixel_vectors

small, wanted = pixel_vectors(training), pixel_vectors(gallery)  # 32×32×3, from 0 to 1
pca = PCA(min(vectors.shape[1], 1000), random_state=0).fit(small)
components = pca.transform(wanted)
rebuilt = {f"{pca.n_components_} PCA numbers": pca.inverse_transform(components)}
for name, read in (("flattened maps", flatten), ("embedding", average)):
    decoder = Ridge(alpha=1).fit(unit(read(taught)), small)
    rebuilt[name] = decoder.predict(unit(read(tested)))

# %%
shown = (
    "noto/lion fluent/watermelon twemoji/owl noto/octopus twemoji/pizza emojione/panda noto/shark"
)
shown = [gallery.ids.index(id) for id in shown.split()]
rows = {"picture": wanted} | rebuilt
show_grid(
    {name: row[shown].reshape(-1, 32, 32, 3).clip(0, 1) for name, row in rows.items()},
    title="The embedding remembers something yellow, not where its ears are",
)

# %% [markdown]
# That PCA rebuilds best is no finding: of all linear codes of a length it has the least squared error on the pictures it was fitted to. It is our yardstick.

# %%
error = {name: np.abs(pictures - wanted).mean() for name, pictures in rebuilt.items()}
error = {"the mean picture": np.abs(small.mean(0) - wanted).mean()} | error
show_bars(error, unit="mean error of a pixel, from 0 to 1", title="PCA keeps the picture best …")

# %%
keeps, finds = recall_at_k(components, gallery.labels), recall_at_k(vectors, gallery.labels)
check(
    f"With as many numbers PCA finds far less: recall@1 {keeps:.2f} against {finds:.2f}",
    finds > 5 * keeps,
)

# %% [markdown]
# Both compress, and both are **lossy**. PCA loses what is small in pixels; the embedding loses what did not help to tell things
# apart: place, background, exact shape. *Compressing for looking back and for finding are different trades.* (Our decoders are linear.
# A network could draw more from an embedding: Dosovitskiy & Brox 2016.)
#
# ### A set that the network never saw
# Embeddings are sometimes called a *universal language*. Can ours read handwritten digits, which neither of our networks
# has met? The photo network's 64 numbers come out of a **head**, a last layer behind the averaged maps; we read the 256 numbers before it, too.
# *Which reads best: pixels, an untrained network, the photo network, or the scenes network?*

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from utils.models import without_head

photo_network = load_model("cnn-photos")
big_digits = (np.kron(digits.images, np.ones((1, 4, 4))) * 255 / 16).astype(np.uint8)
big_digits = np.repeat(big_digits[..., None], 3, axis=3)  # 32×32, in colour
headless = embed(without_head(photo_network, 32), big_digits)
directions = np.random.default_rng(0).normal(size=(headless.shape[1], photo_network.dim))
read_by = {
    "pixels": digits.data,
    "network, random weights": embed(load_model("cnn", trained=False), big_digits),
    "network of photos": embed(photo_network, big_digits),
    "… before its head, 256 numbers": headless,
    "… 64 random directions of those": headless @ directions,
    "network of this lesson": embed(model, big_digits),
}


# %%
def probe(numbers):
    """Accuracy on unseen digits of logistic regression on some numbers of each."""
    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    fitted.fit(numbers[:900], digits.target[:900])
    return fitted.score(numbers[900:], digits.target[900:])


reads = {name: probe(numbers) for name, numbers in read_by.items()}
show_bars(
    reads,
    unit="accuracy on 897 unseen digits",
    title=f"The photo network reads {reads['network of photos']:.0%} of the digits, before its head {reads['… before its head, 256 numbers']:.0%}",
)

# %%
check(
    "The photo network's embedding reads worse than the pixels",
    reads["network of photos"] < reads["pixels"],
)
before_head, of_those = (name for name in reads if name.startswith("…"))
check(
    "Before its head it reads more than half of the way back to pixels",
    reads[before_head] > (reads["network of photos"] + reads["pixels"]) / 2,
)
check(
    "64 random directions of those numbers read worse than all, and better than the head's 64",
    reads["network of photos"] < reads[of_those] < reads[before_head],
)
check(
    "Random weights read within three points of pixels",
    abs(reads["network, random weights"] - reads["pixels"]) < 0.03,
)
check(
    "The scenes network gains less than three points on pixels",
    BIG or reads["network of this lesson"] < reads["pixels"] + 0.03,
)

# %% [markdown]
# Not so universal. Random weights read nearly as well as pixels, so that a network reads digits is no merit of its training; the scenes network reads as well or a little better. The photo network's last 64 numbers read far worse, the 256 before them nearly as well as
# pixels. Much of that is length: over three draws, 64 random directions of the 256 read {{results:cnn_embeddings.digits.photos, before the last layer.random_directions.median:.0%}}, of the untrained network {{results:cnn_embeddings.digits.random weights.random_directions.median:.0%}}. The rest is choice: **the last layer drops what ten classes of photos do not need**.
# Whether an embedding carries over depends on what it was trained to tell apart, and on the layer that we ask.
#
# ### Is a cat nearer to a lion than to a car?
# An embedding is said to put related things closer together: cat and lion near, car far. One example proves nothing, so we count **every
# trio** of a cat, a lion and a car.

# %%
mammals = "lion panda gorilla chipmunk rabbit cow monkey mouse rat ox".split()
vehicles = ["helicopter", "kick scooter"]  # the photos of its first training showed cars and trucks
drawings = load_images("emoji")  # of all splits: the cat was in the training
compared = [drawings.classes.index(n) for n in ["cat", "automobile", *mammals, *vehicles]]
drawn = drawings[np.isin(drawings.labels, compared)]
names = np.array([drawn.label_of(i) for i in range(len(drawn))])


def in_order(vectors, names, one, other, odd):
    """Share of trios where `one` is nearer to `other` than to `odd`; by chance ½."""
    a, b, c = (vectors[np.isin(names, name)] for name in (one, other, odd))
    return np.mean((a @ b.T)[:, :, None] > (a @ c.T)[:, None, :])


# %%
by = {"trained": embed(model, drawn), "untrained": embed(load_model("cnn", trained=False), drawn)}
trio = in_order(by["trained"], names, "cat", "lion", "automobile")
unseen = {
    way: np.mean([in_order(v, names, m, [o for o in mammals if o != m], vehicles) for m in mammals])
    for way, v in by.items()
}

# %%
orders = {
    "cat – lion – car": trio,
    "two unseen mammals – a vehicle": unseen["trained"],
    "the same, random weights": unseen["untrained"],
}
show_bars(
    orders,
    unit="share of trios in the expected order",
    title=f"A cat is nearer to a lion than to a car in {trio:.0%} of all trios",
)

# %%
check("Cat–lion–car holds in more than two trios of three", trio > 2 / 3)
check("So it does for mammals and vehicles that the network never saw", unseen["trained"] > 2 / 3)
check("Without training no more than a coin toss brings", unseen["untrained"] < 0.55)

# %% [markdown]
# Nobody told this network what a mammal is. Real photos? The photo network was taught to tell ten classes apart. *Did it learn on its own that a cat is nearer
# to a dog, to a deer, to a frog than to a car?*

# %%
from utils.embed import load_embeddings

photo_vectors, photo_labels = load_embeddings("cifar10-test")
photo_names = np.array(photo_labels.classes)[photo_labels.labels]
few = np.concatenate([np.flatnonzero(photo_names == name)[:200] for name in photo_labels.classes])
photo_orders = {
    f"cat – {animal} – automobile": in_order(
        photo_vectors[few], photo_names[few], "cat", animal, "automobile"
    )
    for animal in ("dog", "deer", "bird", "frog")
}
show_bars(
    photo_orders,
    unit="share of trios of photos in the expected order",
    title=f"A cat is nearer to a dog than to a car in {photo_orders['cat – dog – automobile']:.0%} of all trios, to a frog in {photo_orders['cat – frog – automobile']:.0%}",
)

# %%
check(
    "With the dog, which it confuses with the cat, the order holds more often than not",
    photo_orders["cat – dog – automobile"] > 0.55,
)
check(
    "With deer, bird and frog it does not hold",
    max(photo_orders[f"cat – {animal} – automobile"] for animal in ("deer", "bird", "frog")) < 0.5,
)

# %% [markdown]
# So a car is nearer to a cat than a frog is? Before we tell a story, look at the whole: the mean embedding of each class, and its cosine to the cat's. Ten directions that are all
# equally far apart, as far as ten can be, have a cosine of −1/9 to each other.

# %%
means = np.stack([photo_vectors[photo_names == name].mean(0) for name in photo_labels.classes])
of_cat = unit(means) @ unit(means)[list(photo_labels.classes).index("cat")]
cosines = dict(zip(photo_labels.classes, of_cat, strict=True))
del cosines["cat"]
show_bars(
    cosines,
    unit="cosine to the mean embedding of the cats",
    title=f"The dog stands out with {cosines['dog']:+.2f}; the other eight are near −1/9",
)

# %%
others = [cosine for name, cosine in cosines.items() if name != "dog"]
check(
    "But for the dog all are within a tenth of −1/9: equally far apart, or nearly",
    np.abs(np.array(others) + 1 / 9).max() < 0.1 < cosines["dog"] + 1 / 9,
)

# %% [markdown]
# A loss that pushes ten classes apart pushes them nearly **equally** far apart (*neural collapse*: Papyan, Han & Donoho 2020). But for the dog, which this network confuses with the cat, hardly
# an order is left, and one network, trained once, cannot tell whether what is left would come out again. The famous ordering is no gift of networks as such. It depends on what they were trained on.

# %% [markdown]
# ## Exercises
# ### Exercise 01.1 · Where in the vector
# Maps of `channels × rows × columns` are flattened in row-major order. Write `place_of(channel, row, column, shape)`, which says at
# which place of the vector a value lands. All count from 0.


# %% tags=["solution"] id="ex-01-1"
def place_of(channel, row, column, shape):
    """Where maps.flatten() puts maps[channel, row, column]; shape is (channels, rows, columns)."""
    return (channel * shape[1] + row) * shape[2] + column


# %% tags=["grader"] id="grade-01-1"
from utils.course import exercise, progress

exercise("01.1", place_of)

# %% [markdown]
# ### Exercise 01.2 · A shorter vector
# Write `shorten(vectors, dim)`, which keeps the `dim` directions in which the gallery varies most (scikit-learn has it) and returns unit
# vectors. On the **validation** split, find the smallest `dim` that keeps recall@1 within one point (2.7 of the 270 queries); then
# report it once on the test split (each gallery has its own directions).


# %% tags=["solution"] id="ex-01-2"
def shorten(vectors, dim):
    """The dim main directions of N×D vectors, as unit rows: N×dim."""
    low = PCA(dim, random_state=0).fit_transform(vectors)
    return low / np.linalg.norm(low, axis=1, keepdims=True)


# %% tags=["grader"] id="grade-01-2"
exercise("01.2", shorten)

# %% [markdown]
# ### Exercise 01.3 · An embedding from any layer
# Must it be the last layer? Write `layer_embedding(model, pictures, layer)`: the maps of that layer for each picture, averaged over rows and
# columns, as unit vectors N×C. Which of `layers` finds most? *(With `BIG = True` try all four
# layers of ResNet-50 on your own photos; there a GPU pays, and on Colab you choose one under Runtime.)*


# %% tags=["solution"] id="ex-01-3"
def layer_embedding(model, pictures, layer):
    """The averaged maps of a layer as unit vectors: N×C."""
    means = feature_maps(model, pictures, [layer])[layer].mean((2, 3))
    return means / np.linalg.norm(means, axis=1, keepdims=True)


# %% tags=["grader"] id="grade-01-3"
exercise("01.3", layer_embedding)

# %%
progress()

# %% [markdown]
# ## Quiz
# **1. A layer answers with maps of 256 × 7 × 7. How long is the vector after flattening, and after global average pooling?**
# <details><summary>Answer</summary>256 × 7 × 7 = 12,544, and 256: one number a channel.</details>
#
# **2. Flattening is said to give up the position of things. What is right about that?**
# <details><summary>Answer</summary>Nothing: each place of the maps has its own place in the vector, and a linear probe reads the position back.
# Pooling is what gives it up. A network trained to ignore position may ignore it after flattening, too; that is the training.</details>
#
# **3. Your network halves its maps by strides and a photo shifted by one pixel gets other neighbours. What would you try?**
# <details><summary>Answer</summary>Average pooling (or blurring before the stride: Zhang 2019), and shifts among the training
# augmentations.</details>
#
# **4. `nn.Sequential(*list(net.children())[:-1])` runs without an error. Is its answer right?**
# <details><summary>Answer</summary>Only where <code>forward</code> calls the children in order and does nothing else. Compare it with
# <code>create_feature_extractor</code>, or with a hook.</details>

# %% [markdown]
# ## In one paragraph
# To a network a picture is a stack of maps that get coarser and more numerous from layer to layer, and at the end a short vector. Pixels
# keep everything and find little; one-hot vectors keep nothing but identity; an embedding keeps what its training needed. Convolutions
# and the average over their maps make it tolerant of shifts, not invariant, and halving the maps before that average costs some of it; flattening keeps the place of things and averaging gives most of it up, which is a gain when we ask *what* and
# a loss when we ask *where*. A norm or a shortcut keeps the gradient of a deep stack from vanishing; a norm alone did not make ours learn. Any classifier without its last layer is an embedder, and searching
# with it is one matrix product, provided that query and gallery are prepared in the same way: a mistake there raises no error.
#
# ## Go further
# - Beyer et al., *When Is "Nearest Neighbor" Meaningful?* (1999).
# - Zeiler & Fergus, *Visualizing and Understanding Convolutional Networks* (2014).
# - He et al., *Deep Residual Learning for Image Recognition* (2016).
# - Papyan, Han & Donoho, *Prevalence of Neural Collapse during the Terminal Phase of Deep Learning Training* (2020).
# - Alain & Bengio, *Understanding Intermediate Layers Using Linear Classifier Probes* (2016).
# - Zhang, *Making Convolutional Networks Shift-Invariant Again* (2019).
