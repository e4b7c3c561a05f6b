# %% [markdown]
# # 04 · Which distance should we use?
# A search compares two rows of numbers, and there are many ways to do that. We try eight of them. On a network that was trained for our scenes cosine, Euclid, Manhattan and Mahalanobis find the same to a point or two, and Chebyshev loses much;
# on a borrowed one the right way of measuring finds {{results:distances.whitening.gained:.0%}} more right answers, without training the network again.
#
# **After this lesson you can**
# - say what each distance measures, what it expects, and which of them rank the same;
# - measure whether a difference between two distances is more than chance;
# - straighten a space with a covariance, choose its shrinkage honestly, and not fool yourself;
# - find hubs, the pictures that answer everything, and cure them;
# - compare histograms with distances that were made for them.
#
# *Before you start: lessons 00 to 03. {{results:lessons.04_distances.seconds:.0f}} seconds to run on two cores, no GPU, no network.*

# %%
from utils.course import check, start

BIG = False  # nothing in this lesson is bigger; the last exercise grows by itself on a GPU
start("04_distances", big=BIG)

# %% [markdown]
# ## 1 · Four ways from point to point
# We ask for the nearest seven to a lion, four times, and measure differently each time. *How many of the seven will all four agree on?*

# %%
import numpy as np

from utils.distances import nearest
from utils.embed import embed
from utils.images import load_images
from utils.models import load_model
from utils.plots import show_grid

scenes = load_images("scenes", split="test")
vectors = embed(load_model("cnn"), scenes)
lion = scenes.ids.index("noto/lion")
four = ("euclidean", "cosine", "manhattan", "chebyshev")
found = {metric: nearest(vectors[[lion]], vectors, 8, metric)[0][0] for metric in four}
agreed = set.intersection(*(set(answers[1:]) for answers in found.values()))
show_grid(
    {metric: scenes.images[answers] for metric, answers in found.items()},
    columns=["query", *map(str, range(1, 8))],
    title=f"Four distances agree on {len(agreed)} of seven answers",
)

# %% [markdown]
# | distance | formula | in words |
# | --- | --- | --- |
# | **Euclidean** | $\sqrt{\sum_i (x_i - y_i)^2}$ | as the crow flies |
# | **Manhattan** | $\sum_i \lvert x_i - y_i \rvert$ | along the streets: all differences added up |
# | **Chebyshev** | $\max_i \lvert x_i - y_i \rvert$ | the largest difference alone |
# | **cosine** | $1 - \frac{x \cdot y}{\lVert x \rVert \, \lVert y \rVert}$ | the angle; lengths do not matter |
#
# The first three are **metrics**: a detour over a third point is never shorter (the *triangle inequality*). The cosine distance is none, though the angle itself is one. It matters where boxes are left out because nothing in them can be near: the trees of lesson 07.


# %%
def euclidean(x, y):
    return np.sqrt(((x - y) ** 2).sum())


def manhattan(x, y):
    return np.abs(x - y).sum()


def chebyshev(x, y):
    return np.abs(x - y).max()


def cosine(x, y):
    return 1 - x @ y / (np.linalg.norm(x) * np.linalg.norm(y))


# %%
from scipy.spatial import distance as scipys

from utils.distances import pairwise

x, y = vectors[lion].astype(float), vectors[0].astype(float)
theirs = {"euclidean": scipys.euclidean, "manhattan": scipys.cityblock}
theirs |= {"chebyshev": scipys.chebyshev, "cosine": scipys.cosine}
for ours in (euclidean, manhattan, chebyshev, cosine):
    name = ours.__name__
    d, by_course = ours(x, y), pairwise([x], [y], name)[0, 0]
    check(
        f"In the open, by SciPy and by the course: {name} {d:.3f}",
        np.allclose([theirs[name](x, y), by_course], d, atol=1e-6),
    )

# %% [markdown]
# What does "equally far" look like? We colour the plane by the distance from one point, in stripes of a quarter. *Which picture belongs to which distance?*

# %%
side = np.linspace(-2, 2, 240)
plane = np.stack(np.meshgrid(side, -side), axis=-1).reshape(-1, 2)
point = np.array([[0.7, 0.5]])


def stripes(metric, **options):
    d = pairwise(point, plane, metric, **options)[0]
    return ((4 * d).astype(int) % 2).reshape(240, 240).astype(float)


show_grid(
    {"": [stripes(metric) for metric in four]},
    columns=["1", "2", "3", "4"],
    title="Equally far: on a circle, on two rays, on a diamond, on a square",
)

# %%
print(*four, sep=", ")
some = vectors[:200]
d = {m: pairwise(some, some, m) for m in ("manhattan", "euclidean", "chebyshev")}
check(
    "For all pairs of 200 scenes Manhattan ≥ Euclidean ≥ Chebyshev",
    (d["manhattan"] > d["euclidean"] - 1e-5).all()
    and (d["euclidean"] > d["chebyshev"] - 1e-5).all(),
)

# %% [markdown]
# ## 2 · When does the choice not matter?
# `embed` gives vectors of length 1. There two of the four rank the same, and the proof takes three lines:
#
# $$\lVert x - y \rVert^2 = \lVert x \rVert^2 - 2\, x \cdot y + \lVert y \rVert^2$$
# $$\phantom{\lVert x - y \rVert^2} = 1 - 2\, x \cdot y + 1$$
# $$\phantom{\lVert x - y \rVert^2} = 2\,(1 - x \cdot y) = 2 \cdot \text{cosine distance}$$
#
# The square of one is twice the other, so what is nearer under one is nearer under the other, and the largest **dot product** $x \cdot y$ comes first, too. Proved; we ask every
# query all the same.

# %%
by_cosine, _ = nearest(vectors, vectors, 10, "cosine", leave_one_out=True)
by_euclidean, _ = nearest(vectors, vectors, 10, "euclidean", leave_one_out=True)
check(
    f"On unit vectors cosine and Euclidean give all {len(vectors):,} queries the same ten",
    (by_cosine == by_euclidean).all(),
)

# %% [markdown]
# Networks do not make unit vectors by themselves. Here is what our transformer says before `embed` divides by the length. *What will change?*

# %%
import torch

vit = load_model("vit", device="cpu")
with torch.inference_mode():
    raw = np.concatenate([vit.module(x).numpy() for x in vit.inputs(scenes.images, 256)])
length = np.linalg.norm(raw, axis=1)
unit = raw / length[:, None]
print(f"lengths from {length.min():.1f} to {length.max():.1f}, mean {length.mean():.1f}")
check(
    "Divided by their lengths, they are what embed gives",
    np.allclose(unit, embed(vit, scenes), atol=1e-4),
)


# %%
from utils.plots import show_curve, show_matrix


def ten_nearest(v):
    """The ten nearest of every picture under each distance, and by the largest dot product."""
    table = {m: nearest(v, v, 10, m, leave_one_out=True)[0] for m in four}
    products = v @ v.T
    np.fill_diagonal(products, -np.inf)
    return table | {"dot product": np.argsort(-products, axis=1)[:, :10]}


def overlap(tens):
    """Share of the ten that two ways have in common, for each pair of ways."""
    return np.array([[(a[:, :, None] == b[:, None]).any(2).mean() for b in tens] for a in tens])


tens = {"as the network gives them": ten_nearest(raw), "unit vectors": ten_nearest(unit)}
shared = {name: overlap(table.values()) for name, table in tens.items()}
show_matrix(
    shared,
    ["Eucl.", "cosine", "Manh.", "Cheby.", "dot"],
    unit="share of ten in common",
    title="Of five ways to rank, three become one on unit vectors",
)

# %%
as_given, on_unit = shared.values()
check(
    "On unit vectors Euclidean, cosine and dot product are one",
    on_unit[0, 1] == 1 and on_unit[1, 4] > 0.999,
)
check("Manhattan is another, with most answers in common", 0.7 < on_unit[1, 2] < 0.99)
check("As given, Euclidean and cosine share less than two thirds", as_given[0, 1] < 2 / 3)

# %% [markdown]
# How often does Manhattan differ from cosine? The same count for the CNN's averaged maps, the transformer and raw pixels, as they are and divided by their lengths.

# %%
import pandas as pd

from utils.embed import pixel_vectors

cnn = load_model("cnn", device="cpu")
with torch.inference_mode():
    maps = [cnn.module.maps(x).mean((2, 3)).numpy() for x in cnn.inputs(scenes.images, 256)]
spaces = {"CNN": np.concatenate(maps), "transformer": raw, "pixels": pixel_vectors(scenes, 16)}


def in_common(v):
    """Share of the ten nearest that cosine and Manhattan have in common."""
    a, b = (nearest(v, v, 10, m, leave_one_out=True)[0] for m in ("cosine", "manhattan"))
    return (a[:, :, None] == b[:, None]).any(2).mean()


# %%
differ = pd.DataFrame(
    {
        name: {
            "as given": in_common(v),
            "unit vectors": in_common(v / np.linalg.norm(v, axis=1, keepdims=True)),
        }
        for name, v in spaces.items()
    }
)
differ.style.format("{:.2f}")

# %%
check(
    "Unit length brings the two together, in all three",
    (differ.loc["unit vectors"] > differ.loc["as given"]).all(),
)

# %% [markdown]
# So Manhattan finds *other* neighbours. *Better ones?* And what becomes of the dot product without normalising?

# %%
from utils.metrics import gain, recall_at_k

recall = {
    name: {m: recall_at_k(v, scenes.labels, metric=m) for m in four}
    for name, v in (("as given", raw), ("unit vectors", unit))
}
right = {
    name: (scenes.labels[table["dot product"][:, 0]] == scenes.labels).mean()
    for name, table in zip(recall, tens.values(), strict=True)
}
table = pd.DataFrame(recall).astype(float)
table.loc["dot product"] = right
table.style.format("{:.3f}")

# %%
low, high = gain(recall["unit vectors"]["cosine"], recall["unit vectors"]["manhattan"]).interval()
print(f"Manhattan instead of cosine, unit vectors: {low:+.3f} to {high:+.3f} of recall")
check("Manhattan for cosine: a gain or loss that cannot be told from none", low <= 0 <= high)
low, high = gain(recall["as given"]["euclidean"], recall["as given"]["cosine"]).interval()
print(f"cosine instead of Euclidean, as given: {low:+.3f} to {high:+.3f}")
better = gain(recall["as given"]["euclidean"], recall["as given"]["cosine"])
by_things = better.interval(groups=scenes.labels[better.queries])
print(f"… and where whole things are drawn: {by_things[0]:+.3f} to {by_things[1]:+.3f}")
check("Cosine instead of Euclidean on vectors as given: more for these things", low > 0)
check("… for other things it may be chance", by_things[0] <= 0)
check(
    "Chebyshev, which looks at one number of 192, is the worst",
    table["unit vectors"].idxmin() == "chebyshev",
)

# %% [markdown]
# `gain` compares query by query, which tells more than two intervals side by side: the same thousand pictures ask twice. But the five pictures of one thing ask and answer each other, so they are no five independent queries. To tell of other things, whole things must be drawn (`groups`, lesson 00), and the interval is wider. The other intervals of this lesson draw pictures: read them as of these things.
#
# The dot product has a weakness of its own: it grows with the length of the answer. *Whom does it prefer?*

# %%
from utils.plots import show_bars

longest = length >= np.quantile(length, 0.9)
asked = tens["as the network gives them"]
prefers = {m: longest[asked[m][:, 0]].mean() for m in ("dot product", "euclidean", "cosine")}
show_bars(
    prefers,
    unit="share of first answers that are among the longest tenth",
    title=f"{prefers['dot product']:.0%} of the dot product's answers are from the longest tenth",
)

# %%
check(
    "The dot product prefers the long, and the Euclidean distance avoids them",
    prefers["dot product"] > 0.2 and prefers["euclidean"] < 0.1,
)

# %% [markdown]
# ## 3 · A distance that knows the data
# The photo network has never seen a drawing. We take off its last layer, as in lesson 03, and ask it for drawings of things: every number of its embedding counts the same. But some
# numbers change with the *artist*, while the thing stays what it is. *Can a distance learn to listen less to those?*

# %%
from utils.models import without_head

photos = without_head(load_model("cnn-photos"), size=32)
drawings = {split: load_images("emoji", split) for split in ("train", "validation", "test")}
borrowed = {split: embed(photos, pictures) for split, pictures in drawings.items()}
labels = {split: pictures.labels for split, pictures in drawings.items()}
as_it_is = recall_at_k(borrowed["test"], labels["test"])
print(f"recall@1 on drawings of unseen things, borrowed network: {as_it_is:.3f}")

# %% [markdown]
# **Mahalanobis** (1936) divides by how much the data vary, direction by direction, with the **covariance** $\Sigma$, the table of how every two numbers vary together:
#
# $$d(x, y) = \sqrt{(x - y)^\top \, \Sigma^{-1} \, (x - y)}$$
#
# Which covariance? We want directions to count little in which pictures of *one thing* differ. So each thing's mean is taken away first: the **within-class covariance**.


# %%
def within_class(vectors, labels):
    """Covariance of what is left when each label's mean is taken away: D×D."""
    left = vectors.astype(np.float64)
    for label in np.unique(labels):
        left[labels == label] -= left[labels == label].mean(axis=0)
    return left.T @ left / (len(vectors) - len(np.unique(labels)))


# %%
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from utils.distances import whiten, within_class_covariance

within = within_class(borrowed["train"], labels["train"])
check(
    "In the open and by the course: the same covariance",
    np.allclose(within, within_class_covariance(borrowed["train"], labels["train"])),
)
lda = LinearDiscriminantAnalysis(solver="lsqr", store_covariance=True)
lda.fit(borrowed["train"], labels["train"])
n, c = len(labels["train"]), len(drawings["train"].classes)
check(
    "… and discriminant analysis uses it, too", np.allclose(lda.covariance_ * n / (n - c), within)
)

# %% [markdown]
# With $\Sigma = LL^\top$ the distance becomes Euclidean once every vector is replaced by $L^{-1}x$. That is called **whitening**, here within classes (RCA, Bar-Hillel et al. 2003). In the plane of two of the numbers:

# %%
spread = within.diagonal().argsort()[[-1, -40]]
two = within[np.ix_(spread, spread)] / within[spread[1], spread[1]]
show_grid(
    {"": [stripes("euclidean"), stripes("mahalanobis", covariance=two)]},
    columns=["Euclidean", "Mahalanobis"],
    title="Equally far by Mahalanobis: on an ellipse",
)

# %%
a, b = borrowed["test"][:50], borrowed["test"][50:100]
check(
    "Mahalanobis is Euclid in the whitened space, and SciPy agrees",
    np.allclose(
        pairwise(whiten(a, within), whiten(b, within), "euclidean"),
        scipys.cdist(a, b, "mahalanobis", VI=np.linalg.inv(within)),
        rtol=1e-3,
    ),
)

# %% [markdown]
# ### How not to fool yourself
# Someone takes the covariance from the validation drawings and measures on the validation drawings. *What recall do they report?*

# %%
own = within_class_covariance(borrowed["validation"], labels["validation"])
own += 1e-6 * np.eye(len(own))  # 270 pictures leave directions without any variance
fooled = recall_at_k(
    borrowed["validation"], labels["validation"], metric="mahalanobis", covariance=own
)
honest = recall_at_k(borrowed["test"], labels["test"], metric="mahalanobis", covariance=own)
show_bars(
    {"on the pictures it came from": fooled, "on others": honest},
    unit="recall@1 of drawings",
    title=f"{fooled:.0%} where it was made, {honest:.0%} elsewhere",
)

# %%
check("On its own pictures such a distance is nearly never wrong", fooled > 0.95)
check("On others it is worse than no covariance at all", honest < as_it_is)

# %% [markdown]
# 270 pictures of 51 things leave only 219 directions in which pictures of one thing differ. Along the other 37 they agree exactly, $\Sigma^{-1}$ multiplies any difference there by a million, and they give the label away. So: the covariance from the **training** things; and
# **shrinkage**, a mixture with the same variance $\bar\sigma^2$ in all directions ($I$ is the unit matrix), its share chosen on the **validation** things:
#
# $$\Sigma_s = (1 - s)\, \Sigma + s \, \bar\sigma^2 I$$
#
# At $s = 1$ nothing is left but Euclid. And we try one thing more, as image retrieval has done since Jégou & Chum (2012): with the mean taken away, and after whitening, we compare by the *angle*.

# %%
from sklearn.covariance import shrunk_covariance

mean = borrowed["train"].mean(axis=0)
shrinkages = [0.01, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9]


def whitened(split, s, covariance=within):
    return whiten(borrowed[split] - mean, shrunk_covariance(covariance, s))


tried = {
    name: [
        recall_at_k(whitened("validation", s), labels["validation"], metric=metric)
        for s in shrinkages
    ]
    for name, metric in (("Mahalanobis", "euclidean"), ("whitened, then cosine", "cosine"))
}
best = {name: shrinkages[int(np.argmax(values))] for name, values in tried.items()}

# %%
show_curve(
    shrinkages,
    tried,
    xlabel="shrinkage s",
    ylabel="recall@1 on validation drawings",
    levels={"Euclid, as it is": float(recall_at_k(borrowed["validation"], labels["validation"]))},
    title=f"The angle after whitening is better at every shrinkage, best at {best['whitened, then cosine']}",
)

# %%
angles, lengths = tried["whitened, then cosine"], tried["Mahalanobis"]
check(
    "The angle is better at every shrinkage",
    all(a > m for a, m in zip(angles, lengths, strict=True)),
)

# %% [markdown]
# The choice is made. Now the test things, once. Beside it the same with the **total** covariance, which needs no labels (only the choice of *s* did).

# %%
total = np.cov(borrowed["train"].T)
s = best["whitened, then cosine"]
test = labels["test"]
ways = {
    "as it is": as_it_is,
    "mean taken away, cosine": recall_at_k(borrowed["test"] - mean, test),
    "Mahalanobis": recall_at_k(whitened("test", best["Mahalanobis"]), test, metric="euclidean"),
    "whitened by total, cosine": recall_at_k(whitened("test", s, total), test),
    "whitened within, cosine": recall_at_k(whitened("test", s), test),
}
show_bars(
    ways,
    unit="recall@1 on drawings of unseen things",
    intervals={name: score.interval() for name, score in ways.items()},
    title=f"Without training: from {as_it_is:.2f} to {ways['whitened within, cosine']:.2f}",
)

# %%
check("Mahalanobis alone helps a little", gain(as_it_is, ways["Mahalanobis"]).interval()[0] > 0)
check(
    "Whitening and then the angle helps much more", ways["whitened within, cosine"] > as_it_is + 0.1
)
check(
    "… nine tenths of it with a covariance that saw no labels",
    ways["whitened by total, cosine"] - as_it_is
    > 0.9 * (ways["whitened within, cosine"] - as_it_is),
)

# %% [markdown]
# Here it is whitening and the angle that help; that the covariance is within classes adds hardly anything.
#
# Does the same help a network that *was* trained for drawn things, though for others than these?

# %%
cnn = load_model("cnn")
trained = {split: embed(cnn, pictures) for split, pictures in drawings.items()}
own_within = within_class_covariance(trained["train"], labels["train"])


def straightened(split, s):
    return whiten(trained[split] - trained["train"].mean(0), shrunk_covariance(own_within, s))


found_at = [recall_at_k(straightened("validation", s), labels["validation"]) for s in shrinkages]
own_s = shrinkages[int(np.argmax(found_at))]
before, after = recall_at_k(trained["test"], test), recall_at_k(straightened("test", own_s), test)
won = gain(before, after)
print(
    f"trained network: {before:.3f} to {after:.3f}, gain {won.interval()[0]:+.3f} to {won.interval()[1]:+.3f}"
)
check(
    "Less than a fifth of what the borrowed network gains",
    abs(won) < (ways["whitened within, cosine"] - as_it_is) / 5,
)

# %% [markdown]
# Perhaps its training has straightened the space already; we have not looked.
#
# ### A learned distance
# Why stop at a covariance? **Neighbourhood components analysis** (Goldberger et al. 2004) *learns* the matrix: it moves it downhill until the neighbours of the training pictures have the right
# labels. It is one of the first metrics learned so (Xing et al. 2002 gave the subject its name); lesson 03 put a network in the matrix's place. We ask for two numbers a digit, and set it beside the two main directions.

# %%
from sklearn.decomposition import PCA
from sklearn.neighbors import NeighborhoodComponentsAnalysis

from utils.digits import read_digits

learn, ask = read_digits("train"), read_digits("test")
digits = {
    name: d.images[..., 0].reshape(len(d), -1) / 64 for name, d in (("learn", learn), ("ask", ask))
}
pca = PCA(2, random_state=0).fit(digits["learn"])
nca = NeighborhoodComponentsAnalysis(2, init="pca", max_iter=60, random_state=0)
nca.fit(digits["learn"], learn.labels)
two_numbers = {
    "two main directions": recall_at_k(
        pca.transform(digits["ask"]), ask.labels, metric="euclidean"
    ),
    "two learned directions": recall_at_k(
        nca.transform(digits["ask"]), ask.labels, metric="euclidean"
    ),
}
show_bars(
    two_numbers,
    unit="recall@1 on unseen digits, two numbers each",
    title="Learned from labels, two numbers tell more",
)

# %%
check(
    "Two learned directions find more digits",
    two_numbers["two learned directions"] > two_numbers["two main directions"] + 0.03,
)

# %%
from utils.plots import show_map

eight = range(8)  # 8 and 9 in grey: nobody tells ten colours apart
show_map(pca.transform(digits["ask"]), ask.labels, only=eight, title="Main directions of pixels")

# %%
show_map(
    nca.transform(digits["ask"]),
    ask.labels,
    only=eight,
    title="Learned directions: the digits of a kind move together",
)

# %% [markdown]
# Both are linear maps, x → Ax, so the squared distance between mapped points is (x − y)ᵀ AᵀA (x − y): the form of Mahalanobis, with a learned matrix in the place of the covariance's inverse. No AᵀA makes a squared distance negative; a matrix learned without that form might.

# %%
learned_matrix = nca.components_.T @ nca.components_
eigenvalues = np.linalg.eigvalsh(learned_matrix)
a, b = digits["ask"][:2]
check("No eigenvalue of AᵀA is below 0", eigenvalues.min() > -1e-6 * eigenvalues.max())
check(
    "The distance of the mapped is Mahalanobis with AᵀA",
    np.isclose(
        np.linalg.norm(nca.components_ @ (a - b)), np.sqrt((a - b) @ learned_matrix @ (a - b))
    ),
)

# %% [markdown]
# The ten digits are the same in training and test. Our *things* are not. *Does a distance learned on 367 things hold for 200 others?* (Only the 64 main directions are kept, which alone costs: {{results:distances.whitening.after:.2f}} becomes {{results:distances.learned.things.test, before:.2f}}.)


# %%
def unit_rows(v):
    return v / np.linalg.norm(v, axis=1, keepdims=True)


main = PCA(64, random_state=0).fit(unit_rows(whitened("train", s)))


def short(split):
    """Main directions of the straightened vectors, times 4: on unit vectors NCA hardly moves."""
    return 4 * main.transform(unit_rows(whitened(split, s)))


learned = NeighborhoodComponentsAnalysis(64, init="identity", max_iter=15, random_state=0)
learned.fit(short("train"), labels["train"])
recalls = {
    f"{split} things, {name}": recall_at_k(v, labels[split], metric="euclidean")
    for split in ("train", "validation", "test")
    for name, v in (("before", short(split)), ("learned", learned.transform(short(split))))
}

# %%
show_bars(
    recalls,
    unit="recall@1 of drawings, 64 numbers",
    title="It gains on the training things, and not on the others",
)

# %%
change = {
    split: gain(recalls[f"{split} things, before"], recalls[f"{split} things, learned"]).interval()
    for split in ("train", "validation", "test")
}
check("On the things it learned from it finds more", change["train"][0] > 0)
check(
    "On things it never saw no gain can be told from none",
    max(change["validation"][0], change["test"][0]) <= 0,
)

# %% [markdown]
# What helped on unseen things, whitening, asked the labels for next to nothing; what asked them for everything helped on its own things only. (One setting: 64 numbers, 15 steps, nothing chosen on validation.) Measure what is learned on things it was not learned from.
#
# ## 4 · Many dimensions
# "Use Manhattan in high dimensions": the advice goes back to Aggarwal, Hinneburg & Keim (2001). In many dimensions everything is about equally far away (lesson 01), and Manhattan keeps more
# contrast. We measure the contrast as in lesson 01, (farthest − nearest) / nearest, for random points.

# %%
rng = np.random.default_rng(0)
dims = [2, 4, 8, 16, 32, 64, 128, 256, 512]


def contrast(v, metric):
    """Median over queries of (farthest − nearest) / nearest."""
    d = np.sort(pairwise(v[:200], v, metric), axis=1)
    return float(np.median(d[:, -1] / d[:, 1] - 1))


points = {dim: rng.random((1000, dim)) for dim in dims}
of_random = {
    m: [contrast(p, m) for p in points.values()] for m in ("manhattan", "euclidean", "chebyshev")
}
show_curve(
    dims,
    of_random,
    xlabel="dimensions",
    ylabel="(farthest − nearest) / nearest",
    log="xy",
    title="Random points: Manhattan keeps a little more contrast, and none keeps much",
)

# %%
check(
    "Among random points Manhattan has the most contrast in every dimension",
    all(m > e > c for m, e, c in zip(*of_random.values(), strict=True)),
)
check(
    "With 512 dimensions it is .3 at most", max(values[-1] for values in of_random.values()) < 0.3
)

# %% [markdown]
# So the observation holds for random points. Embeddings are not random. *What contrast do you expect of 192 numbers of a network?*

# %%
from utils.embed import load_embeddings

cifar, cifar_labels = load_embeddings("cifar10-test")
real = {
    "CNN, 192 numbers": (vectors, scenes.labels),
    "ViT, 192": (unit, scenes.labels),
    "borrowed CNN, 256": (borrowed["test"], labels["test"]),
    "CIFAR-10 (JPEG), 64": (cifar, cifar_labels.labels),
    "pixels, 768": (pixel_vectors(scenes, 16), scenes.labels),
}
contrasts = pd.DataFrame(
    {
        name: {m: contrast(v, m) for m in of_random}
        | {"random points": contrast(rng.random(v.shape), "euclidean")}
        for name, (v, _) in real.items()
    }
).T
contrasts.style.format("{:.2f}")

# %%
check(
    "All five have more contrast than as many random numbers",
    (contrasts.euclidean > contrasts["random points"]).all(),
)

# %%
more = {
    name: gain(recall_at_k(v, y, metric="euclidean"), recall_at_k(v, y, metric="manhattan"))
    for name, (v, y) in real.items()
}
show_bars(
    more,
    unit="recall@1 by Manhattan less recall@1 by Euclid",
    intervals={name: score.interval() for name, score in more.items()},
    title="Five spaces: Manhattan wins nowhere",
)

# %%
check(
    "Manhattan is clearly better on none of the five",
    all(g.interval()[0] <= 0 for g in more.values()),
)

# %% [markdown]
# **The verdict on "Manhattan for high dimensions"**: contrast is not quality. The observation is true of random points, whose neighbours mean nothing, and in our five spaces it buys nothing. (Four of them come from networks that learned by cosine or by unit vectors, and are best asked by it: ask a network with the distance that it learned with. The pixels are neutral. What Aggarwal et al. praise most, powers below 1, is Exercise 04.1.) It costs, though:
# {{results:distance_speed.over_cosine.manhattan:.1f}} times the time of a cosine search, for there is no matrix product for it.
#
# ### Hubs
# Many dimensions can have another effect (Radovanović et al. 2010): some pictures become neighbours of very many. We count how often each picture is among the ten nearest of another. *If all
# were alike it would be ten. What is the largest?*

# %%
from scipy.stats import skew  # 0 if even, large where a few have nearly all


def occurrence(v, metric):
    """How often each picture is among the ten nearest of another."""
    tens, _ = nearest(v, v, 10, metric, leave_one_out=True)
    return np.bincount(tens.ravel(), minlength=len(v))


pixels = real["pixels, 768"][0]
counted = {
    "pixels": occurrence(pixels, "euclidean"),
    "transformer, as given": occurrence(raw, "euclidean"),
    "transformer, unit vectors": occurrence(unit, "euclidean"),
    "CNN": occurrence(vectors, "euclidean"),
}
show_curve(
    np.arange(1, 101),
    {name: np.sort(count)[::-1][:100] for name, count in counted.items()},
    xlabel="pictures, the most frequent answers first",
    ylabel="times among the ten nearest",
    log="x",
    title=f"One scene is an answer to {counted['pixels'].max()} of {len(scenes):,} queries in pixels",
)

# %%
from utils.plots import show_images

hubs = np.argsort(-counted["pixels"])[:8]
show_images(
    scenes[hubs],
    [f"{counted['pixels'][i]}: {scenes.label_of(i)}" for i in hubs],
    title="The hubs of the pixels lie near the mean picture",
)

# %%
to_mean = np.linalg.norm(pixels - pixels.mean(axis=0), axis=1)
nearer = to_mean[hubs].max() < np.quantile(to_mean, 0.25)
check("All eight hubs are in the quarter of pictures nearest to the mean", nearer)
skewness = {name: float(skew(count)) for name, count in counted.items()}
print({name: round(value, 2) for name, value in skewness.items()})
check("Pixels have far more hubs than the CNN", skewness["pixels"] > 3 * skewness["CNN"])
check(
    "Dividing by the length cures most of the transformer's",
    skewness["transformer, unit vectors"] < skewness["transformer, as given"] / 3,
)

# %% [markdown]
# A hub lies near the middle, where everybody passes. A cure asks both sides: *I am near to you; but are you nearer to me than my usual neighbours are?* **Local scaling** (Zelnik-Manor & Perona 2004; in this form Jégou et al. 2007,
# Schnitzer et al. 2012) divides each distance by the geometric mean of what is usual for the two, $d(x, y) / \sqrt{\mu_x \, \mu_y}$, with $\mu$ a picture's mean distance to its ten nearest.


# %%
from utils.metrics import Score


def local_scaling(v, k=10):
    """All distances, divided by what is usual around both pictures: N×N."""
    d = pairwise(v, v, "euclidean")
    np.fill_diagonal(d, np.inf)
    usual = np.sort(d, axis=1)[:, :k].mean(axis=1)
    return d / np.sqrt(usual[:, None] * usual)


# %%
rows, more = {}, {}
for name, v, told in (
    ("pixels", pixels, scenes.labels),
    ("transformer, as given", raw, scenes.labels),
    ("transformer, unit vectors", unit, scenes.labels),
    ("CNN", vectors, scenes.labels),
    ("borrowed CNN, drawings", borrowed["test"], labels["test"]),
):
    d = local_scaling(v)
    count = np.bincount(np.argsort(d, axis=1)[:, :10].ravel(), minlength=len(v))
    before = recall_at_k(v, told, metric="euclidean")
    right = (told[d.argmin(axis=1)] == told)[before.queries].astype(float)
    after = Score(right, before.queries, before.left_out)
    rows[name] = {
        "skewness": skew(occurrence(v, "euclidean")),
        "skewness, scaled": skew(count),
        "recall@1": before,
        "recall@1, scaled": after,
    }
    more[name] = gain(before, after).interval(groups=told[before.queries])
cured = pd.DataFrame(rows).T.astype(float)
cured.style.format("{:.3f}")

# %%
check(
    "Local scaling lowers the skewness everywhere",
    (cured["skewness, scaled"] < cured["skewness"]).all(),
)
print(
    "gains, whole things drawn:", {name: f"{a:+.3f} to {b:+.3f}" for name, (a, b) in more.items()}
)
surely = [name for name, (low, _) in more.items() if low > 0]
check("… and finds a little more, by more than chance in most", len(surely) >= 3)
check("… not where unit length had cured it", "transformer, unit vectors" not in surely)

# %% [markdown]
# The price: every picture of the gallery must know its own neighbours, and a new picture changes them.
#
# ## 5 · Pictures as histograms
# The oldest embedding of this course, the share of each colour, is a **distribution**: no number is negative, and they sum to 1. For these there are distances of their own:
#
# | distance | formula | range |
# | --- | --- | --- |
# | **Matusita** | $\sqrt{\sum_i (\sqrt{p_i} - \sqrt{q_i})^2}$ | 0 to √2, a metric |
# | **Bhattacharyya** | $-\ln \sum_i \sqrt{p_i \, q_i}$ | 0 to ∞, a detour may be shorter |
# | **Kullback–Leibler** | $\sum_i p_i \ln \frac{p_i}{q_i}$ | 0 to ∞, not symmetric |

# %%
from utils.embed import colour_histogram

colours = colour_histogram(drawings["test"], bins=8)
p, q = colours[lion].astype(float), colours[lion + 1].astype(float)


def matusita(p, q):
    return np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum())


def bhattacharyya(p, q):
    return -np.log(np.sqrt(p * q).sum())


def kl(p, q):
    """Of the query p against q; a share of 0 in q counts as a millionth of a millionth."""
    there = p > 0
    return (p[there] * np.log(p[there] / np.maximum(q[there], 1e-12))).sum()


# %%
from scipy.stats import entropy

for ours in (matusita, bhattacharyya, kl):
    d, by_course = ours(p, q), pairwise([p], [q], ours.__name__)[0, 0]
    check(
        f"In the open and by the course: {ours.__name__} {d:.3f}",
        np.isclose(d, by_course, atol=1e-4),
    )
hellinger = np.sqrt(1 - np.sqrt(p * q).sum())
check(
    "Matusita is √2 times the Hellinger distance",
    np.isclose(matusita(p, q), np.sqrt(2) * hellinger),
)
mixed = 0.9 * q + 0.1 / len(q)  # no share is 0
check("Kullback–Leibler is SciPy's relative entropy", np.isclose(kl(p, mixed), entropy(p, mixed)))
check("It depends on who asks", abs(kl(p, q) - kl(q, p)) > 0.1)

# %% [markdown]
# A picture of these, too. All mixtures of three colours form a triangle, its corners the pure ones. We ask for the distance from one mixture, in stripes.

# %%
y, x = np.mgrid[1:0:240j, 0:1:240j]
shares = np.stack([x - y / 2, 1 - x - y / 2, y], axis=-1)  # of three colours, at each pixel
inside = (shares > 0.002).all(axis=-1)
mixture = np.array([[0.2, 0.3, 0.5]])


def triangle(metric, width):
    painted = np.full((240, 240), 0.5)
    painted[inside] = (pairwise(mixture, shares[inside], metric)[0] / width).astype(int) % 2
    return painted


pictures = [triangle("euclidean", 0.1), triangle("matusita", 0.1), triangle("kl", 0.05)]
show_grid(
    {"": pictures},
    columns=["euclidean", "matusita", "kl"],
    title="Near the edge, where a colour is rare, small changes count more",
)

# %% [markdown]
# Matusita and Bhattacharyya rank alike: one grows when the other does, $d_B = -\ln(1 - d_M^2 / 2)$. And what do they say to an embedding, with negative numbers in it?

# %%
by_matusita, m = nearest(colours, colours, 10, "matusita", leave_one_out=True)
by_bhatta, b = nearest(colours, colours, 10, "bhattacharyya", leave_one_out=True)
check("Matusita and Bhattacharyya give the same ten", (by_matusita == by_bhatta).mean() > 0.999)
check(
    "… at distances that follow from each other", np.allclose(b, -np.log1p(-(m**2) / 2), atol=1e-3)
)
try:
    pairwise(unit[:1], unit[1:2], "bhattacharyya")
except ValueError as error:
    print(error)

# %% [markdown]
# Colours alone hardly find a thing. But each artist has a palette. *Which distance tells the artists apart best?* We bet: the four of section 1, or the three made for histograms?

# %%
artists = drawings["test"].relabel("artist")
every = ("chebyshev", "cosine", "euclidean", "manhattan", "matusita", "bhattacharyya", "kl")
by_palette = {m: recall_at_k(colours, artists.labels, metric=m) for m in every}
winner = max(by_palette, key=by_palette.get)
show_bars(
    by_palette,
    unit="recall@1 of the artist, drawings by their colours",
    intervals={m: score.interval() for m, score in by_palette.items()},
    title=f"For palettes {winner} is best: {by_palette[winner]:.2f}, Euclid {by_palette['euclidean']:.2f}",
)

# %%
made = {m: by_palette[m] for m in every[4:]}
others = {m: by_palette[m] for m in every[:4]}
worst, best_other = min(made, key=made.get), max(others, key=others.get)
low, high = gain(others[best_other], made[worst]).interval()
print(f"{worst}, the worst of the three, instead of {best_other}: {low:+.3f} to {high:+.3f}")
check("The three made for histograms are better than the other four, by more than chance", low > 0)
check("Manhattan is the best of the four", best_other == "manhattan")

# %% [markdown]
# Manhattan is no stranger here: between histograms it is twice what is *not* shared, which is how Swain & Ballard (1991) compared colours. Why are the three better still? A palette is made of a few exact colours, many of them small: the square root lets small shares count, and Kullback–Leibler asks above all whether a colour of the query *is there*. The right
# distance is the one that fits what the numbers mean.

# %%
from utils.plots import show_neighbours

asked = [drawings["test"].ids.index(id) for id in ("noto/lion", "twemoji/pizza", "fluent/owl")]
found, apart = nearest(colours[asked], colours, 8, "kl")
show_neighbours(
    artists[asked],
    artists,
    found[:, 1:],
    apart[:, 1:],
    title="By palette: the same hand, other things",
)

# %% [markdown]
# ## 6 · The table
# The spaces of this lesson side by side, with intervals, as the recipe `recipes/distances` measured them: recall@1, then mAP@R, then what each distance costs.

# %%
from utils.course import measured

rows = pd.DataFrame(measured("distances")["table"]).set_index(["data", "metric"])
cells = rows.apply(
    lambda r: f"{r.recall_at_1:.3f} [{r.interval[0]:.3f}, {r.interval[1]:.3f}]", axis=1
)
cells.unstack("data").loc[list(rows.index.unique("metric"))]

# %%
deep = rows.apply(
    lambda r: f"{r.map_at_r:.3f} [{r.map_interval[0]:.3f}, {r.map_interval[1]:.3f}]", axis=1
)
deep.unstack("data").loc[list(rows.index.unique("metric"))]  # mAP@R of the same

# %%
cost = measured("distance_speed")
pd.DataFrame(
    {
        "milliseconds": {
            m: 1000 * cost["cosine_seconds"] * x for m, x in cost["over_cosine"].items()
        },
        "times cosine's": cost["over_cosine"],
        "megabytes that a call takes on top": cost["megabytes"],
    }
).style.format("{:.1f}")  # ten nearest of all 10,000 × 64

# %%
wide = rows.recall_at_1.unstack("metric")
print(wide.idxmax(axis=1))
check(
    "On no data is Manhattan ahead of cosine by a whole point",
    (wide.manhattan - wide.cosine).max() < 0.01,
)

cifar = wide.loc["cnn-photos, CIFAR-10 (JPEG)"]
check("On CIFAR-10 (JPEG) even Chebyshev is within a point", cifar.cosine - cifar.chebyshev < 0.01)

# %% [markdown]
# | what you have | what we would take |
# | --- | --- |
# | embeddings of a network trained for your question | the distance it was trained with, for most the cosine; little is won by anything else |
# | embeddings of a borrowed network | take the mean away, whiten, then cosine; shrinkage chosen on validation pictures |
# | vectors whose length means something | Euclidean, and look for hubs |
# | histograms, shares, softmax outputs | Matusita, which is Euclid on square roots, or Kullback–Leibler |
# | many labelled pictures of the very classes you search | a learned distance, or a network (lesson 03) |
# | many labelled pictures of other things of the kind | a network (lesson 03); whitening before a learned matrix |
#
# ## Exercises
# ### Exercise 04.1 · All of them at once
# Euclid, Manhattan and Chebyshev are one family (Minkowski 1910): $d_p(x, y) = \left(\sum_i |x_i - y_i|^p\right)^{1/p}$, with $p$ = 2, 1 and ∞. (Below $p = 1$ the triangle inequality (a detour is never shorter) fails, and it can still be used for search.) Write `minkowski(a, b, p)` for *all pairs* of the rows of `a`
# (N×D) and `b` (M×D): an array N×M. (Loops over pairs are right and slow; arrays need none.) It should take any $p$ from ½ up, and `np.inf`.


# %% tags=["solution"] id="ex-04-1"
def minkowski(a, b, p):
    """All Minkowski distances between the rows of a and b: float N×M."""
    apart = np.abs(a[:, None] - b[None])
    if p == np.inf:
        return apart.max(axis=2)
    return (apart**p).sum(axis=2) ** (1 / p)


# %% tags=["grader"] id="grade-04-1"
from utils.course import exercise, progress

exercise("04.1", minkowski)

# %% [markdown]
# ### Exercise 04.2 · The same thing in the same colours
# A shop wants answers that show the same thing *and* have its colours. Write `blend(first, second, weight)`: two matrices of distances of the same pairs, on whatever scales, become one. Bring both to one
# scale, so that neither wins only because its numbers are larger: divide each by its mean. Then take `1 - weight` of the first and `weight` of the second. Leave the matrices you are given as they are.


# %% tags=["solution"] id="ex-04-2"
def blend(first, second, weight):
    """Two matrices of distances as one, on a common scale: float, the same shape."""
    return (1 - weight) * first / first.mean() + weight * second / second.mean()


# %% tags=["grader"] id="grade-04-2"
exercise("04.2", blend)

# %%
by_thing = pairwise(vectors[[lion]], vectors)
by_colour = pairwise(colour_histogram(scenes)[[lion]], colour_histogram(scenes), "matusita")
rows = {f"weight {w}": blend(by_thing, by_colour, w) for w in (0.0, 0.3, 0.6)}
if rows["weight 0.0"] is not None:
    show_grid(
        {name: scenes.images[np.argsort(d[0])[:8]] for name, d in rows.items()},
        columns=["query", *map(str, range(1, 8))],
        title="From the same thing to the same colours",
    )

# %% [markdown]
# ### Exercise 04.3 · A million on a GPU (a GPU pays)
# `nearest` never holds all distances at once. Write `search(queries, gallery, k, block)` in torch: float32 tensors Q×D and N×D on one device, the answer positions Q×k (int64, nearest first, Euclidean) on that device. Take
# `block` queries at a time and never make a tensor of more than `block` × N numbers. `torch.cdist` and `topk` are all you need; the cell after the grader races it.


# %% tags=["solution"] id="ex-04-3"
def search(queries, gallery, k, block):
    """The k nearest rows of the gallery for each query, in blocks: int64 Q×k."""
    found = [
        torch.cdist(part, gallery).topk(k, largest=False).indices for part in queries.split(block)
    ]
    return torch.cat(found)


# %% tags=["grader"] id="grade-04-3"
exercise("04.3", search)

# %%
import time

device = "cuda" if torch.cuda.is_available() else "cpu"
many = 1_000_000 if device == "cuda" else 20_000
gallery = torch.randn(many, 64, device=device)
began = time.perf_counter()
answer = search(gallery[:1000], gallery, 10, block=100)
if answer is not None:
    first = answer[:, 0].cpu().numpy()  # waits until the device is done
    print(f"1,000 queries among {many:,} on the {device}: {time.perf_counter() - began:.2f} s")
    print(f"{(first == np.arange(1000)).mean():.1%} find themselves first")

# %%
progress()

# %% [markdown]
# ## Quiz
# **1. On unit vectors a colleague replaces cosine by Euclidean distance and reports a gain of half a point. What do you say?**
# <details><summary>Answer</summary>The two rank the same there. Either the vectors are not of unit length, or something else changed, too.</details>
#
# **2. The dot product of vectors that are not normalised is used for search. Which answers come too often?**
# <details><summary>Answer</summary>Long vectors: at the same angle the longer one wins.</details>
#
# **3. You take the within-class covariance from your test pictures and recall rises from .3 to 1. Why?**
# <details><summary>Answer</summary>The covariance knows the answers: it was made from the labels of the pictures that ask. With fewer pictures than directions plus things, some directions never vary within a thing, and those give the label away.</details>
#
# **4. Why does Kullback–Leibler need a smallest share, here a millionth of a millionth?**
# <details><summary>Answer</summary>Where the query has a colour and the gallery's picture has none, p ln(p / 0) is infinite, and all such pictures would be equally far.</details>
#
# **5. One photo turns up in the answers to almost every query. What has happened, and what are two cures?**
# <details><summary>Answer</summary>It is a hub, near the middle of all vectors. Divide by the length, so that the angle decides; or scale each distance by what is usual around both pictures.</details>

# %% [markdown]
# ## In one paragraph
# On unit vectors Euclid, cosine and dot product rank the same, and Manhattan finds others that are no better. On vectors of any length the choice matters: cosine forgets the length, which here means
# little; the dot product prefers the long. A covariance from training things, shrunk and chosen on validation things, straightens a borrowed network's space, and then the angle finds {{results:distances.whitening.gained:.0%}}
# more; a network that was trained for our things has done that already. A matrix learned on training things gained on those alone (a network learns more: lesson 03). Many dimensions may bring hubs, and scaling by what is usual cures them.
# Histograms have distances of their own, and on palettes these win.
#
# ## Go further
# - Mahalanobis, *On the Generalised Distance in Statistics* (1936).
# - Jégou & Chum, *Negative Evidences and Co-occurrences in Image Retrieval: the Benefit of PCA and Whitening* (2012).
# - Goldberger, Roweis, Hinton & Salakhutdinov, *Neighbourhood Components Analysis* (2004).
# - Aggarwal, Hinneburg & Keim, *On the Surprising Behavior of Distance Metrics in High Dimensional Space* (2001): where the advice comes from.
# - Radovanović, Nanopoulos & Ivanović, *Hubs in Space* (2010); Schnitzer et al., *Local and Global Scaling Reduce Hubs in Space* (2012).
# - Kailath, *The Divergence and Bhattacharyya Distance Measures in Signal Selection* (1967): Bhattacharyya and Matusita side by side.
# - Rubner, Tomasi & Guibas, *The Earth Mover's Distance as a Metric for Image Retrieval* (2000): the distance we left out, which knows that orange is near red.
