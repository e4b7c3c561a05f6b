# %% [markdown]
# # 07 · What about a million pictures?
# Comparing a query with every picture is never wrong, and twice as many pictures take twice as long. We look for ways to compare with fewer, measure what each of them misses, and count what a billion pictures would cost.
#
# **After this lesson you can**
# - say why a tree finds neighbours on a plane and not among embeddings;
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
import numpy as np

from utils.embed import load_embeddings
from utils.index import ExactIndex

photos, labelled = load_embeddings("cifar10-test")
photos /= np.linalg.norm(photos, axis=1, keepdims=True)
index = ExactIndex("cosine")
index.add([f"photo-{i}" for i in range(len(photos))], photos)
ids, distances = index.search(photos[:1], k=6)
kinds = [labelled.label_of(int(id.split("-")[1])) for id in ids[0]]
print(list(zip(kinds, distances[0].round(3), strict=True)))

# %% [markdown]
# *How long will it take with two, four, eight times as many?*

# %%
import time

from utils.plots import show_curve


def milliseconds(step, times=20):
    """The median of some runs, which forgets the odd slow one."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        step()
        taken.append(time.perf_counter() - started)
    return 1000 * float(np.median(taken))


rng = np.random.default_rng(0)
sizes, spent = [10_000, 20_000, 40_000, 80_000, 160_000], []
for n in sizes:
    larger = ExactIndex("euclidean")
    larger.add([str(i) for i in range(n)], rng.normal(size=(n, 64)).astype(np.float32))
    spent.append(milliseconds(lambda: larger.search(photos[:1], k=10)))
show_curve(
    sizes,
    spent,
    xlabel="pictures in the gallery",
    ylabel="milliseconds a query",
    log="xy",
    title=f"Sixteen times the pictures, {spent[-1] / spent[0]:.0f} times the time",
)

# %%
check("The time grows with the gallery", spent[-1] > 4 * spent[0])

# %% [markdown]
# A machine reads 64 numbers of four bytes for each picture, and little else. For a million that is a quarter of a gigabyte a query. It is fast for what it does: {{results:index.exact_million.over_bare:.2f}} × the time of the bare product. To be faster we must *look at fewer pictures*.
#
# ## 2 · A tree
# The textbook answer is a **k-d tree** (Bentley 1975): cut the space in two at the median of one coordinate, each half at the median of another, until a few points are left in each box. A query goes down to its box, and comes back up only to boxes that could hold something
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
# second neighbour is hardly farther than the first, there are many dimensions (**TwoNN**, Facco et al. 2017).

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


scenes = embed(load_model("cnn"), load_images("scenes"))
sheet = rng.random((3000, 2)) @ rng.normal(size=(2, 64))
sets = {"a sheet in 64 dimensions": sheet, "photos": photos, "scenes": scenes}
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

trees = pd.DataFrame(rows).T
trees.style.format({"numbers": "{:.0f}", "intrinsic dimension": "{:.1f}", "compared by the tree": "{:.1%}"})

# %%
share = trees["compared by the tree"]
check("A sheet stays a sheet in 64 dimensions: the tree looks at few", share.iloc[0] < 0.1)
check("Embeddings have far fewer dimensions than numbers", (trees["intrinsic dimension"][1:] < 30).all())
check("Among scenes of unseen things a tree has to look at nearly all", share["scenes"] > 0.9)

# %% [markdown]
# Photos are a kinder case: the network was taught their ten classes, and a class is an island. Even there, walking a tree costs more a point than a long row of products, and it loses:

# %%
tree = KDTree(photos, leaf_size=40)
by_tree = milliseconds(lambda: tree.query(photos[:1], 10))
by_product = milliseconds(lambda: index.search(photos[:1], k=10))
print(f"one query among 10,000 photos: tree {by_tree:.2f} ms, product {by_product:.2f} ms")

# %% [markdown]
# ## 3 · Lists
# So nothing exact helps. We give up being right always, and count how often: **recall@10** is now the share of the true ten nearest that are found. First idea, the **inverted file** (IVF; Sivic & Zisserman 2003): K-Means with a hundred centres, and a list for each with its photos. A query looks only into the
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
    found.append(np.mean([np.isin(a, t).sum() / 10 for (a, _), t in zip(answers, truth, strict=True)]))
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
check("A tenth of the photos holds nine tenths of the neighbours", np.interp(0.1, looked, found) > 0.9)

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
