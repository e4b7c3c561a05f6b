# %% [markdown]
# # 05 · What does the space look like?
# Nobody sees 192 dimensions. We draw maps of them, with the pictures as points, and find out what such a map shows, what it hides, and what it makes up. Then we let the pictures fall into groups by themselves.
#
# **After this lesson you can**
# - draw a map of embeddings by PCA, t-SNE and UMAP, and say how far it can be trusted;
# - turn UMAP's two knobs and know what they do;
# - tell an island that is there from one that the map invented;
# - find a direction that means something, and test it on things it was not made from;
# - group pictures by K-Means, choose how many groups, and sort your own photos into folders.
#
# *Before you start: lessons 00 and 01. {{results:lessons.05_maps_and_clusters.seconds:.0f}} seconds to run on two cores, no GPU, no network.*

# %%
from utils.course import check, start

BIG = False  # True: ResNet-50 sorts the photos in the last exercise, downloaded on first use
start("05_maps_and_clusters", big=BIG)

# %% [markdown]
# ## 1 · Three ways to flatten a space
# Two hundred things that our network never saw in training, drawn by six artists: a thousand points with 192 coordinates. **Principal component analysis** looks at them from the side from which they are spread
# widest. *Will animals lie beside animals?*

# %%
from utils.embed import embed
from utils.images import load_images
from utils.maps import project
from utils.models import load_model
from utils.plots import show_picture_map

drawings = load_images("emoji", split="test")
vectors = embed(load_model("cnn"), drawings)
by_pca = project(vectors, "pca")
show_picture_map(by_pca, drawings, title="PCA: the two widest directions of 192")

# %% [markdown]
# In the open it is three lines: take the mean away, find the main directions (a **singular value decomposition**), keep two coordinates.

# %%
import numpy as np

centred = vectors - vectors.mean(axis=0)
_, sizes, directions = np.linalg.svd(centred, full_matrices=False)
two = centred @ directions[:2].T
held = (sizes[:2] ** 2).sum() / (sizes**2).sum()
print(f"the two directions hold {held:.0%} of the variance")
check(
    "Up to the sign, scikit-learn's PCA is the same",
    np.allclose(np.abs(two), np.abs(by_pca), atol=1e-3),
)
check("Most of the variance is somewhere else", held < 0.5)

# %% [markdown]
# PCA is a photograph: straight and true, and most of the space is behind what we see. **t-SNE** (van der Maaten & Hinton 2008) and **UMAP** (McInnes et al. 2018) draw a map instead. Both ask only that *neighbours stay
# neighbours*: they turn the distances to near points into probabilities, and move the points of the map until the map's probabilities are as like them as possible. Far distances are let go.

# %%
by_tsne = project(vectors, "tsne")
show_picture_map(by_tsne, drawings, title="t-SNE: neighbours stay together")

# %% [markdown]
# UMAP is a program that compiles itself when it is first used: **the next cell takes up to a minute before anything is seen**, and seconds from then on. On its map the mouse tells what is what.

# %%
from utils.plots import explore_map

by_umap = project(vectors, "umap")
artists, categories = drawings.relabel("artist"), drawings.relabel("category")
captions = [f"{drawings.label_of(i)}, by {artists.label_of(i)}" for i in range(len(drawings))]
page = explore_map(by_umap, drawings, captions, title="UMAP: move the mouse over a picture")

# %% [markdown]
# ### How far can we trust them?
# Two numbers. **Neighbours kept**: of the ten nearest in 192 dimensions, how many are among the ten nearest on the map? **Trustworthiness** (Venna & Kaski 2001): are those who are near on the map near in truth? It forgives small
# mistakes and punishes strangers. *Which map wins, and how much of the truth does the winner keep?*

# %%
import pandas as pd

from utils.maps import neighbours_kept, trustworthiness

maps = {"PCA": by_pca, "t-SNE": by_tsne, "UMAP": by_umap}
trust = pd.DataFrame(
    {
        name: {
            "neighbours kept": neighbours_kept(vectors, xy),
            "trustworthiness": trustworthiness(vectors, xy),
        }
        for name, xy in maps.items()
    }
)
trust.style.format("{:.3f}")

# %%
from utils.plots import show_bars

shares = trust.loc["neighbours kept"]
show_bars(
    shares.to_dict(),
    unit="of the ten nearest in 192 dimensions, share among the ten nearest on the map",
    title=f"The best map keeps {shares.max():.0%} of the neighbours, PCA {shares['PCA']:.0%}",
)

# %%
check(
    "Both maps keep three times as many neighbours as PCA",
    min(shares["t-SNE"], shares["UMAP"]) > 3 * shares["PCA"],
)
check("No map keeps two thirds", shares.max() < 2 / 3)
check("Even PCA keeps more than chance, one in a hundred", shares["PCA"] > 10 / len(vectors))

# %% [markdown]
# So never search on a map: the best of them loses {{results:maps.trust.tsne.lost:.0%}} of the neighbours.
#
# ### The same map in three colours
# The network was trained to bring the same *thing* together. *What will the map look like, coloured by the category? By the artist?*

# %%
from utils.plots import show_map

things = ["lion", "pizza", "owl", "shark", "trumpet", "helicopter"]
named = [drawings.label_of(i) for i in range(len(drawings))]
show_map(by_umap, named, only=things, title="By thing: most of each lie together")

# %%
show_map(
    by_umap,
    [categories.label_of(i) for i in range(len(drawings))],
    title="By category: continents, with borders that run across",
)

# %%
show_map(
    by_umap,
    [artists.label_of(i) for i in range(len(drawings))],
    title="By artist: mixed everywhere",
)

# %% [markdown]
# Drawings of one thing always share its category and never the artist, so the islands alone would make categories look good. We ask only neighbours that show *another* thing: is its label the commonest among the ten nearest?

# %%
from utils.distances import nearest

near, _ = nearest(by_umap, by_umap, 60, "euclidean", leave_one_out=True)


def told(labels):
    """Share of points whose label is the commonest among their ten nearest of other things."""
    right = []
    for i, row in enumerate(near):
        others = row[drawings.labels[row] != drawings.labels[i]][:10]
        right.append(np.bincount(labels[others]).argmax() == labels[i])
    return np.mean(right)


rates = {
    name: {
        "told by neighbours": told(given.labels),
        "largest": np.bincount(given.labels).max() / len(given),
    }
    for name, given in (("category", categories), ("artist", artists))
}
pd.DataFrame(rates).style.format("{:.2f}")

# %%
check(
    "Things of one category lie together: far more often than the largest category would tell",
    rates["category"]["told by neighbours"] > rates["category"]["largest"] + 0.1,
)
check(
    "The artist cannot be told from the map",
    rates["artist"]["told by neighbours"] < rates["artist"]["largest"] + 0.1,
)

# %% [markdown]
# ## 2 · Two knobs
# UMAP has two settings that change everything you see: **`n_neighbors`**, the size of the neighbourhood that its graph is built from, and **`min_dist`**, how close points of the map may come. (t-SNE's one knob is the **perplexity**, roughly how many
# neighbours each point listens to; above it was 30, scikit-learn's default.) A recipe has drawn all pairs of UMAP's. Move the sliders. *What do you expect of 2 neighbours? Of 200?*

# %%
from utils.maps import load_maps
from utils.plots import map_sliders

grid = load_maps("umap-grid")
map_sliders(grid, drawings, names=("n_neighbors", "min_dist"))

# %%
table = pd.DataFrame(
    [(n, d, neighbours_kept(vectors, xy)) for (n, d), xy in grid.items()],
    columns=["n_neighbors", "min_dist", "kept"],
).pivot(index="n_neighbors", columns="min_dist", values="kept")
check(
    "Very large min_dist keeps fewer of the ten nearest, at every n_neighbors",
    (table.iloc[:, -1] < table.iloc[:, 0]).all(),
)
table.style.format("{:.2f}").background_gradient(cmap="cividis", axis=None)

# %% [markdown]
# Which `n_neighbors` is best? The table asks for the *ten* nearest, so it favours about ten. We ask for the hundred nearest, too.

# %%
from utils.plots import show_curve

knob = list(table.index)
at = {k: [neighbours_kept(vectors, grid[n, 0.0], k) for n in knob] for k in (10, 100)}
top = {k: knob[int(np.argmax(shares))] for k, shares in at.items()}
show_curve(
    knob,
    {f"of the {k} nearest": shares for k, shares in at.items()},
    xlabel="n_neighbors, at min_dist 0",
    ylabel="share kept on the map",
    log="x",
    title=f"Of ten nearest a map with {top[10]} keeps most, of a hundred one with {top[100]}",
)

# %%
check("For the ten nearest 5 and 15 keep more than 50 and 200", min(at[10][1:3]) > max(at[10][3:]))
check("For the hundred nearest it is the other way round", min(at[100][3:]) > max(at[100][1:3]))

# %% [markdown]
# So `n_neighbors` is the scale at which the map is true. Small values show crumbs, large ones a cloud. None of them is *the* map. Each answers another question, and a map without its settings is half a statement.
#
# ## 3 · What a map invents
# ### Islands
# Five hundred points of pure noise in 64 dimensions: there is nothing to see. We draw them with 3 neighbours and with 30, and count islands by **DBSCAN** (Ester et al. 1996), which joins points that nearly touch. *How many?*

# %%
from sklearn.cluster import DBSCAN

rng = np.random.default_rng(0)
noise = rng.normal(size=(500, 64))
of_noise = {n: project(noise, "umap", n_neighbors=n, min_dist=0.0) for n in (3, 30)}


def islands(xy):
    """The island of each point, −1 for none: at least five points within a fiftieth of the map."""
    return DBSCAN(eps=np.ptp(xy, axis=0).max() / 50, min_samples=5).fit_predict(xy)


count = {n: islands(xy).max() + 1 for n, xy in of_noise.items()}
show_map(of_noise[3], title=f"Noise, three neighbours: {count[3]} islands; with thirty {count[30]}")

# %% [markdown]
# Are the islands groups? The **silhouette** (Rousseeuw 1987) asks of each point whether it is nearer to its own group than to the next one: 1 for sure, 0 for neither, below for wrong. We ask it on the map, and of the same groups in the
# space that the points come from.

# %%
from sklearn.metrics import silhouette_score

on_island = islands(of_noise[3])
there = on_island >= 0
on_map = silhouette_score(of_noise[3][there], on_island[there])
in_truth = silhouette_score(noise[there], on_island[there])
print(f"silhouette of the islands: {on_map:.2f} on the map, {in_truth:.2f} in 64 dimensions")
check("Noise becomes islands", count[3] >= 5)
check("On the map they look like groups", on_map > 0.3)
check("… and are none in the space", in_truth < 0.02)

# %% [markdown]
# (With thirty there may be none: in so loose a cloud hardly a point has four others that near. The radius of DBSCAN is a setting, too; HDBSCAN, Campello et al. 2013, does without it.) **Never trust a group that was found on a map alone.** Cluster in
# the space, or with care, as UMAP's documentation describes and BERTopic (Grootendorst 2022) does, in a UMAP of more dimensions, five to ten; and score the groups in the space. Section 5 scores some that were found on maps.
#
# ### Other seeds
# The same vectors, three other seeds. We turn, mirror and stretch each map to lie on the first as well as can be (**Procrustes**). *How far will the points move, by t-SNE and by UMAP, in the mean of the three?*

# %%
from utils.maps import moved

rows = []
for name, first in (("tsne", by_tsne), ("umap", by_umap)):
    for seed in (1, 2, 3):
        other = project(vectors, name, seed=seed)
        kept = neighbours_kept(first, other)
        row = {"map": name, "seed": seed, "moved": moved(first, other), "neighbours kept": kept}
        rows.append(row)
seeds = pd.DataFrame(rows).set_index(["map", "seed"])
seeds.style.format("{:.2f}")

# %%
far = seeds["moved"].groupby("map").mean()
check(
    "t-SNE: half of the points move by more than a quarter of the mean distance to the centre",
    far["tsne"] > 0.25,
)
check("UMAP: less far", far["umap"] < far["tsne"])
check("Those who are near stay near in both", seeds["neighbours kept"].min() > 0.5)

# %% [markdown]
# Both begin from a rough map, PCA's for t-SNE and a spectral one for UMAP; what either shows of the whole comes largely from this start, and from a random one is no better in UMAP than in t-SNE (Kobak & Linderman 2021). t-SNE's is shrunk almost to a point first, and small differences grow, even those in a number's last digit: another processor draws another map from the same seed.
#
# ### Distances between islands
# Two islands lie far apart on the map. *Are they far apart in the space?* For every two things we compare the distance of their means here and there, as ranks (**Spearman's** correlation, 1 if the order is the same).

# %%
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr


def means(points):
    return np.stack([points[drawings.labels == y].mean(0) for y in np.unique(drawings.labels)])


far_order = {
    name: spearmanr(pdist(means(vectors)), pdist(means(xy)))[0] for name, xy in maps.items()
}
show_bars(
    far_order,
    unit="rank correlation of distances between things, map and space",
    title=f"How far apart islands lie says little: {far_order['UMAP']:.2f} for UMAP",
)

# %%
check("On no map is the order of far distances right", max(far_order.values()) < 0.6)
check(
    "t-SNE, best at neighbours, is hardly better at it than PCA",
    far_order["t-SNE"] < far_order["PCA"] + 0.15,
)

# %% [markdown]
# ### A new picture
# PCA places a new point by a product; scikit-learn's t-SNE has to draw the whole map again; UMAP can put new points in. We draw a map of every second picture, let the others in by `transform`, and ask whether they land by their like.

# %%
from utils.maps import new_umap

old, new = np.arange(0, len(vectors), 2), np.arange(1, len(vectors), 2)
half = new_umap(len(old)).fit(vectors[old])
landed = half.transform(vectors[new])


def lands_right(queries, gallery):
    found, _ = nearest(queries, gallery, 1, "euclidean")
    return (drawings.labels[old][found[:, 0]] == drawings.labels[new]).mean()


share = {
    "in 192 dimensions": lands_right(vectors[new], vectors[old]),
    "put on the map": lands_right(landed, half.embedding_),
}
show_bars(
    share,
    unit="new pictures whose nearest old one is the same thing",
    title="New pictures land by their like less often than they could",
)

# %%
check("The map loses right neighbours", share["put on the map"] < share["in 192 dimensions"])
check("… and is far from chance", share["put on the map"] > 0.1)

# %% [markdown]
# ## 4 · Directions with a name
# Texts say that the axes of an embedding mean something: "animal-ness", "colour", "texture". Nobody named ours. But a *direction* may mean something. We take the drawings of the **training** things: the mean of all animals less the mean
# of all other things. Then we ask how far each drawing of the **test** things goes along it. *Will it tell animals that it never saw?*

# %%
from sklearn.metrics import roc_auc_score

from utils.emoji import read_emoji


def are_animals(split):
    """Of each drawing: does it show an animal? True or False, N."""
    return np.array([row["subgroup"].startswith("animal") for row in read_emoji([split])[1]])


learned = load_images("emoji", split="train")
known, animal = embed(load_model("cnn"), learned), are_animals("train")
animal_way = known[animal].mean(axis=0) - known[~animal].mean(axis=0)

is_animal = are_animals("test")
along = vectors @ animal_way / np.linalg.norm(animal_way)
area = roc_auc_score(is_animal, along)
print(f"an animal goes farther along it than another thing in {area:.0%} of all pairs")

# %%
from utils.plots import show_grid

order = np.argsort(along)
rows = {"least": order[:10], "middle": order[len(order) // 2 - 5 :][:10], "most": order[::-1][:10]}
show_grid(
    {name: drawings.images[at] for name, at in rows.items()},
    title=f"Animal-ness of things it was not made from: right in {area:.0%} of pairs",
)


# %%
def best_of(directions):
    """The best of some directions, each either way round: chosen with hindsight."""
    areas = [roc_auc_score(is_animal, vectors @ way) for way in directions]
    return max(max(a, 1 - a) for a in areas)


axes, at_random = best_of(np.eye(192)), best_of(rng.normal(size=(192, 192)))

# %% [markdown]
# And what would such a direction tell without our network? A recipe has made it in the same way from bare pixels (32×32), from an untrained network, and from the network of photos.

# %%
from utils.course import measured

base = measured("read_maps")["directions"]
told_by = {"pixels": "pixels", "untrained network": "untrained", "network of photos": "photos"}
animals = {name: base[key]["animals"] for name, key in told_by.items()}
animals |= {"best of 192 axes": axes, "best of 192 at random": at_random, "network of things": area}
show_bars(
    animals,
    unit="share of pairs in which the animal goes farther, unseen things; 0.5 by chance",
    title=f"Animals: {area:.2f} by the network of things, {animals['untrained network']:.2f} by an untrained one",
)

# %%
others = {name: share for name, share in animals.items() if name != "network of things"}
check(
    "The direction tells animals from other things that it never saw, in nine of ten pairs",
    area > 0.9,
)
check("… better than the best of the axes and of random directions", area > max(axes, at_random))
check("… and than pixels and the other networks", area > max(others.values()))

# %% [markdown]
# And colour? How warm a drawing's colours are can be measured without a network: red less blue, the mean over its pixels. We fit a direction to it on the training drawings (least squares with a small penalty) and correlate on the test drawings,
# for the network of things and for the network of photos; the recipe did so for pixels and for the untrained network. *Which tells warmth best?*

# %%
from sklearn.linear_model import Ridge


def warmth(pictures):
    """Red less blue, mean over the drawing: N."""
    pixels = pictures.images.astype(float)
    inside = pictures.masks > 127
    return ((pixels[..., 0] - pixels[..., 2]) * inside).sum((1, 2)) / inside.sum((1, 2))


warm = {name: base[told_by[name]]["warmth"] for name in ("pixels", "untrained network")}
for name, key in (("network of photos", "cnn-photos"), ("network of things", "cnn")):
    model = load_model(key)
    fitted = Ridge(0.1).fit(embed(model, learned), warmth(learned))
    warm[name] = np.corrcoef(fitted.predict(embed(model, drawings)), warmth(drawings))[0, 1]
show_bars(
    warm,
    unit="correlation with a drawing's warmth, unseen things",
    title=f"Colour: {warm['untrained network']:.2f} before any training, {warm['network of things']:.2f} after training on things",
)

# %%
check(
    "A direction of the network of things tells warm drawings from cold",
    warm["network of things"] > 0.5,
)
check(
    "An untrained network, and bare pixels, tell it better: training let go of some of the colour",
    min(warm["untrained network"], warm["pixels"]) > warm["network of things"] + 0.05,
)
check("… and on photos of more", warm["network of photos"] < warm["network of things"] - 0.1)

# %% [markdown]
# So a direction is no news before it has a baseline. That animals lie apart was learned; that warm lies apart from cold came with the pixels. (The network of photos had {{results:read_maps.directions.photos_untrained.warmth:.2f}} before its training.)

# %% [markdown]
# ## 5 · Let them fall into groups
# **K-Means** (Lloyd 1957) needs no labels: put *k* centres somewhere; give each picture to its nearest centre; move each centre to the mean of its pictures; repeat until nothing changes.


# %%
def k_means(vectors, centres, steps=100):
    """Lloyd's algorithm: the cluster of each vector, and the centres."""
    for _ in range(steps):
        clusters = nearest(vectors, centres, 1, "euclidean")[0][:, 0]
        moved = np.stack([vectors[clusters == c].mean(axis=0) for c in range(len(centres))])
        if np.allclose(moved, centres):
            break
        centres = moved
    return clusters, centres


# %%
from sklearn.cluster import KMeans

starts = vectors[:: len(vectors) // 12][:12].astype(np.float64)
ours, _ = k_means(vectors, starts)
theirs = KMeans(12, init=starts, n_init=1).fit(vectors).labels_
check("In the open and by scikit-learn: the same twelve clusters", (ours == theirs).mean() > 0.99)

# %%
from sklearn.metrics import adjusted_rand_score

from utils.maps import cluster

shared = adjusted_rand_score(ours, cluster(vectors, 12)[0])
check("From other starts it ends in other clusters", shared < 0.7)

# %% [markdown]
# (A score of 1 would be the same clusters; section *Are they right?* says what it counts.) Each step makes the distances to the centres smaller, so it ends in *a* minimum, not in the least one. **k-means++** (Arthur & Vassilvitskii 2007)
# draws starts that lie far apart; the course's `cluster` keeps the best of four such runs.
#
# ### How many?
# Two usual answers. The **elbow**: the more centres, the smaller the distances to them; stop where it no longer pays. The **silhouette** of section 3: take the highest. There are
# five categories, six artists and two hundred things. *Which number will they find?*

# %%
choices = [2, 5, 10, 20, 50, 100, 150, 200, 250, 300, 400]
found = {k: cluster(vectors, k) for k in choices}
spread = [((vectors - centres[c]) ** 2).sum() / len(vectors) for c, centres in found.values()]
silhouettes = [silhouette_score(vectors, c) for c, _ in found.values()]
best_k = choices[int(np.argmax(silhouettes))]
show_curve(
    choices,
    spread,
    xlabel="clusters k",
    ylabel="mean squared distance to the centre",
    log="x",
    title="The elbow: where is it?",
)

# %%
show_curve(
    choices,
    silhouettes,
    xlabel="clusters k",
    ylabel="silhouette",
    log="x",
    title=f"The silhouette still rises at {best_k}",
)

# %%
check("The silhouette still rises at the last choice", best_k == choices[-1])
check("… and is below .1 everywhere: no number of groups stands out", max(silhouettes) < 0.1)

# %% [markdown]
# Two hundred small groups that touch: no number stands out. Photos of ten classes should be easier, all the more as the photo network was *taught* these ten. Here is its map of two thousand test photos, and the silhouette:

# %%
from utils.embed import load_embeddings

photos, classes = load_embeddings("cifar10-test")
rows = rng.permutation(len(photos))[:2000]
some, kinds_of_photos = photos[rows], [classes.classes[y] for y in classes.labels[rows]]
show_map(
    project(some, "umap"),
    kinds_of_photos,
    only=classes.classes[:8],
    title="CIFAR-10 (JPEG), eight of ten classes coloured",
)

# %%
ks = [2, 4, 6, 8, 10, 12, 14, 16, 20]
of_photos = [silhouette_score(some, cluster(some, k)[0]) for k in ks]
peak = ks[int(np.argmax(of_photos))]
show_curve(
    ks,
    of_photos,
    xlabel="clusters k",
    ylabel="silhouette, CIFAR-10 (JPEG)",
    title=f"Where there are groups it finds them: for photos it is highest at {peak}",
)

# %%
check("CIFAR-10 (JPEG): the highest silhouette is at eight to twelve", 8 <= peak <= 12)

# %% [markdown]
# ### Are they right?
# Labels were not used, so we may ask them now. Two scores compare a grouping with labels: the **adjusted Rand index** counts pairs that are together in both (Hubert & Arabie 1985), the **normalised mutual information** asks how much one tells of the
# other. Both are 1 for the same grouping. From the first what chance gives is taken off, from the second it is not; the **adjusted mutual information** (Vinh et al. 2010) mends that. *Which labeling do the clusters follow?*

# %%
from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

measures = {
    "ARI": adjusted_rand_score,
    "NMI": normalized_mutual_info_score,
    "AMI": adjusted_mutual_info_score,
}
labelings = {"thing": drawings.labels, "category": categories.labels, "artist": artists.labels}
rows = []
for name, labels in labelings.items():
    k = len(np.unique(labels))
    groups, _ = cluster(vectors, k)
    chance = rng.permutation(groups)
    for kind, given in (("K-Means", groups), ("shuffled", chance)):
        agree = {score: measure(labels, given) for score, measure in measures.items()}
        rows.append({"labels": f"{name}, k = {k}", "groups": kind} | agree)
scores = pd.DataFrame(rows).set_index(["labels", "groups"])
scores.style.format("{:.3f}")

# %%
ari = scores.ARI.unstack("groups")["K-Means"]
check("The clusters follow the things most", ari.idxmax().startswith("thing"))
check("… and the artists not at all", abs(ari[ari.index.str.startswith("artist")].iloc[0]) < 0.02)
nmi = scores.NMI.unstack("groups").shuffled
check(
    "Among 200 things shuffled groups have a mutual information of more than .5: beware",
    nmi[nmi.index.str.startswith("thing")].iloc[0] > 0.5,
)
check("… adjusted, of none", scores.AMI.unstack("groups").shuffled.abs().max() < 0.02)

# %% [markdown]
# ### And on a map?
# We let K-Means loose on three of the maps of section 2, with as many groups, and ask the same labels. *Better or worse than in the space?* Beside it the silhouette of the two hundred groups: on the map, and in the space.

# %%
rows, drawn = [], {"space": vectors} | {s: grid[s] for s in ((5, 0.0), (15, 0.0), (200, 0.99))}
for where, points in drawn.items():
    by, kinds = cluster(points, 200)[0], cluster(points, 5)[0]
    rows.append(
        {
            "space, or the map of": str(where),
            "things, ARI": adjusted_rand_score(drawings.labels, by),
            "categories, ARI": adjusted_rand_score(categories.labels, kinds),
            "silhouette there": silhouette_score(points, by),
            "silhouette in the space": silhouette_score(vectors, by),
        }
    )
on_maps = pd.DataFrame(rows).set_index("space, or the map of")
on_maps.style.format("{:.2f}")

# %%
by_things, scored = on_maps["things, ARI"], on_maps["silhouette in the space"]
check(
    "The groups of one map follow the things at least as well as those of the space, and those of another far worse",
    by_things.iloc[1] > 0.95 * by_things.iloc[0] and by_things.iloc[3] < 0.5 * by_things.iloc[0],
)
check("Every map makes its own groups look good", on_maps["silhouette there"].iloc[1:].min() > 0.3)
check(
    "The score in the space tells the worst map",
    scored.idxmin() == by_things.idxmin() and scored.min() < 0,
)

# %% [markdown]
# With labels at hand we see which map to believe; who has none can still score the groups in the space.

# %% [markdown]
# ### Look at them
# Numbers do not replace looking. Of five clusters of twenty we show the eight nearest to the centre and the two farthest from it, the odd ones out, and name each by what is nearest.

# %%
from utils.maps import odd_ones

groups, centres = found[20]
apart = odd_ones(vectors, groups, centres)
sheets = {}
for c in (0, 4, 8, 12, 16):
    members = np.flatnonzero(groups == c)
    members = members[np.argsort(apart[members])]
    words = list(dict.fromkeys(drawings.label_of(i) for i in members[:8]))[:2]
    sheets["\n".join(words)] = drawings.images[np.concatenate([members[:8], members[-2:]])]
show_grid(
    sheets,
    columns=[*map(str, range(1, 9)), "odd", "odder"],
    title="Five of twenty clusters, named by their nearest",
)

# %% [markdown]
# ### Photos
# All ten thousand photos, in ten clusters. *Which classes will share one?*

# %%
groups, _ = cluster(photos, 10)
table = pd.crosstab(
    groups,
    pd.Categorical.from_codes(classes.labels, classes.classes),
    rownames=["cluster"],
    colnames=["photo of"],
)
score = adjusted_rand_score(classes.labels, groups)
print(f"adjusted Rand index {score:.2f}")
table.style.background_gradient(cmap="cividis")

# %%
check("CIFAR-10 (JPEG): ten clusters are nearly the ten classes it was taught", score > 0.6)

# %% [markdown]
# ### Your own photos, sorted
# `organise` copies the pictures of a folder into one folder for each cluster. It never moves or changes an original, and the copies appear all at once or not at all. Here with sixty drawings that we write into a folder first.

# %%
import tempfile
from pathlib import Path

from PIL import Image

from utils.maps import organise

box = Path(tempfile.mkdtemp())
(box / "photos").mkdir()
for i in range(0, 1020, 17):
    Image.fromarray(drawings.images[i]).save(box / "photos" / f"{i:04d}.png")

mine = load_images(box / "photos")
v = embed(load_model("cnn"), mine)
groups, _ = cluster(v, 6)
copies = organise(box / "photos", mine.ids, groups, into=box / "sorted")
print({folder.name: len(list(folder.iterdir())) for folder in sorted((box / "sorted").iterdir())})

# %%
check("Every picture has been copied once", len(copies) == len(mine) == len(set(copies)))
check("The originals are where they were", len(list((box / "photos").iterdir())) == len(mine))

# %% [markdown]
# For a folder of ten thousand photos the same four lines do; from twenty thousand on `cluster` looks at small batches, which is faster.
#
# ## Exercises
# ### Exercise 05.1 · Neighbours kept
# Write `kept(vectors, xy, k)`: the share of the `k` nearest (Euclidean) of each vector that are among its `k` nearest on the map `xy`, as a mean over all. A point is not its own neighbour.


# %% tags=["solution"] id="ex-05-1"
def kept(vectors, xy, k):
    """Share of the k nearest in space that are among the k nearest on the map."""
    before, _ = nearest(vectors, vectors, k, "euclidean", leave_one_out=True)
    after, _ = nearest(xy, xy, k, "euclidean", leave_one_out=True)
    return (before[:, :, None] == after[:, None, :]).any(axis=2).mean()


# %% tags=["grader"] id="grade-05-1"
from utils.course import exercise, progress

exercise("05.1", kept)

# %% [markdown]
# ### Exercise 05.2 · A direction of your own
# Write `direction(vectors, chosen)`: `chosen` is True for some of the vectors. Return the unit vector from the mean of the others to the mean of the chosen. One very long vector should
# not turn it: give every vector the same length first. Then try it: food? what is drawn by one artist?


# %% tags=["solution"] id="ex-05-2"
def direction(vectors, chosen):
    """From the mean of the others to the mean of the chosen, of unit vectors: float, D."""
    chosen = np.asarray(chosen)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    way = unit[chosen].mean(axis=0) - unit[~chosen].mean(axis=0)
    return way / np.linalg.norm(way)


# %% tags=["grader"] id="grade-05-2"
exercise("05.2", direction)

# %%
learned_kinds = learned.relabel("category")
food = np.array([learned_kinds.label_of(i) == "food-drink" for i in range(len(learned_kinds))])
way = direction(known, food)
if way is not None:
    tasty = np.argsort(-(vectors @ way))[:10]
    show_grid({"most": drawings.images[tasty]}, title="Food-ness of things it was not made from")

# %% [markdown]
# ### Exercise 05.3 · Sort a folder (a GPU pays)
# Write `sort_photos(folder, k, model)`: load the pictures of a folder, embed them, group them into `k` clusters, and return a list of `k` lists of ids, the largest cluster first, in each cluster the picture nearest to the
# centre first. With `BIG = True` and your own photos the model is ResNet-50, which wants a GPU from some hundred photos on.


# %% tags=["solution"] id="ex-05-3"
def sort_photos(folder, k, model):
    """The ids of a folder's pictures by cluster, the most typical first: k lists."""
    pictures = load_images(folder, size=max(64, model.preprocess.size))
    v = embed(model, pictures)
    clusters, centres = cluster(v, k)
    order = np.argsort(odd_ones(v, clusters, centres))
    return [[pictures.ids[i] for i in order if clusters[i] == c] for c in range(k)]


# %% tags=["grader"] id="grade-05-3"
exercise("05.3", sort_photos)

# %%
my_folder = box / "photos"  # name your own folder here
lists = sort_photos(my_folder, 4, load_model("resnet50" if BIG else "cnn"))
if lists is not None:
    print([f"{len(ids)}: {ids[0]}" for ids in lists])

# %%
progress()

# %% [markdown]
# ## Quiz
# **1. On a t-SNE map one group is twice as large as another and far away from it. What do you know?**
# <details><summary>Answer</summary>Neither that it is more spread nor that it is far away. You know who is near whom.</details>
#
# **2. A colleague shows ten islands and says: ten kinds of customers. What do you ask for?**
# <details><summary>Answer</summary>The settings; the same map from another seed; a map of noise with the same settings; and a score of the ten groups in the space.</details>
#
# **3. Why is the normalised mutual information of two hundred *shuffled* clusters of a thousand pictures still {{results:maps.clusters.labels.thing.nmi_shuffled:.2f}}?**
# <details><summary>Answer</summary>A cluster of five pictures holds at most five of the two hundred labels, so it narrows the label down, whichever five they are. The adjusted Rand index subtracts what chance gives.</details>
#
# **4. A direction separates animals from other things in 95 % of the pairs of the training pictures. What is missing?**
# <details><summary>Answer</summary>Things it was not made from, and a comparison: with random directions, single axes, an untrained network, and pixels.</details>
#
# **5. Which of the three maps can show you where a new photo lies?**
# <details><summary>Answer</summary>PCA by a product, UMAP by `transform`; scikit-learn's t-SNE has to draw everything anew.</details>

# %% [markdown]
# ## In one paragraph
# PCA looks at a space from its widest side; t-SNE and UMAP draw maps on which neighbours stay neighbours, and keep {{results:maps.trust.tsne.mean_neighbours_kept:.0%}} of them at best. Far distances, sizes and empty spaces on such maps say little, noise becomes islands, and a map changes with its
# settings and its seed. So we search in the space, score groups there, and use the map to look. No axis is named for us, but directions can be found that mean something, and tested on things they were not made from, beside an untrained network. K-Means groups pictures without labels; how many groups, no
# score tells alone; and looking at the odd ones out tells most.
#
# ## Go further
# - van der Maaten & Hinton, *Visualizing Data using t-SNE* (2008).
# - McInnes, Healy & Melville, *UMAP: Uniform Manifold Approximation and Projection* (2018).
# - Wattenberg, Viégas & Johnson, *How to Use t-SNE Effectively* (2016): what its maps invent, to play with.
# - Kobak & Linderman, *Initialization Is Critical for Preserving Global Data Structure in Both t-SNE and UMAP* (2021).
# - Venna & Kaski, *Neighborhood Preservation in Nonlinear Projection Methods* (2001): trustworthiness.
# - Rousseeuw, *Silhouettes* (1987); Hubert & Arabie, *Comparing Partitions* (1985); Vinh, Epps & Bailey, *Information Theoretic Measures for Clusterings Comparison* (2010).
# - Arthur & Vassilvitskii, *k-means++: The Advantages of Careful Seeding* (2007); Campello, Moulavi & Sander, *Density-Based Clustering Based on Hierarchical Density Estimates* (2013): HDBSCAN.
# - *Using UMAP for Clustering*, in the documentation of umap-learn; Grootendorst, *BERTopic* (2022), which does so with texts.
