# %% [markdown]
# # 07 · What about a million pictures?
# Comparing a query with every picture is never wrong, and twice as many pictures take twice as long. We look for ways to compare with fewer, measure what each of them misses, and count what a billion pictures would cost.
#
# **After this lesson you can**
# - say why a tree saves work on a plane, and why in many dimensions it may save none;
# - build an inverted file, a graph and product codes, each in ten lines, and know what they trade;
# - choose an index by recall, speed and memory instead of by name;
# - let an index grow and shrink, and find near-duplicates in it;
# - run the same lines on Qdrant, and work out how many machines a billion pictures need.
#
# *Before you start: lessons 01 and 04. {{results:lessons.07_growing_index.seconds:.0f}} seconds to run on two cores, no GPU, no network.*

# %%
from utils.course import check, start

BIG = False  # True: a gallery of 400,000 in section 6, a minute or two more
start("07_growing_index", big=BIG)

# %% [markdown]
# ## 1 · What exact search costs
# Ten thousand photos of CIFAR-10 (JPEG), embedded by our network into 64 numbers each. An index compares a query with every one of them. The first answer:

# %%
import time

import numpy as np

from utils.embed import load_embeddings
from utils.index import ExactIndex
from utils.plots import show_curve

photos, labelled = load_embeddings("cifar10-test")
mixed = np.random.default_rng(0).permutation(len(photos))  # they come class by class
photos = photos[mixed] / np.linalg.norm(photos[mixed], axis=1, keepdims=True)
index = ExactIndex("cosine")
index.add([f"photo-{i}" for i in range(len(photos))], photos)
ids, distances = index.search(photos[:1], k=6)
kind_of = [labelled.classes[label] for label in labelled.labels[mixed]]
kinds = [kind_of[int(id.split("-")[1])] for id in ids[0]]
print(list(zip(kinds, distances[0].round(3), strict=True)))

# %% [markdown]
# *How long will it take with two, four, eight times as many?*


# %%
def milliseconds(step, times=20):
    """The fastest of some runs, the one that nothing else on the machine disturbed."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        step()
        taken.append(time.perf_counter() - started)
    return 1000 * min(taken)


rng = np.random.default_rng(0)
sizes, spent = [10_000, 20_000, 40_000, 80_000, 160_000], []
for n in sizes:
    larger = ExactIndex("euclidean")
    larger.add([str(i) for i in range(n)], rng.normal(size=(n, 64)).astype(np.float32))
    spent.append(milliseconds(lambda gallery=larger: gallery.search(photos[:1], k=10)))
show_curve(
    sizes,
    spent,
    xlabel="pictures in the gallery",
    ylabel="milliseconds a query",
    title=f"Sixteen times the pictures, {spent[-1] / spent[0]:.0f} times the time",
)

# %% [markdown]
# A machine reads 64 numbers of four bytes for each picture, and little else. For a million that is a quarter of a gigabyte a query. It is fast for what it does: {{results:index.exact_million.over_bare_torch:.2f}} × the time of the bare product. Who has many queries at once shares the reading among them: a hundred as one product take far less than a hundred times as long. For a single query there are two ways: *read fewer bytes of each picture* (section 5), or *look at fewer pictures*.
#
# ## 2 · A tree
# The textbook answer is a **k-d tree** (Bentley 1975; in this form Friedman, Bentley & Finkel 1977): cut the space in two at the median of one coordinate, each half at the median of another, until a few points are left in each box. A query goes down to its box, and comes back up only to boxes that could hold something
# nearer. scikit-learn's counts how many points it compares. *Points are thrown into 2, 4, 8, … dimensions. What share of ten thousand is looked at for ten neighbours?*

# %%
from sklearn.neighbors import KDTree


def visited(gallery, queries):
    """Share of the gallery that a k-d tree compares with a query, for ten neighbours."""
    tree = KDTree(gallery, leaf_size=40)
    tree.reset_n_calls()
    tree.query(queries, 10)
    return tree.get_n_calls() / len(queries) / len(gallery)


dims = [2, 4, 6, 8, 10, 12, 16, 24, 32]
by_dim = [visited(rng.random((10_000, d)), rng.random((50, d))) for d in dims]
show_curve(
    dims,
    by_dim,
    xlabel="dimensions",
    ylabel="share of the gallery that is compared",
    title=f"In two dimensions a tree looks at {by_dim[0]:.1%}, in sixteen at {by_dim[6]:.0%}",
)

# %% [markdown]
# In many dimensions all points are nearly equally far (lesson 01), so no box can be left out. But do embeddings fill their 64 dimensions? Points on a sheet of paper have two, however the sheet lies in the room. The **intrinsic dimension** can be told from distances alone: if the
# second neighbour is hardly farther than the first, there are many dimensions (**TwoNN**, Facco et al. 2017; they fit a line, we take the maximum likelihood).

# %%
from utils.distances import nearest
from utils.embed import embed
from utils.images import load_images
from utils.models import load_model


def intrinsic_dimension(points):
    """1 over the mean of log(second / first distance)."""
    _, apart = nearest(points, points, 2, "euclidean", leave_one_out=True)
    apart = apart[apart[:, 0] > 0]
    return 1 / np.log(apart[:, 1] / apart[:, 0]).mean()


# %%
unseen = load_images("scenes", "test")
scenes = embed(load_model("cnn"), unseen)
sheet = rng.random((3000, 2)) @ rng.normal(size=(2, 64))
free = rng.normal(size=photos.shape)
sets = {"a sheet in 64 dimensions": sheet, "64 free numbers": free}
sets |= {"photos": photos, "scenes": scenes}
rows = {
    name: {
        "numbers": points.shape[1],
        "intrinsic dimension": intrinsic_dimension(points),
        "compared by the tree": visited(points[:-100], points[-100:]),
    }
    for name, points in sets.items()
}

# %%
import pandas as pd

from utils.index.synthetic import intrinsic_dimension as by_library

trees = pd.DataFrame(rows).T
trees.style.format(
    {"numbers": "{:.0f}", "intrinsic dimension": "{:.1f}", "compared by the tree": "{:.1%}"}
)

# %%
share, told = trees["compared by the tree"], trees["intrinsic dimension"]
check(
    "The library's function agrees",
    np.isclose(told["photos"], by_library(photos, 10_000), rtol=0.02),
)
check("A sheet stays a sheet in 64 dimensions: the tree looks at few", share.iloc[0] < 0.1)
check("TwoNN counts too few: 64 free numbers are not 64 to it", told["64 free numbers"] < 64)
check(
    "Photos fill fewer dimensions than as many free numbers do",
    told["photos"] < 0.9 * told["64 free numbers"],
)
check(
    "A tree compares few photos, and nearly all scenes of unseen things",
    share["photos"] < 0.5 and share["scenes"] > 0.9,
)

# %% [markdown]
# TwoNN counts too few where there are many, as its authors say, so read its number as "fewer than 64", not as a count. Nor does it tell whether a tree will help: by it photos and scenes are much alike, and a tree compares few of the ones and nearly all of the others (which are also fewer, and of another network). On ten thousand photos it takes {{results:index.photos.1.milliseconds:.2f}} ms a query, comparing with all {{results:index.photos.0.milliseconds:.2f}}. So try it on your own. For galleries of any size we make vectors: 64 numbers of which sixteen are free. *Thirty thousand of them on the clock: the tree, or all?*

# %%
from utils.index.synthetic import synthetic_vectors
from utils.plots import show_bars

made = synthetic_vectors(30_050)
tree, exact = KDTree(made[:30_000], leaf_size=40), ExactIndex("euclidean")
exact.add([str(i) for i in range(30_000)], made[:30_000])
race = {
    "tree": milliseconds(lambda: [tree.query(q[None], 10) for q in made[30_000:]], 3) / 50,
    "all": milliseconds(lambda: [exact.search(q[None], 10) for q in made[30_000:]], 3) / 50,
}
show_bars(
    race,
    unit="milliseconds a query, of 50 queries one at a time",
    title=f"The tree needs {race['tree'] / race['all']:.0f} times as long as comparing with all",
)

# %% [markdown]
# ## 3 · Lists
# So for vectors like these the exact tree does not help. We give up being right always, and count how often: **recall@10** is now the share of the true ten nearest that are found. First idea, the **inverted file** (IVF; Sivic & Zisserman 2003): K-Means with a hundred centres, and a list for each with its photos. A query looks only into the
# lists of its nearest centres. How many of them is the knob, `nprobe`.

# %%
from utils.maps import cluster

lists, centres = cluster(photos[100:], 100)
gallery, queries = photos[100:], photos[:100]


def probe(query, k, nprobe):
    """The k nearest among the photos in the nprobe nearest lists."""
    near_lists = np.argsort(((centres - query) ** 2).sum(axis=1))[:nprobe]
    inside = np.flatnonzero(np.isin(lists, near_lists))
    order = np.argsort(((gallery[inside] - query) ** 2).sum(axis=1))
    return inside[order[:k]], len(inside) / len(gallery)


# %%
truth, _ = nearest(queries, gallery, 10, "euclidean")
probes, found, looked = [1, 2, 3, 5, 10, 20, 40, 100], [], []
for nprobe in probes:
    answers = [probe(query, 10, nprobe) for query in queries]
    found.append(
        np.mean([np.isin(a, t).sum() / 10 for (a, _), t in zip(answers, truth, strict=True)])
    )
    looked.append(np.mean([part for _, part in answers]))
show_curve(
    looked,
    found,
    xlabel="share of the gallery that is compared",
    ylabel="recall@10",
    title=f"{looked[3]:.0%} of the photos hold {found[3]:.0%} of the nearest",
)

# %%
check("All lists: exact again", found[-1] == 1)
check(
    "A tenth of the photos holds nine tenths of the neighbours", np.interp(0.1, looked, found) > 0.9
)

# %% [markdown]
# faiss (Douze et al. 2024) has the same with its own K-Means, and behind the same methods as our exact index:

# %%
from utils.index import FaissIndex

ids = [f"photo-{i}" for i in range(100, len(photos))]
ivf = FaissIndex("ivf", "euclidean", nlist=100, nprobe=5, train_at=1000)
ivf.add(ids, gallery)
answers, _ = ivf.search(queries, k=10)
names = np.array(ids)[truth]
recall = np.mean([np.isin(a, t).mean() for a, t in zip(answers, names, strict=True)])
print(f"recall@10 with 5 of 100 lists: ours {found[3]:.3f}, faiss {recall:.3f}")
check("Ours and faiss's find about as much", abs(recall - found[3]) < 0.05)

# %% [markdown]
# ## 4 · A graph
# Second idea: link each picture with some near ones, and *walk*. From wherever we stand, look at the neighbours and go to the one nearest to the query, until no neighbour is nearer. That is all; the rest is in the links. `link_graph` adds one point after the other and links it both ways with the nearest that
# a walk finds. The links of the first points are long, for nobody was nearer yet: they are the motorways (**navigable small world**; Malkov et al. 2014). Four hundred points on a plane, so that we can watch:

# %%
from utils.index.walk import link_graph

points = rng.random((400, 2))
links = link_graph(points, m=4)


def greedy(query, start):
    """The points gone to, from `start` on, each nearer to the query than the one before."""
    path = [start]
    while True:
        apart = {i: np.linalg.norm(points[i] - query) for i in [*links[path[-1]], path[-1]]}
        best = min(apart, key=apart.get)
        if best == path[-1]:
            return path
        path.append(best)


# %%
from utils.plots import show_walk

target = np.array([0.85, 0.2])
start = int(np.argmin(((points - [0.05, 0.95]) ** 2).sum(axis=1)))
path = greedy(target, start)
compared = len({near for at in path for near in [at, *links[at]]})
show_walk(
    points,
    links,
    path,
    target,
    title=f"{len(path) - 1} steps through 400 points, {compared} of them compared",
)

# %% [markdown]
# *Does the walk always end at the nearest point?* We send two hundred queries, and let the walk keep not one best point but `ef` of them, and go on from all of them until none helps.

# %%
from utils.index.walk import walk

asked = rng.random((200, 2))
nearest_points = ((asked[:, None] - points) ** 2).sum(axis=2).argmin(axis=1)
arrived = {
    "one": np.mean([greedy(q, start)[-1] == t for q, t in zip(asked, nearest_points, strict=True)])
}
for ef in (2, 4, 8):
    ends = [walk(q, points, links, start, ef)[0][0] for q in asked]
    arrived[f"{ef}"] = np.mean(ends == nearest_points)

# %%
show_bars(
    arrived,
    unit="share of 200 walks that end at the nearest point, by how many best points are kept",
    title=f"A walk that keeps one point arrives in {arrived['one']:.0%}, one that keeps 8 in {arrived['8']:.0%}",
)

# %%
check("Greed alone gets stuck sometimes", arrived["one"] < 1)
check("Keeping eight is better than keeping one", arrived["8"] > arrived["one"])

# %% [markdown]
# **HNSW** (Malkov & Yashunin 2016) stacks such graphs: on top few points with long links, below all of them. `M` is the number of links (twice as many on the lowest), chosen to lead into different directions, `ef` how many points a walk keeps, and `ef_construction` how many while the graph is built. Of our photos:

# %%
hnsw = FaissIndex("hnsw", "euclidean")
hnsw.add(ids, gallery)


def measure(engine, queries, names):
    """recall@10, and the median of the milliseconds that one query takes."""
    got, taken = [], []
    for query in queries:  # each once: asked again, its part of the index lies in the cache
        started = time.perf_counter()
        got.append(engine.search(query[None], k=10)[0][0])
        taken.append(time.perf_counter() - started)
    recall = np.mean([np.isin(a, t).mean() for a, t in zip(got, names, strict=True)])
    return recall, 1000 * np.median(taken)


rows = {}
for ef in (16, 64, 256):
    hnsw.knobs["ef"] = ef
    rows[f"ef = {ef}"] = measure(hnsw, queries, names)
pd.DataFrame(rows, index=["recall@10", "ms a query"]).T.style.format("{:.3f}")

# %%
check("With ef = 256 the graph misses hardly any of the nearest", rows["ef = 256"][0] > 0.97)

# %% [markdown]
# ## 5 · Codes
# Lists and graphs save time and cost memory: all vectors stay. Third idea, **product quantisation** (PQ; Jégou et al. 2011): cut each vector of 64 numbers into 16 parts of four. Let K-Means find 256 typical parts for each place, a *book*. Then a part is the number of its nearest word, one byte, and the vector is
# 16 bytes instead of 256.

# %%
from sklearn.cluster import MiniBatchKMeans

parts = gallery.reshape(len(gallery), 16, 4)
books, codes = [], []
for p in range(16):
    means = MiniBatchKMeans(256, n_init=1, batch_size=2048, random_state=0).fit(parts[:, p])
    books.append(means.cluster_centers_)
    codes.append(means.labels_.astype(np.uint8))
books, codes = np.stack(books), np.stack(codes, axis=1)
print(
    f"{gallery.nbytes:,} bytes of vectors, {codes.nbytes:,} bytes of codes, {books.nbytes:,} of books"
)

# %% [markdown]
# A query needs no decoding. Its distance to a picture is a sum over parts, and there are only 16 × 256 distances of a part to a word: we make that table once, and a picture costs 16 look-ups.


# %%
def by_codes(query):
    """Squared distance of the query to every coded photo."""
    table = ((query.reshape(16, 1, 4) - books) ** 2).sum(axis=2)  # 16 × 256
    return table[np.arange(16), codes].sum(axis=1)


decoded = books[np.arange(16), codes].reshape(len(codes), 64)
in_full = ((decoded - queries[0]) ** 2).sum(axis=1)
check(
    "The table gives the distances to the decoded vectors",
    np.allclose(by_codes(queries[0]), in_full, atol=1e-4),
)

# %%
coded, ranked = [], []
for query, t in zip(queries, truth, strict=True):
    order = np.argsort(by_codes(query))
    coded.append(np.isin(order[:10], t).mean())
    first = order[:50]
    best = first[np.argsort(((gallery[first] - query) ** 2).sum(axis=1))[:10]]
    ranked.append(np.isin(best, t).mean())
show_bars(
    {"ten best by codes": np.mean(coded), "best of fifty, ranked anew by vectors": np.mean(ranked)},
    unit="recall@10",
    title=f"A sixteenth of the memory keeps {np.mean(coded):.0%}; fifty looked at again, {np.mean(ranked):.0%}",
)

# %%
check("Codes miss some of the nearest", np.mean(coded) < 0.95)
check("Ranking fifty anew brings most of them back", np.mean(ranked) > 0.95)

# %% [markdown]
# There are plainer ways to be small: write each number as one byte; keep the few directions in which vectors differ most (PCA, lesson 05); keep only whether a number is above its mean, a bit. *Which loses least: on photos under the network that learned their ten classes, and on scenes of unseen things under the one that learned hundreds of things?*

# %%
import faiss
from sklearn.decomposition import PCA


def to_bytes(vectors, learned):
    """Each number as a whole number from −127 to 127, times its step."""
    step = np.abs(learned).max(axis=0) / 127
    return (vectors / step).round().clip(-127, 127) * step


# %%
def small_ways(vectors, learned):
    """By way: (queries, gallery) as the distance meets them, and bytes a picture."""
    dim, pca, middle = vectors.shape[1], PCA(16).fit(learned), learned.mean(axis=0)
    few, few_learned = pca.transform(vectors), pca.transform(learned)
    codes = faiss.IndexPQ(dim, 16, 8)
    codes.pq.cp.min_points_per_centroid = 1  # or it complains of so few
    codes.train(learned)
    bits = np.sign(vectors - middle)
    return {
        "four bytes a number": (vectors, vectors, 4 * dim),
        "a byte a number": (vectors, to_bytes(vectors, learned), dim),
        "16 numbers by PCA": (few, to_bytes(few, few_learned), 16),
        "PQ in 16 parts": (vectors, codes.sa_decode(codes.sa_encode(vectors)), 16),
        "a bit a number": (bits, bits, dim // 8),
    }


# %%
known = embed(load_model("cnn"), load_images("scenes", "train"))  # to learn books and directions
galleries = {
    "photos": (photos[:5000], photos[5000:], labelled.labels[mixed][:5000]),
    "scenes": (scenes, known, unseen.labels),
}
rows = {}
for name, (vectors, learned, labels) in galleries.items():
    full_ten, _ = nearest(vectors, vectors, 10, "euclidean", leave_one_out=True)
    for way, (asked, kept, size) in small_ways(vectors, learned).items():
        ten, _ = nearest(asked, kept, 10, "euclidean", leave_one_out=True)
        same = np.mean([np.isin(a, t).mean() for a, t in zip(ten, full_ten, strict=True)])
        right = (labels[ten[:, 0]] == labels).mean()
        rows[name, way] = {"bytes": size, "the same ten": same, "first is right": right}
smaller = pd.DataFrame(rows).T
smaller.style.format("{:.3f}").format("{:.0f}", subset="bytes")

# %%
right = smaller["first is right"]
left = {
    f"{name}: {way}": right[name, way] / right[name, "four bytes a number"] for name, way in rows
}
one_byte = [left["photos: a byte a number"], left["scenes: a byte a number"]]
show_bars(
    {name: share for name, share in left.items() if "four bytes" not in name},
    unit="right first answers, as a share of those with four bytes a number",
    title=f"Sixteen numbers keep {left['photos: 16 numbers by PCA']:.0%} on photos, {left['scenes: 16 numbers by PCA']:.0%} on scenes; a byte a number {min(one_byte):.0%}",
)

# %%
check("A byte a number loses less than one right answer in fifty", min(one_byte) > 0.98)
check(
    "In 16 bytes, PCA keeps more of the same ten on photos, PQ on scenes",
    smaller["the same ten"]["photos", "16 numbers by PCA"]
    > smaller["the same ten"]["photos", "PQ in 16 parts"]
    and smaller["the same ten"]["scenes", "16 numbers by PCA"]
    < smaller["the same ten"]["scenes", "PQ in 16 parts"],
)
flat = {
    name: PCA(16).fit(learned).explained_variance_ratio_.sum()
    for name, (_, learned, _) in galleries.items()
}
check(
    "In 16 directions lies nearly all that differs among photos, not half among scenes",
    flat["photos"] > 0.95 and flat["scenes"] < 0.5,
)
bit = smaller.loc["photos", "a bit a number"]
check(
    "With a bit a number most of the ten are others, and most first answers are right",
    bit["the same ten"] < 0.5 < bit["first is right"],
)

# %% [markdown]
# So the first step, **scalar quantisation**, costs next to nothing: a byte a number is a quarter of the memory. What comes after it depends on the vectors. The photos' 64 numbers lie in about as many directions as there are classes (*neural collapse*, Papyan et al. 2020), and the rest can go. Of the scenes' 192 numbers sixteen directions hold less than half, and there it pays to keep a little of each. Classes, numbers and pictures all differ, so we name no cause. (That the intrinsic dimensions of section 2 were alike is no contradiction:
# they count the ways that lead on from one point, PCA all directions into which the whole cloud bends.) The photos at one bit a number warn about the measure: their nearest ten are others, but of the right class, since hundreds of photos are right. Where five pictures are right, what is lost is missed. Ask with labels, on your own gallery.

# %% [markdown]
# ## 6 · Which one?
# Now all of them on equal terms: one query at a time, on the photos and on a hundred thousand vectors that we make: 64 numbers, of which sixteen are free. *Which will be fastest at a recall of .95? Which takes the least memory?*

# %%
KNOBS = {
    "IVF": ("nprobe", (1, 4, 16, 64)),
    "HNSW": ("ef", (10, 32, 128)),
    "PQ": ("nprobe", (4, 16, 64)),
}


# %%
def compared(vectors, queries):
    """By structure: (recall@10, queries a second) for each value of its knob, bytes a vector."""
    truth, _ = nearest(queries, vectors, 10)
    names = np.array([str(i) for i in range(len(vectors))])
    all_at_once = {"train_at": len(vectors)}
    engines = {
        "exact": ExactIndex(),
        "IVF": FaissIndex("ivf", **all_at_once),
        "HNSW": FaissIndex("hnsw"),
        "PQ": FaissIndex("pq", **all_at_once),
    }
    points, weight = {}, {}
    for name, engine in engines.items():
        engine.add(names, vectors)
        knob, values = KNOBS.get(name, (None, [0]))
        points[name] = []
        for value in values:
            if knob:
                engine.knobs[knob] = value
            recall, ms = measure(engine, queries, names[truth])
            points[name].append((recall, 1000 / ms))
        weight[name] = engine.nbytes / len(vectors)
    return points, weight


# %%
from utils.plots import show_frontier

small, _ = compared(gallery, queries)
show_frontier(
    small,
    xlabel="recall@10",
    ylabel="queries a second",
    title=f"Ten thousand photos: exact search answers {small['exact'][0][1]:,.0f} queries a second",
)

# %%
n = 400_000 if BIG else 100_000
vectors = synthetic_vectors(n + 100)
large, weight = compared(vectors[:n], vectors[n:])
exact_speed = large["exact"][0][1]
good = {
    name: max(speed for r, speed in some if r >= 0.95)
    for name, some in large.items()
    if max(some)[0] >= 0.95
}
fastest = max(good, key=good.get)
show_frontier(
    large,
    xlabel="recall@10",
    ylabel="queries a second",
    title=f"{n:,} vectors: {fastest} finds 95 % at {good[fastest] / exact_speed:.0f} times the speed of exact search",
)

# %%
pd.DataFrame({"bytes a vector": weight, "of which the vector's own": 256}).style.format("{:.0f}")

# %%
check(
    "At a hundred thousand, lists or links are five times as fast at 95 %",
    good[fastest] > 5 * exact_speed,
)
check("The graph takes more memory than the vectors", weight["HNSW"] > 256)
check("Codes take less than a fifth", weight["PQ"] < 256 / 5)

# %% [markdown]
# A benchmark did the same with a million: [results/index.json](../results/index.json). There exact search takes {{results:index.exact_million.milliseconds:.0f}} ms for one query.
#
# How many dimensions are free matters to a graph too: with the same effort, `ef` 16 among {{results:index.intrinsic.vectors:,d}} vectors, it finds {{results:index.intrinsic.hnsw_ef_16.2:.1%}} of the ten nearest where two of 64 numbers are free, {{results:index.intrinsic.hnsw_ef_16.16:.1%}} where sixteen are and {{results:index.intrinsic.hnsw_ef_16.64:.1%}} where all are.
#
# ## 7 · Growing and shrinking
# A gallery lives. Each structure pays differently. To add a thousand vectors to a hundred thousand takes lists {{results:index.changes.ivf.add_milliseconds:.0f}} ms and a graph, which must find the neighbours of each, {{results:index.changes.hnsw.add_milliseconds:.0f}}. To remove a thousand takes lists {{results:index.changes.ivf.remove_milliseconds:.1f}} ms and our graph {{results:index.changes.hnsw.remove_milliseconds:.1f}}, but a graph of faiss cannot lose a point, for others are reached
# through it (some databases link its neighbours anew): it is only marked and stepped over, until a quarter is dead and the graph is built anew, {{results:index.changes.hnsw.rebuild_seconds:.1f}} seconds. Lists and codes have a debt of another kind: their centres and books are learned once, from the first vectors. When what comes later is different, lists grow uneven and codes worse (Baranchuk et al. 2023): measure recall anew from time to time, and train anew. What users see must be the same: *a removed picture never comes back.*

# %%
shop = FaissIndex("hnsw", "euclidean")
shop.add(ids[:2000], gallery[:2000], [{"class": kind_of[100 + i]} for i in range(2000)])
before = shop.search(gallery[:1], k=3)[0][0]
shop.remove([before[0]])
after = shop.search(gallery[:1], k=3)[0][0]
print(before, "→", after)
check("What was removed is not found", before[0] not in after)
check("The others stay", list(before[1:]) == list(after[:2]))

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    shop.save(Path(folder) / "shop.index")
    again = FaissIndex.load(Path(folder) / "shop.index")
found_again = again.search(gallery[:1], k=3)[0][0]
check(
    "Saved and loaded: the same answers, the removed one still gone",
    list(found_again) == list(after),
)

# %% [markdown]
# `save` writes to a file beside and renames it, so a machine that dies in between leaves the old index whole. And each picture may carry a note, its **payload**, to be searched by: *only frogs, please.* (Where few match, most links of a graph lead to what may not be answered: below a tenth of the gallery, ours compares with all that match.)

# %%
frogs, _ = shop.search(gallery[:1], k=5, where={"class": "frog"})
kinds = [shop.payload[id]["class"] for id in frogs[0]]
print(kinds, "of", shop.count({"class": "frog"}))
check("A filter leaves only frogs", kinds == ["frog"] * 5)

# %% [markdown]
# ## 8 · The same picture twice
# A large gallery holds copies: saved again, made smaller, cropped, brightened. We make such copies of some drawings and look for **near-duplicates**, pairs within a threshold. Two tools: our embedding, and a **difference hash**: shrink the picture to 9 × 8 grey pixels, and note for each whether it is brighter than the next, 64 bits
# (Krawetz 2013). *Which is better for finding copies?*

# %%
from utils.duplicates import dhash, groups, make_copies, pairs_within

drawings = load_images("emoji", split="test")
some = np.arange(0, len(drawings), 10)
copies = make_copies(drawings.images[some])
pictures = np.concatenate([drawings.images, *copies.values()])
origin = np.concatenate([np.arange(len(drawings)), np.tile(some, len(copies))])


def bits(images):
    """64 bits a picture: is a place brighter than the one to its right? In ten lines it is three."""
    grey = (images @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    small = np.stack(
        [np.asarray(Image.fromarray(g).resize((9, 8), Image.Resampling.BOX), float) for g in grey]
    )
    return (small[:, :, :-1] > small[:, :, 1:]).reshape(len(images), 64)


# %%
from PIL import Image

from utils.course import measured

hashes = dhash(pictures)
check("In the open and in utils: nearly the same bits", (bits(pictures) == hashes).mean() > 0.9)

vectors = embed(load_model("cnn"), pictures)
chosen = measured("duplicates")["drawings"]
by = {
    "embedding": pairs_within(vectors, chosen["embedding"]["threshold"]),
    "hash": pairs_within(hashes, chosen["hash"]["threshold"], "hamming"),
}
table = {}
for name, (pairs, _) in by.items():
    copy = origin[pairs[:, 0]] == origin[pairs[:, 1]]
    table[name] = {"pairs": len(pairs), "are copies": copy.mean()}
pd.DataFrame(table).T.style.format({"pairs": "{:.0f}", "are copies": "{:.0%}"})

# %% [markdown]
# The thresholds were chosen by a recipe on the drawings of *validation* things: the largest within which 95 % of the pairs are copies. What are the pairs that are none?

# %%
from utils.plots import show_grid

together = groups(by["embedding"][0], len(pictures))
strange = [group for group in together if len(set(origin[group])) > 1]
show_grid(
    {f"group {i}": pictures[group[:6]] for i, group in enumerate(strange[:4], start=1)},
    title=f"{len(strange)} of {len(together)} groups hold more than one drawing",
)

# %%
check("Most groups are copies of one drawing", len(strange) < len(together) / 3)

# %% [markdown]
# Artists draw some signs nearly alike: the network calls them the same, and who should say that they are not? For photos it is the other way round. Our photo network learned ten classes, and to a network that only wants to know "frog", a frog and its cropped copy are no nearer than two frogs:

# %%
photo_copies = measured("duplicates")["photos"]
shares = {name: photo_copies[name]["recall"] for name in ("embedding", "hash", "pixels")}
show_bars(
    shares,
    unit="share of the copies of CIFAR-10 (JPEG) photos found, thresholds chosen for 95 % precision",
    title=f"What a network learned to ignore, it cannot find: {shares['embedding']:.0%} of the copies",
)

# %%
check(
    "The photo embedding finds fewer copies than 64 bits of hash",
    shares["embedding"] < shares["hash"],
)

# %% [markdown]
# CIFAR-10 itself has duplicates (Barz & Denzler 2020): between its training and test photos, hash and pixels agree on {{results:duplicates.train_and_test.hash_and_pixels.pairs:d}} pairs, with {{results:duplicates.train_and_test.hash_and_pixels.test_photos:d}} test photos in them. Sixty thousand embeddings are searched for pairs in
# {{results:duplicate_speed.seconds:.0f}} seconds, a block at a time, with {{results:duplicate_speed.megabytes:.0f}} MB beyond the vectors.
#
# ## 9 · A database
# So far the index lives in our process and dies with it. A **vector database** is a server that keeps it, for many programs at once. Ours is **Qdrant**, behind the same methods. Here it runs inside the notebook:

# %%
from utils.index import QdrantIndex

base = QdrantIndex(":memory:", metric="euclidean")
base.add(ids[:2000], gallery[:2000], [{"class": kind_of[100 + i]} for i in range(2000)])
base.remove([before[0]])
answers, apart = base.search(gallery[:1], k=3)
only, _ = base.search(gallery[:1], k=5, where={"class": "frog"})
print(answers[0], apart[0].round(3))
check("The same answers as by faiss", list(answers[0]) == list(after))
check("The same frogs", set(only[0]) == set(frogs[0]))

# %% [markdown]
# In the notebook Qdrant is for trying things out: it compares with every vector, in Python. With a folder in place of `":memory:"` it stays on disk. With the address of a server in `QDRANT_URL`, `QdrantIndex()` speaks to that, and to a cluster of them in the same way:
#
# ```
# docker run -p 127.0.0.1:6333:6333 -v qdrant:/qdrant/storage qdrant/qdrant
# export QDRANT_URL=http://localhost:6333
# ```
#
# ## 10 · A billion
# Now the arithmetic that decides. A picture costs *bytes* of memory and *milliseconds* of a core for each query. A cluster of machines holds the gallery in **shards**, each on several machines (**replicas**), so that one may die; every query asks every shard.
#
# $$\text{shards} = \left\lceil \frac{N \cdot \text{bytes}}{0.7 \cdot \text{memory}} \right\rceil, \qquad \text{machines} = \max\left(\text{shards} \cdot \text{replicas},\; \left\lceil \frac{\text{queries/s} \cdot \text{shards} \cdot t(N / \text{shards})}{\text{cores}} \right\rceil \right)$$
#
# Bytes and *t* were measured at ten thousand, a hundred thousand and a million; beyond we follow the line through them on logarithmic axes, for exact search the proportion, and say so: these are estimates. Recall is not drawn on, and exact search was timed with both cores free to it. Everything lies in memory here. Graphs and lists whose vectors lie on a fast disk (DiskANN, Subramanya et al. 2019; SPANN, Chen et al. 2021) need one machine where ours need many. Machine and load are ours; put in yours.

# %%
taken = measured("index")["synthetic"]
MACHINE = {"memory": 64e9, "cores": 16}
LOAD = {"queries a second": 100, "replicas": 2}


def line(structure, least=0.9):
    """Bytes a vector, and log-log coefficients of the fastest time with that recall by size."""
    sizes, times = [], []
    for size, rows in taken.items():
        fits = [r for r in rows if r["structure"] == structure and r["recall"] >= least]
        sizes.append(int(size))
        times.append(min(r["milliseconds"] for r in fits) / 1000)
        bytes_each = fits[0]["bytes_per_vector"]
    if structure == "exact":  # in proportion to the largest, where overhead weighs least
        return bytes_each, (1.0, np.log(times[-1] / sizes[-1]))
    return bytes_each, np.polyfit(np.log(sizes), np.log(times), 1)


def machines(n, structure):
    bytes_each, (slope, start) = line(structure)
    shards = np.ceil(n * bytes_each / (0.7 * MACHINE["memory"]))
    seconds = shards * np.exp(start) * (n / shards) ** max(slope, 0)
    busy = LOAD["queries a second"] * seconds / MACHINE["cores"]
    return int(max(shards * LOAD["replicas"], np.ceil(busy)))


# %%
counts = (10**6, 10**8, 10**9)
plan = pd.DataFrame(
    {
        name: {f"{c:.0e}".replace("e+0", "0^"): machines(c, name) for c in counts}
        for name in ("exact", "ivf", "hnsw", "pq, 32 bytes")
    }
)
plan

# %%
last = plan.iloc[-1]
show_bars(
    last.to_dict(),
    unit="machines of 64 GB and 16 cores, for a billion pictures and 100 queries a second",
    title=f"A billion pictures: from {last.min()} machines to {last.max()}",
)

# %%
check("A million fits on one machine, and its twin, whatever we take", (plan.iloc[0] == 2).all())
check("At a billion in memory, codes need the fewest machines", last.idxmin().startswith("pq"))
check("At a billion, exact search needs the most", last.idxmax() == "exact")
best = [
    max(r["recall"] for r in rows if r["structure"].startswith("pq")) for rows in taken.values()
]
print("the best recall of codes by size:", ", ".join(f"{recall:.3f}" for recall in best))
check("The codes' best recall falls with every tenfold", best == sorted(best, reverse=True))

# %% [markdown]
# And before there is an index, there are embeddings to make, once:

# %%
rate = measured("bulk")["images_a_second"]["at_once"]
print(
    f"{rate:.0f} pictures of 64×64 a second by our small network on two cores: a billion take "
    f"{1e9 / rate / 86400 / 8:,.0f} days on 16 cores; photos must be decoded on top"
)

# %% [markdown]
# `python -m utils.bulk PHOTOS --out VECTORS` embeds a folder shard by shard, goes on where it was killed, and with `--ray` shares the shards among all cores, or a cluster. `ExactIndex.load("VECTORS/index.npz")` searches what it made.
#
# ## Exercises
# ### Exercise 07.1 · Four shards, one answer
# Each shard answers a query with its own `k` nearest. Write `merge(answers, k)`: `answers` is a list of pairs (ids, distances), one a shard, each with arrays of any length, nearest first. Return the `k` nearest of all, ids and distances, nearest first; fewer if there are not so many. A picture may lie on two shards (a replica): it must be
# answered once.


# %% tags=["solution"] id="ex-07-1"
def merge(answers, k):
    ids = np.concatenate([ids for ids, _ in answers])
    distances = np.concatenate([distances for _, distances in answers])
    order = np.argsort(distances, kind="stable")
    _, first = np.unique(ids[order], return_index=True)
    best = order[np.sort(first)][:k]
    return ids[best], distances[best]


# %% tags=["grader"] id="grade-07-1"
from utils.course import exercise

exercise("07.1", merge)

# %% [markdown]
# ### Exercise 07.2 · As little as will do
# Write `smallest(search, truth, values, least)`: `search(value)` returns an array of found ids, Q×k, for one value of a knob; `truth` are the true ones, Q×k; `values` are in rising order. Return the smallest value whose recall is at least `least`, or `None`. A larger value takes longer: never ask for a larger one than you need.


# %% tags=["solution"] id="ex-07-2"
def smallest(search, truth, values, least):
    for value in values:
        found = search(value)
        recall = np.mean([np.isin(t, f).mean() for f, t in zip(found, truth, strict=True)])
        if recall >= least:
            return value
    return None


# %% tags=["grader"] id="grade-07-2"
exercise("07.2", smallest)

# %% [markdown]
# ### Exercise 07.3 · Write the codes
# Write `encode(vectors, books)`: `vectors` are N×D, `books` are m×W×(D/m) with W ≤ 256 words in each of m books. Return the codes, `uint8` N×m: for each part of each vector the number of its nearest word (Euclidean).


# %% tags=["solution"] id="ex-07-3"
def encode(vectors, books):
    m, _, width = books.shape
    parts = vectors.reshape(len(vectors), m, width)
    near = [nearest(parts[:, p], books[p], 1, "euclidean")[0][:, 0] for p in range(m)]
    return np.stack(near, axis=1).astype(np.uint8)


# %% tags=["grader"] id="grade-07-3"
exercise("07.3", encode)

# %% [markdown]
# ## Quiz
# <details><summary>1. Why does a k-d tree help on a map of restaurants, and often not among embeddings?</summary>
#
# On a plane most boxes are farther than the tenth neighbour found so far, and are left out. In many dimensions all points are nearly equally far, so hardly any box can be left out, and the walk through the tree comes on top.
# </details>
#
# <details><summary>2. recall@10 of an index is .95. Are five of a hundred answers wrong?</summary>
#
# One of twenty true neighbours is missing; in its place stands one that is farther, often by little. Whether users see the difference is another question: ask with labels.
# </details>
#
# <details><summary>3. Why does a graph not simply delete a point?</summary>
#
# Other points are reached through it. Without it a part of the graph may be cut off. It is marked, walked over and not answered, until the graph is built anew.
# </details>
#
# <details><summary>4. Which structure for 20,000 photos on a laptop?</summary>
#
# The exact one: a query takes it {{results:index.synthetic.10000.0.milliseconds:.1f}} ms among 10,000 vectors and {{results:index.synthetic.100000.0.milliseconds:.1f}} among 100,000, it is never wrong, and adding is an append.
# </details>
#
# <details><summary>5. You split a gallery into ten shards on ten machines. Does a query get ten times cheaper?</summary>
#
# For exact search it gets ten times *faster*, but all ten machines work: the same cost. For a graph, whose time grows far more slowly than the gallery, ten shards together cost five times as much or more.
# </details>
#
# ## In one paragraph
# Exact search compares with everything: never wrong, and linear. Trees save comparisons on a plane and among our photos, and none where many dimensions are free. Lists look into the nearest cells, graphs walk along links, codes shrink a vector to a few bytes (a byte a number, the first step, costs next to nothing); each has a knob that trades recall for time, and only a measured frontier tells which to take. Growing is easy until what comes is different, shrinking costs,
# copies are found by pairs within a threshold that validation copies choose, and a database does all of it behind the same five methods. At a billion pictures exact search is too slow, and if all must lie in memory, codes win, and their recall must be measured there.
#
# ## Go further
# - Jégou, Douze & Schmid, *Product quantization for nearest neighbor search* (2011).
# - Kusupati et al., *Matryoshka Representation Learning* (2022): a network trained so that its first numbers are enough.
# - Indyk & Motwani, *Approximate nearest neighbors: towards removing the curse of dimensionality* (1998): hashing so that near ones meet (LSH), where the theory of approximate search began.
# - Subramanya et al., *DiskANN* (2019): a billion pictures on one machine and its disk.
# - Malkov & Yashunin, *Efficient and robust approximate nearest neighbor search using hierarchical navigable small world graphs* (2016).
# - Douze et al., *The Faiss library* (2024); Aumüller et al., *ANN-Benchmarks* (2017): recall against speed.
# - Facco et al., *Estimating the intrinsic dimension of datasets by a minimal neighborhood information* (2017).
# - Barz & Denzler, *Do we train on test data? Purging CIFAR of near-duplicates* (2020).
