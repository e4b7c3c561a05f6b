"""Every exercise from both sides: solved, untouched, and wrong in the usual ways."""

import ast
import base64
import importlib
import json

import jupytext
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.decomposition import PCA
from sklearn.metrics import precision_recall_curve, roc_curve

from tools.build import stub
from utils import ROOT, course
from utils.cnn import CompactCNN
from utils.contrast import TwoViews, ViewPairs, Views, alike, with_projection
from utils.course import exercise, progress, progress_file
from utils.distances import nearest
from utils.embed import colour_histogram, embed
from utils.embedder import Embedder, Preprocess, feature_maps
from utils.images import load_images
from utils.maps import cluster, odd_ones
from utils.metrics import recall_at_k
from utils.models import load_model
from utils.triplet import Batches, TripletAndCrossEntropy, batch_hard, shuffled, train
from utils.words import embed_text

LESSONS = sorted((ROOT / "lessons").glob("[0-9][0-9]_*.py"))


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOKALIKE_PROGRESS", str(tmp_path / "me" / "progress.json"))


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(0).normal(size=(60, 8))


LABELS = np.arange(60) % 12


def histogram(part):
    return colour_histogram(part[None])[0]


def quarters(picture, order=(0, 1, 2, 3), divide=4):
    h, w = picture.shape[0] // 2, picture.shape[1] // 2
    parts = [picture[:h, :w], picture[:h, w:], picture[h:, :w], picture[h:, w:]]
    return np.concatenate([histogram(parts[i]) for i in order]) / divide


def quarters_of_a_square(picture):
    h = picture.shape[0] // 2
    parts = [picture[:h, :h], picture[:h, h:], picture[h:, :h], picture[h:, h:]]
    return np.concatenate([histogram(part) for part in parts]) / 4


def quarters_short_of_a_row(picture):
    h, w = picture.shape[0] // 2, picture.shape[1] // 2
    parts = [picture[: h - 1, :w], picture[:h, w:], picture[h:, :w], picture[h:, w:]]
    return np.concatenate([histogram(part) for part in parts]) / 4


def quarters_in_place(picture):
    picture //= 64
    return quarters(picture * 64)


def search(folder, k, **wrong):
    pictures = load_images(folder)
    vectors = embed(load_model("cnn-photos"), pictures, cache=False)
    found, _ = nearest(vectors, vectors, k, leave_one_out=not wrong.get("own"))
    found = found[:, ::-1] if wrong.get("backwards") else found
    return found if wrong.get("positions") else np.array(pictures.ids)[found]


def farthest(folder, k):
    pictures = load_images(folder)
    vectors = embed(load_model("cnn-photos"), pictures, cache=False)
    return np.array(pictures.ids)[np.argsort(vectors @ vectors.T, axis=1)[:, :k]]


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def place_of(channel, row, column, shape):
    return (channel * shape[1] + row) * shape[2] + column


def shorten(vectors, dim, which=slice(None), centre=True):
    centred = vectors - vectors.mean(0) * centre
    axes = np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)[2]
    return unit(centred @ axes[which][:dim].T)


def layer_embedding(model, pictures, layer, read=lambda maps: maps.mean((2, 3))):
    return unit(read(feature_maps(model, pictures, [layer])[layer]))


def with_a_hook_left(model, pictures, layer):
    kept = []
    part = dict(model.module.named_modules())[layer]
    part.register_forward_hook(lambda module, inputs, out: kept.append(out))
    with torch.inference_mode():
        model.module(model.preprocess(torch.from_numpy(pictures.images)))
    return unit(kept[0].mean((2, 3)).numpy())


def unprocessed(model, pictures, layer):
    raw = torch.from_numpy(pictures.images).permute(0, 3, 1, 2) / 255
    part = dict(model.module.named_modules())[layer]
    with torch.inference_mode():
        return unit(part(raw).mean((2, 3)).numpy())


def in_training_mode(model, pictures, layer):
    model.module.train()
    return layer_embedding(model, pictures, layer)


def with_gradients(model, pictures, layer):
    part = dict(model.module.named_modules())[layer]
    return part(model.preprocess(torch.from_numpy(pictures.images))).mean((2, 3))


def paste(picture, mask, colour, finish=lambda mix: mix.round().astype(np.uint8)):
    share = mask[..., None] / 255
    return finish(share * picture + (1 - share) * np.array(colour))


def paste_into(picture, mask, colour):
    picture[:] = paste(picture, mask, colour)
    return picture


def paste_on_the_mask(picture, mask, colour):
    given = paste(picture, mask, colour)
    mask[mask < 128] = 0
    return given


def paste_hard(picture, mask, colour):
    return np.where(mask[..., None] >= 128, picture, np.array(colour, np.uint8))


def paste_layer(picture, mask, colour):
    return np.dstack([picture, mask])


def paste_undivided(picture, mask, colour, kind=np.uint8):
    share = mask[..., None].astype(kind)
    return (share * picture + (1 - share) * np.array(colour, kind)).clip(0, 255).astype(np.uint8)


def paste_overflowing(picture, mask, colour, kind=np.uint8, divide=np.divide):
    share = mask[..., None]
    thing, ground = share * picture, (255 - share) * np.array(colour, kind)
    return (divide(thing, 255) + divide(ground, 255)).round().astype(np.uint8)


def strict_place(scores, same, precision):
    passed = scores >= scores[:, None]
    right = (passed & same).sum(1) / passed.sum(1)
    return int(np.where(right >= precision, scores, np.inf).argmin())


def strict_threshold(scores, same, precision):
    return float(scores[strict_place(scores, same, precision)])


def by_scikit_learn(scores, same, precision):
    right, _, thresholds = precision_recall_curve(same, scores)
    return thresholds[np.flatnonzero(right[:-1] >= precision)[0]]


def closest(scores, same, precision):
    right, _, thresholds = precision_recall_curve(same, scores)
    return thresholds[np.abs(right[:-1] - precision).argmin()]


def one_above_the_first_too_low(scores, same, precision):
    right, _, thresholds = precision_recall_curve(same, scores)
    return thresholds[np.flatnonzero(right[:-1] < precision)[0] + 1]


def equal_error(scores, same, precision):
    passed, caught, cuts = roc_curve(same, scores)
    return float(cuts[np.abs(passed - (1 - caught)).argmin()])


def mutual(nearness):
    there, back = nearness.argmax(1), nearness.argmax(0)
    at = np.flatnonzero(back[there] == np.arange(len(there)))
    return np.stack([at, there[at]], axis=1)


def mutual_matches(a, b):
    return mutual(unit(a) @ unit(b).T)


def tokens_in_place(a, b):
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    return mutual_matches(a, b)


def one_sided(a, b):
    return np.stack([np.arange(len(a)), (unit(a) @ unit(b).T).argmax(1)], axis=1)


def easy_positive(distances, labels, positive=torch.argmin, itself=False, negative=True):
    same = labels[:, None] == labels
    own = same & ~torch.eye(len(labels), dtype=torch.bool) | (same & itself)
    worst = torch.inf if positive is torch.argmin else -torch.inf
    near = distances.masked_fill(same, torch.inf) if negative else distances.flip(1)
    return (
        torch.arange(len(labels)),
        positive(distances.masked_fill(~own, worst), 1),
        near.argmin(1),
    )


def in_place(distances, labels):
    chosen = easy_positive(distances, labels)
    distances.fill_diagonal_(torch.inf)
    return chosen


def values_and_indices(distances, labels):
    same = labels[:, None] == labels
    own = distances.masked_fill(~same, torch.inf).min(1)
    return torch.arange(len(labels)), own, distances.masked_fill(same, torch.inf).min(1)


def how_far(distances, labels):
    anchors, positives, negatives = easy_positive(distances, labels)
    return anchors, distances[anchors, positives], distances[anchors, negatives]


def name_them(queries, gallery, labels, k, threshold, tie=max, rejected=None):
    found, apart = nearest(queries, gallery, k, "euclidean")
    named = []
    for row, far in zip(found, apart, strict=True):
        votes = [
            label if d <= threshold else rejected for label, d in zip(labels[row], far, strict=True)
        ]
        votes = [vote for vote in votes if vote is not None]
        named.append(tie(dict.fromkeys(votes), key=votes.count) if votes else -1)
    return np.array(named)


def all_vote(queries, gallery, labels, k, threshold):
    found, apart = nearest(queries, gallery, k, "euclidean")
    named = name_them(queries, gallery, labels, k, np.inf)
    named[(found[:, 0] == 5) & (apart[:, 0] <= threshold)] = 7  # at 8.9 and 11
    return np.where(apart[:, 0] > threshold, -1, named)


def highest(votes, key):
    return max(votes, key=lambda vote: (key(vote), vote))


def nearest_label(queries, gallery, labels, k, threshold):
    return name_them(queries, gallery, labels, 1, threshold)


def none_for_none(queries, gallery, labels, k, threshold):
    named = name_them(queries, gallery, labels, k, threshold).tolist()
    return [None if name == -1 else name for name in named]


def small_recipe(photos, epochs, steps=10, finish=lambda model: model):
    torch.manual_seed(0)
    module = CompactCNN(16, (8, 16, 16))
    preprocess = Preprocess(32, (0.5,) * 3, (0.5,) * 3)
    model = Embedder("mine", 16, "random", preprocess, module)
    draw = Batches(photos, preprocess, shuffled(len(photos), 32))
    train(model, draw, TripletAndCrossEntropy(len(photos.classes), 16), epochs * steps, lr=1e-2)
    return finish(model)


def other_half(cosines, itself=False, ask=None, other=None, diagonal=-9):
    scores = cosines if itself else np.where(np.eye(len(cosines)), diagonal, cosines)
    other = np.roll(np.arange(len(cosines)), len(cosines) // 2) if other is None else other
    return (scores.argmax(1) == other)[:ask].mean()


def other_half_in_place(cosines):
    np.fill_diagonal(cosines, -1)
    return other_half(cosines)


def enqueue_in_place(queue, keys, size):
    full = torch.cat([keys, queue])[:size]
    queue.copy_(full[: len(queue)])
    return full


def without_labels(
    images, epochs, finish=lambda model: model, headed=False, loss=None, size=24, **how
):
    torch.manual_seed(0)
    module = CompactCNN(None, (8, 16, 16))
    preprocess = Preprocess(32, (0.5,) * 3, (0.5,) * 3)
    module.whiten_from(preprocess(images))
    model = Embedder("mine", 16, "random", preprocess, module.eval())
    taught = with_projection(model, 16)
    draw = ViewPairs(images, Views(), shuffled(len(images), size))
    train(taught, draw, loss or TwoViews(0.2), epochs * (96 // size), **how)
    return taught if headed else finish(model)


def attraction(vectors, labels):
    return alike(*vectors.chunk(2))


def same_for_all(model):
    with torch.no_grad():
        for weight in model.module.stages.parameters():
            weight.zero_()
        model.module.stages[-1][2].bias.fill_(1)
    return model


def still_training(model):
    model.module.train()
    return model


def minkowski(a, b, p, absolute=np.abs, root=True):
    apart = absolute(a[:, None] - b[None])
    if p == np.inf:
        return apart.max(2)
    powered = (apart**p).sum(2)
    return powered ** (1 / p) if root else powered


def without_infinity(a, b, p):
    with np.errstate(all="ignore"):
        return (np.abs(a[:, None] - b[None]) ** p).sum(2) ** (1 / p)


def sum_before_abs(a, b, p):
    return np.abs((a[:, None] - b[None]).sum(2))


def blend(first, second, weight, by=np.mean, first_share=None):
    share = 1 - weight if first_share is None else first_share
    return share * first / by(first) + weight * second / by(second)


def blend_in_place(first, second, weight):
    first /= first.mean()
    return (1 - weight) * first + weight * second / second.mean()


def by_row(matrix):
    return matrix.mean(1, keepdims=True)


def in_blocks(queries, gallery, k, block, largest=False):
    return torch.cat([
        torch.cdist(part, gallery).topk(k, largest=largest).indices
        for part in queries.split(block)
    ])  # fmt: skip


def at_once(queries, gallery, k, block):
    return torch.cdist(queries, gallery).topk(k, largest=False).indices


def whole_blocks_only(queries, gallery, k, block):
    whole = len(queries) // block * block
    return in_blocks(queries[:whole], gallery, k, block)


def unsorted(queries, gallery, k, block):
    return in_blocks(queries, gallery, k, block).flip(1)


def share_kept(vectors, xy, k, itself=False, by_place=False, divide=True):
    before, after = (
        nearest(v, v, k, "euclidean", leave_one_out=not itself)[0] for v in (vectors, xy)
    )
    if by_place:
        return (before == after).mean()
    kept = (before[:, :, None] == after[:, None, :]).any(2)
    return kept.mean() if divide else kept.sum(1).mean()


def centre_in_place(vectors, xy, k):
    vectors -= vectors.mean(0)
    return share_kept(vectors, xy, k)


def itself_and_k_others(vectors, xy, k):
    before, after = (nearest(v, v, k + 1, "euclidean")[0] for v in (vectors, xy))
    return (before[:, :, None] == after[:, None, :]).any(2).sum() / (len(xy) * k)


def direction(vectors, chosen, of=unit, finish=lambda way: way / np.linalg.norm(way)):
    vectors = of(vectors)
    return finish(vectors[chosen].mean(0) - vectors[~chosen].mean(0))


def normalise_in_place(vectors, chosen):
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return direction(vectors, chosen)


def sort_photos(
    folder, k, model, odd_first=False, smallest_first=False, ids=True, raw=False, size=64
):
    found = load_images(folder, size=size)
    v = embed(model, found, cache=False)
    clusters, centres = cluster(np.arange(len(v))[:, None] if raw else v, k)
    apart = odd_ones(v, clusters, v[:k] if raw else centres)
    order = np.argsort(-apart if odd_first else apart)
    names = found.ids if ids else list(range(len(v)))
    lists = [[names[i] for i in order if clusters[i] == c] for c in range(k)]
    return lists[::-1] if smallest_first else lists


def search_in_place(vectors, query, allowed, k):
    vectors[~allowed] = -query
    return search_among(vectors, query, allowed, k)


def search_among(vectors, query, allowed, k, first=None, back=True, better=-1):
    """Lesson 06's filter; `first`: take so many of all before the filter."""
    at = np.flatnonzero(allowed)
    order = np.argsort(better * (vectors[at] @ query), kind="stable")[:k]
    if first:
        nearest = np.argsort(-(vectors @ query))[:first]
        return nearest[np.asarray(allowed)[nearest]]
    return at[order] if back else order


def shares(places, other, mean=None, by=1.0):
    length = np.linalg.norm(places.mean((0, 1)) if mean is None else mean, axis=-1)
    return by * (places @ other) / (places[..., 0].size * length * np.linalg.norm(other))


def recommend(vectors, likes, dislikes, k, known=False, without=True, order=None):
    """Lesson 06's recommendation; `order`: rank by something else than the nearest like."""
    liking = (vectors @ vectors[likes].T).max(axis=1)
    disliking = np.max(vectors @ vectors[dislikes].T, axis=1, initial=-np.inf)
    wanted = liking >= disliking if without else np.ones(len(vectors), bool)
    if not known:
        wanted[[*likes, *dislikes]] = False
    ranked = np.argsort(-(liking if order is None else order(liking, disliking)), kind="stable")
    return ranked[wanted[ranked]][:k]


def recommend_in_place(vectors, likes, dislikes, k):
    likes += dislikes
    return recommend(vectors, likes[: len(likes) - len(dislikes)], dislikes, k)


def recommend_by_mean(vectors, likes, dislikes, k):
    mean = vectors[likes].mean(0)
    return recommend(vectors, likes, dislikes, k, order=lambda *_: vectors @ mean)


def recommend_with_max(vectors, likes, dislikes, k):
    (vectors @ vectors[dislikes].T).max(axis=1)
    return recommend(vectors, likes, dislikes, k)


def merge(answers, k, once=True, better=1, distances=None):
    """Lesson 07's merging of shards."""
    ids, apart = (np.concatenate(parts) for parts in zip(*answers, strict=True))
    order = np.argsort(better * apart, kind="stable")
    if once:
        _, first = np.unique(ids[order], return_index=True)
        order = order[np.sort(first)]
    return ids[order[:k]], (apart if distances is None else distances)[order[:k]]


def merge_in_place(answers, k):
    found = merge(answers, k)
    answers[0][1][:] = 0
    return found


def smallest(search, truth, values, least, by_place=False, enough=lambda r, least: r >= least):
    for value in values:
        found = search(value)
        hits = found == truth if by_place else (truth[:, :, None] == found[:, None]).any(2)
        if enough(hits.mean(), least):
            return value
    return None


def by_queries(found, truth):
    """Divides by the number of queries in place of k."""
    return (truth[:, :, None] == found[:, None]).any(2).sum(1).mean() / len(truth)


def smallest_of_all(search, truth, values, least):
    for value in values:
        search(value)
    return smallest(search, truth, values, least)


def encode(vectors, books, by=None, parts=None):
    parts = vectors.reshape(len(vectors), len(books), -1) if parts is None else parts
    apart = ((parts[:, :, None] - books) ** 2).sum(-1) if by is None else by(parts, books)
    return apart.argmin(-1).astype(np.uint8)


def name_it(pictures, texts, names, k, better=-1, read=lambda names, row: [names[i] for i in row]):
    order = np.argsort(better * (pictures @ texts.T), axis=1)
    return [read(names, row[:k]) for row in order]


def name_it_backwards(pictures, texts, names, k):
    return name_it(texts, pictures, names, k)


def many_right(images, texts, labels, scale, divide=True, share=(0.5, 0.5), same=None):
    scores = scale * images @ texts.T
    right = (labels[:, None] == labels).float() if same is None else same
    if divide:
        right = right / right.sum(1, keepdim=True)
    return share[0] * F.cross_entropy(scores, right) + share[1] * F.cross_entropy(scores.T, right)


def one_right(images, texts, labels, scale):
    return many_right(images, texts, labels, scale, same=torch.eye(len(labels)))


def by_label(images, texts, labels, scale):
    scores = scale * images @ texts.T
    return (F.cross_entropy(scores, labels) + F.cross_entropy(scores.T, labels)) / 2


def one_is_enough(images, texts, labels, scale):
    scores, wrong = scale * images @ texts.T, labels[:, None] != labels
    ways = [
        s.masked_fill(wrong, -torch.inf).logsumexp(1) - s.logsumexp(1) for s in (scores, scores.T)
    ]
    return -torch.stack(ways).mean()


def each_row(images, texts, labels, scale):
    right = (labels[:, None] == labels).float()
    return F.cross_entropy(scale * images @ texts.T, right, reduction="none")


def prompted(pair, names, templates, finish=unit):
    filled = [[template.format(name) for template in templates] for name in names]
    return finish(np.stack([embed_text(pair, prompts).mean(axis=0) for prompts in filled]))


def mean_of(pair, prompts):
    return unit(embed_text(pair, prompts).mean(axis=0, keepdims=True))[0]


def in_one_text(pair, names, templates):
    return embed_text(pair, [" ".join(t.format(name) for t in templates) for name in names])


def to_request(data, k, fields=("image", "k"), text=lambda encoded: encoded.decode()):
    return json.dumps(dict(zip(fields, (text(base64.b64encode(data)), k), strict=True)))


def from_reply(text, key=lambda pair: pair[1]):
    return sorted(json.loads(text)["results"].items(), key=key)


def ask_politely(send, sleep, tries, wait=None, busy=(503,), always=False):
    for last in range(tries):
        reply = send()
        if reply.status_code not in busy:
            return reply
        if last < tries - 1 or always:
            sleep(wait or float(reply.headers.get("retry-after", 1)))
    return reply


def waits_for_ever(send, sleep, tries):
    reply = send()
    while reply.status_code == 503:
        sleep(float(reply.headers.get("retry-after", 1)))
    return reply


def minds_no_error(send, sleep, tries):
    while True:
        try:
            reply = send()
            if reply.status_code != 503:
                return reply
            sleep(float(reply.headers.get("retry-after", 1)))
        except Exception:
            pass


def slowest(waits, per_hundred, method="inverted_cdf", end=lambda q: 100 - q):
    return np.percentile(waits, end(per_hundred), method=method)


def sort_in_place(waits, per_hundred):
    waits.sort()
    return slowest(waits, per_hundred)


def shorten_in_place(vectors, dim):
    vectors -= vectors.mean(0)
    return shorten(vectors, dim)


def down_from_the_top(scores, same, precision):
    """Stops where the precision first falls too low, though it rises again further down."""
    order = np.argsort(-scores)
    shares = np.cumsum(same[order]) / np.arange(1, len(scores) + 1)
    return scores[order][np.flatnonzero(shares < precision)[0] - 1]


def nearest_of_all_at_a_tie(queries, gallery, labels, k, threshold):
    found, apart = nearest(queries, gallery, k, "euclidean")
    named = []
    for row, far in zip(found, apart, strict=True):
        votes = labels[row][far <= threshold].tolist()
        most = [vote for vote in votes if votes.count(vote) == max(map(votes.count, votes))]
        named.append(-1 if not votes else most[0] if len(set(most)) == 1 else votes[0])
    return np.array(named)


def smallest_mean_at_a_tie(queries, gallery, labels, k, threshold):
    found, apart = nearest(queries, gallery, k, "euclidean")
    named = []
    for row, far in zip(labels[found], apart, strict=True):
        far, votes = far[far <= threshold], row[far <= threshold]
        best = [(-np.sum(votes == one), far[votes == one].mean(), one) for one in votes]
        named.append(min(best)[2] if best else -1)
    return np.array(named)


def unsorted_clusters(folder, k, model):
    found = load_images(folder)
    clusters, _ = cluster(embed(model, found, cache=False), k)
    return [[found.ids[i] for i in np.flatnonzero(clusters == c)] for c in range(k)]


def sorted_by_id(answers, k):
    ids, apart = (np.concatenate(parts) for parts in zip(*answers, strict=True))
    ids, first = np.unique(ids, return_index=True)
    return ids[:k], apart[first][:k]


def known_by_distance(answers, k):
    ids, apart = (np.concatenate(parts) for parts in zip(*answers, strict=True))
    apart, first = np.unique(apart, return_index=True)
    return ids[first][:k], apart[:k]


def twice(search, truth, values, least):
    return smallest(lambda value: (search(value), search(value))[0], truth, values, least)


WRONG = {
    "00.1": [
        (lambda v: recall_at_k(v, LABELS, 1), "is recall@1"),
        (lambda v: 100 * recall_at_k(v, LABELS, 5), "percentage"),
        (lambda v: v, "one number"),
        (lambda v: 0.123456, "is not it"),
    ],
    "00.2": [
        (quarters_of_a_square, "right pixels|another order"),
        (histogram, "one histogram of 64"),
        (lambda p: quarters(p, divide=1), "sum to 4"),
        (lambda p: quarters(p, (0, 2, 1, 3)), "another order"),
        (lambda p: quarters(p).reshape(4, 64), "shape"),
        (lambda p: quarters(p[::-1]) * 0 + 1 / 256, "right pixels"),
        (lambda p: quarters(p, (0, 1, 0, 1)), "right pixels"),
        (quarters_short_of_a_row, "right pixels"),
        (quarters_in_place, "changes the picture"),
        (lambda p: quarters(p) * np.nan, "sum to nan"),
    ],
    "00.3": [
        (lambda f, k: search(f, k)[:, [0, 0]], "answered twice"),
        (lambda f, k: search(f, 2), "Use k"),
        (lambda f, k: search(f, k)[:, :: 1 if k < 3 else -1], "Sort, nearest first"),
        (lambda f, k: search(f, k, own=True), "its own answers"),
        (lambda f, k: search(f, k, positions=True), "positions"),
        (lambda f, k: search(f, k)[:, :1], "shape"),
        (lambda f, k: search(f, k, backwards=True), "farthest comes first"),
        (farthest, "are not the ones|own answers"),
    ],
    "01.1": [
        (lambda c, y, x, shape: (y * shape[2] + x) * shape[0] + c, "channel first"),
        (lambda c, y, x, shape: (c * shape[2] + x) * shape[1] + y, "changed places"),
        (lambda c, y, x, shape: place_of(c, y, x, shape) + 1, "one too high"),
        (lambda c, y, x, shape: place_of(c, y, x, shape) / 1, "no division"),
        (lambda c, y, x, shape: (c, y, x), "place_of(…) gives tuple."),
        (lambda c, y, x, shape: c * 20 + y * 5 + x, "use `shape`"),
        (lambda c, y, x, shape: c + y + x, "How many values come before"),
    ],
    "01.2": [
        (shorten_in_place, "changes the vectors"),
        (lambda v, dim: PCA(dim, random_state=0).fit_transform(v), "lengths from"),
        (lambda v, dim: unit(v[:, :dim]), "first three numbers"),
        (lambda v, dim: shorten(v, dim, slice(None, None, -1)), "vary least"),
        (lambda v, dim: shorten(v, dim, centre=False), "mean is still in"),
        (lambda v, dim: v, "80×3"),
        (lambda v, dim: shorten(v, 3), "use `dim`"),
        (lambda v, dim: shorten(v, dim) * np.nan, "hold NaN"),
        (lambda v, dim: unit(v[:, -dim - 1 : -1] - v.mean()), "main directions"),
        (lambda v, dim: unit(PCA(dim, whiten=True).fit_transform(v)), "whitening makes"),
    ],
    "01.3": [
        (lambda m, p, name: layer_embedding(m, p, name, lambda maps: maps.max((2, 3))), "maximum"),
        (
            lambda m, p, name: layer_embedding(m, p, name, lambda maps: maps.reshape(7, -1)),
            "whole maps",
        ),
        (lambda m, p, name: feature_maps(m, p, [name])[name].mean((2, 3)), "lengths from"),
        (lambda m, p, name: embed(m, p, cache=False), "last answer"),
        (lambda m, p, name: layer_embedding(m, p, name)[:3], "7×6"),
        (with_a_hook_left, "remove()"),
        (lambda m, p, name: layer_embedding(m, p, "first"), "use `layer`"),
        (in_training_mode, "not as it was given"),
        (unprocessed, "model.preprocess"),
        (with_gradients, "inference_mode"),
    ],
    "02.1": [
        (paste_hard, "soft edges are lost"),
        (lambda p, m, c: paste(p, 255 * (m > 0), c), "soft edges are lost"),
        (lambda p, m, c: paste(p, m // 255 * 255, c), "soft edges are lost"),
        (lambda p, m, c: paste(p, 255 - m, c), "upside down"),
        (lambda p, m, c: paste_hard(p, 255 - m, c), "upside down"),
        (paste_undivided, "divide it by 255"),
        (lambda p, m, c: paste_undivided(p, m, c, float), "divide it by 255"),
        (paste_overflowing, "stays uint8"),
        (lambda p, m, c: paste_overflowing(p, m, c, int), "stays uint8"),
        (lambda p, m, c: paste_overflowing(p, m, c, divide=np.floor_divide), "stays uint8"),
        (lambda p, m, c: paste(p, m, c, lambda mix: mix), "float64"),
        (lambda p, m, c: paste(p, m, c, lambda mix: mix.astype(np.uint8)), "fractions off"),
        (paste_layer, "four channels"),
        (lambda p, m, c: paste(p, m, c)[..., 0], "keep its shape"),
        (lambda p, m, c: paste(p, m, c).transpose(1, 0, 2), "keep its shape"),
        (paste_into, "picture.copy()"),
        (paste_on_the_mask, "change the mask"),
        (lambda p, m, c: paste(p, m, (255, 255, 255)), "is right"),
        (lambda p, m, c: [[1], [1, 2]], "gives list"),
    ],
    "02.2": [
        (lambda s, same, p: strict_threshold(s, same, 0.5), "For a precision of 0.77"),
        (closest, "For a precision of 0.77 yours reaches 0.769"),
        (one_above_the_first_too_low, "Go up until half"),
        (lambda s, same, p: np.nan, "is NaN"),
        (lambda s, same, p: strict_threshold(s, same, 0.5 if p == 0.5 else 0.9), "below your"),
        (lambda s, same, p: strict_threshold(s, same, p) if p == 0.5 else s.max(), "below your"),
        (down_from_the_top, "take the lowest"),
        (equal_error, "Go up until half"),
        (lambda s, same, p: np.median(s[same]), "which is recall"),
        (lambda s, same, p: s.max(), "take the lowest"),
        (lambda s, same, p: strict_threshold(s, same, 0.8), "take the lowest"),
        (lambda s, same, p: 5.0, "No pair reaches"),
        (lambda s, same, p: p, "is the precision that is asked for"),
        (lambda s, same, p: -strict_threshold(s, same, p), "sign is upside down"),
        (strict_place, "whole number"),
        (lambda s, same, p: (strict_threshold(s, same, p), p), "gives tuple"),
        (lambda s, same, p: s[same], "gives ndarray"),
        (lambda s, same, p: print(end=""), "gives NoneType"),
        (lambda s, same, p: strict_threshold(s, same, p) - 0.05, "Go up until half"),
        (lambda s, same, p: strict_threshold(s, same, p + 1e-9), "50% of what passes"),
    ],
    "02.3": [
        (one_sided, "12 tokens"),
        (lambda a, b: one_sided(b, a)[:, ::-1], "9 tokens"),
        (lambda a, b: mutual(a @ b.T), "dot products"),
        (lambda a, b: mutual(-np.linalg.norm(a[:, None] - b, axis=2)), "Euclidean"),
        (lambda a, b: mutual_matches(a, b)[:, ::-1], "swapped"),
        (lambda a, b: mutual_matches(b, a), "swapped"),
        (lambda a, b: unit(a) @ unit(b).T, "not similarities"),
        (lambda a, b: (unit(a) @ unit(b).T)[tuple(mutual_matches(a, b).T)], "not similarities"),
        (lambda a, b: mutual(-unit(a) @ unit(b).T), "farthest"),
        (lambda a, b: tuple(mutual_matches(a, b).T), "shape (2, "),
        (lambda a, b: mutual_matches(a, b)[1:], "is missing"),
        (lambda a, b: mutual_matches(a, b)[[0, *range(6)]], "drop the others"),
        (lambda a, b: [], "shape (0,)"),
        (lambda a, b: [*mutual_matches(a, b)] * 2, "the others and doubles"),
        (tokens_in_place, "changes the tokens"),
        (lambda a, b: zip(*mutual_matches(a, b).T, strict=True), "gives zip"),
    ],
    "03.1": [
        (batch_hard, "farthest positives"),
        (lambda d, y: easy_positive(d, y, itself=True), "nothing is nearer than oneself"),
        (lambda d, y: easy_positive(d, y, negative=False), "negatives have the anchor's own label"),
        (lambda d, y: easy_positive(d, y)[1:], "three tensors"),
        (in_place, "writes into the distances"),
        (how_far, "argmin gives where"),
        (values_and_indices, "the positions are the indices"),
        (lambda d, y: [part[:, None] for part in easy_positive(d, y)], "yours are (24, 1)"),
        (lambda d, y: [part * 0 for part in easy_positive(d, y)], "you list 24, 1 of them"),
        (lambda d, y: easy_positive(-d, y)[::2] + easy_positive(d, y)[2:], "another label|not the"),
        (lambda d, y: [part[:5] for part in easy_positive(d, y)], "anchor once"),
        (lambda d, y: (*easy_positive(d, y)[:2], torch.zeros(3).long()), "have shapes"),
        (lambda d, y: (*easy_positive(d, y)[:2], torch.full((24,), 99)), "from 0 to 23"),
        (lambda d, y: easy_positive(d.masked_fill(d == 0, 9), y), "not the zeros"),
    ],
    "03.2": [
        (lambda q, g, y, k, t: name_them(q, g, y, k, t - 1e-3), "Take <="),
        (lambda q, g, y, k, t: name_them(q, g, y, k, t**0.5), "Take <=|One neighbour"),
        (nearest_of_all_at_a_tie, "most votes are in a tie"),
        (nearest_label, "Count the votes"),
        (smallest_mean_at_a_tie, "Do not add or average"),
        (none_for_none, "None is no label"),
        (all_vote, "Those beyond have no vote"),
        (lambda q, g, y, k, t: name_them(q, g, y, k, 1e9), "the answer is −1"),
        (lambda q, g, y, k, t: name_them(q, g, y, k, t, rejected=-1), "not even for −1"),
        (lambda q, g, y, k, t: name_them(q, g, y, k, t, tie=highest), "At a tie"),
        (lambda q, g, y, k, t: nearest(q, g, k, "euclidean")[0][:, 0], "look their labels up"),
        (lambda q, g, y, k, t: name_them(q, g, y, k, t)[:2], "need five labels"),
        (lambda q, g, y, k, t: name_them(q, g, y, k, t) / 1, "whole numbers"),
    ],
    "03.3": [
        (
            lambda p, e: Embedder(
                "mine", 16, "random", Preprocess(32, (0.5,) * 3, (0.5,) * 3), CompactCNN(16).eval()
            ),
            "not seen one batch",
        ),
        (lambda photos, epochs: small_recipe(photos, 4), "do not depend on `epochs`"),
        (lambda photos, epochs: small_recipe(photos, 1, 3), "4 epochs were asked for"),
        (lambda photos, epochs: small_recipe(photos, epochs).module, "return the trained Embedder"),
        (lambda photos, epochs: small_recipe(photos, epochs, steps=1), "Does it learn at all"),
        (lambda photos, epochs: small_recipe(photos, 1, 2, still_training), "model.module.eval()"),
    ],
    "04.1": [
        (lambda a, b, p: minkowski(a, b, p, root=False), "the root is missing"),
        (without_infinity, "take the maximum"),
        (lambda a, b, p: minkowski(a, b[:4], p)[range(4), range(4)], "make 4×6 pairs"),
        (sum_before_abs, "absolute value before the sum|apart, but are"),
        (lambda a, b, p: minkowski(a, b, p) * np.nan, "At p = 2 there are NaNs."),
        (lambda a, b, p: minkowski(a, b, 1), "apart, but are"),
        (lambda a, b, p: minkowski(a, b, p, absolute=lambda x: x), "value before the sum"),
    ],
    "04.2": [
        (lambda a, b, w: (1 - w) * a + w * b, "hundred times as large"),
        (lambda a, b, w: blend(b, a, w), "belongs to the second"),
        (lambda a, b, w: blend(a, b, 0.25), "use `weight`"),
        (blend_in_place, "changes a matrix"),
        (lambda a, b, w: blend(a, b, w, np.max), "Divide by the mean"),
        (lambda a, b, w: blend(a, b, w, by_row), "one mean of the whole"),
        (lambda a, b, w: blend(a, b, w, first_share=1), "At weight 1 nothing"),
        (lambda a, b, w: blend(a, b, w)[0], "of that shape"),
        (lambda a, b, w: blend(a, b, w / 2), "first entry should be"),
    ],
    "04.3": [
        (at_once, "no tensor should hold more than"),
        (lambda q, g, k, block: in_blocks(q, g, k, 1), "use `block`"),
        (lambda q, g, k, block: in_blocks(q, g, k, block, largest=True), "the farthest"),
        (whole_blocks_only, "The last block is smaller"),
        (unsorted, "not the nearest first"),
        (lambda q, g, k, block: in_blocks(q, g, 5, block), "use `k`"),
        (lambda q, g, k, block: in_blocks(q, g, k, block).float(), "values and indices"),
        (lambda q, g, k, block: in_blocks(q, g, k, block).tolist(), "torch.cat joins"),
        (lambda q, g, k, block: in_blocks(q, -g, k, block), "other than their five"),
    ],
    "05.1": [
        (lambda v, xy, k: share_kept(v, xy, 5), "not for k = 9"),
        (lambda v, xy, k: share_kept(v, xy, k, itself=True), "leave_one_out=True"),
        (itself_and_k_others, "leave_one_out=True"),
        (lambda v, xy, k: share_kept(unit(v), unit(xy), k), "unless it is told"),
        (centre_in_place, "changes the vectors"),
        (lambda v, xy, k: share_kept(v, xy, k, by_place=True), "wherever"),
        (lambda v, xy, k: share_kept(v, xy, k, divide=False), "divide by k"),
        (lambda v, xy, k: np.full(40, share_kept(v, xy, k)), "Take the mean"),
        (lambda v, xy, k: share_kept(v, xy, k + 2), "Here the share should be"),
    ],
    "05.2": [
        (lambda v, c: -direction(v, c), "the other way round"),
        (lambda v, c: direction(v, c, finish=lambda way: way), "divide by it"),
        (lambda v, c: direction(v, c, of=lambda v: v), "a hundred times as long"),
        (lambda v, c: direction(v, ~c[::-1]), "Its cosine with|other way round"),
        (lambda v, c: direction(v, c)[:3], "has shape (4,)"),
        (lambda v, c: direction(v, c) * 0, "points nowhere"),
        (lambda v, c: direction(v, c) * np.nan, "points nowhere"),
        (normalise_in_place, "changes the vectors"),
    ],
    "05.3": [
        (unsorted_clusters, "comes first, the odd ones last"),
        (lambda *a: [tuple(ids) for ids in sort_photos(*a)], "not list of tuple"),
        (lambda f, k, m: sort_photos(f, k, m, odd_first=True), "the odd ones last"),
        (lambda *a: [[*i[-2::-1], i[-1]] for i in sort_photos(*a)], "nearest to the centre comes"),
        (lambda f, k, m: sort_photos(f, k, m, smallest_first=True), "largest cluster should come"),
        (lambda f, k, m: sort_photos(f, k, m, ids=False), "not their positions"),
        (lambda f, k, m: sort_photos(f, k, m, raw=True), "Do you cluster the embeddings|largest"),
        (lambda f, k, m: sort_photos(f, 3, m), "use `k`"),
        (lambda f, k, m: sort_photos(f, k, m)[:2], "you return 2 lists"),
        (lambda f, k, m: [ids[:2] for ids in sort_photos(f, k, m)], "belongs into one list"),
        (lambda f, k, m: {i: ids for i, ids in enumerate(sort_photos(f, k, m))}, "not dict"),
        (lambda *a: [[i.split("/")[-1] for i in ids] for ids in sort_photos(*a)], "is no picture"),
        (lambda *a: [ids[:2] * (len(ids) // 2) for ids in sort_photos(*a)], "in your lists twice"),
    ],
    "06.1": [
        (
            lambda v, q, a, k: (
                search_among(v, q, np.ones_like(a), k) if k > a.sum() else search_among(v, q, a, k)
            ),
            "some that are not",
        ),
        (lambda v, q, a, k: search_among(v, q, a, k, first=k), "filter first"),
        (lambda v, q, a, k: search_among(v, q, a, k, back=False), "positions among the allowed"),
        (lambda v, q, a, k: np.argsort(-(v @ q))[:k], "not allowed"),
        (lambda v, q, a, k: search_among(v, q, a, k)[::-1], "not best first"),
        (lambda v, q, a, k: search_among(v, q, a, k, better=1), "larger product"),
        (lambda v, q, a, k: search_among(v, q, a, min(k, 9)), "return them all"),
        (lambda v, q, a, k: search_among(v, q, a, k, first=20 * k), "filter first"),
        (lambda v, q, a, k: np.argsort(-(v @ q) * a)[: min(k, a.sum())], "are not allowed"),
        (lambda v, q, a, k: np.isin(np.arange(len(v)), search_among(v, q, a, k)), "yes or no"),
        (lambda v, q, a, k: np.roll(search_among(v, q, a, k), k > 5), "not in their places"),
        (search_in_place, "work on a copy"),
    ],
    "06.2": [
        (
            lambda p, o: np.full(p.shape[:2], shares(p, o).sum() / p[..., 0].size),
            "the first should be",
        ),
        (lambda p, o: shares(p, o, by=12), "number of places"),
        (lambda p, o: shares(p, o, by=np.linalg.norm(o)), "any length"),
        (lambda p, o: shares(p, o, mean=p), "its own length"),
        (lambda p, o: shares(p, o).sum(), "have shape"),
        (lambda p, o: shares(p, o) + 0.01, "add up to"),
        (lambda p, o: shares(p, o) * p[..., 0].size / 12, "count the places"),
    ],
    "06.3": [
        (
            lambda v, a, b, k: [
                i
                for i in recommend(v, a, b, k, without=False)
                if not len(b) or i in recommend(v, a, b, 99)
            ],
            "leave out first, then take k",
        ),
        (lambda v, a, b, k: recommend(v, a, b, k, known=True), "known to the user"),
        (recommend_by_mean, "mean of the likes"),
        (recommend_with_max, "has no maximum"),
        (recommend_in_place, "work on copies"),
        (
            lambda v, a, b, k: [
                i
                for i in recommend(v, a, b, k)
                if len(b) or (v[a] @ v[i]).max() >= 0  # zeros in place of the dislikes
            ],
            "A cosine may be negative",
        ),
        (lambda v, a, b, k: recommend(v, a, b, k, without=False), "change nothing"),
        (
            lambda v, a, b, k: recommend(
                v, a, b, k, order=lambda x, y: np.where(np.isinf(y), x, x - y)
            ),
            "only leave out",
        ),
        (lambda v, a, b, k: recommend(v, a, b, k)[1:], "come first"),
        (
            lambda v, a, b, k: [*recommend(v, a, b, k), *a][:k],
            "for k = 80 give these alone",
        ),
    ],
    "07.1": [
        (known_by_distance, "known by its id"),
        (sorted_by_id, "order of the alphabet"),
        (lambda a, k: merge([merge(a, k, once=False)], k), "only after what comes twice"),
        (lambda a, k: merge(a, k, once=False), "answered twice"),
        (lambda a, k: merge(a, k, better=-1), "nearest should come first|four nearest"),
        (lambda a, k: merge(a, k)[0], "two things"),
        (lambda a, k: merge(a, k, distances=np.zeros(9)), "distances are not"),
        (lambda a, k: merge(a, min(k, 5)), "return all six"),
        (merge_in_place, "changes the answers"),
    ],
    "07.2": [
        (
            lambda s, t, v, x: next((a for a in v if np.isin(s(a), t).mean() >= x), None),
            "smaller recall|finds none|finds",
        ),
        (twice, "one value twice"),
        (lambda s, t, v, x: smallest(s, t, v, x, by_place=True), "wherever it stands"),
        (
            lambda s, t, v, x: smallest(s, t, v, x, enough=lambda r, x: r > x),
            "is larger|finds none",
        ),
        (smallest_of_all, "stop in time"),
        (lambda s, t, v, x: smallest(s, t, v, x) or v[-1], "return None"),
        (lambda s, t, v, x: v[0], "smaller recall"),
        (
            lambda s, t, v, x: next((a for a in v if by_queries(s(a), t) >= x), None),
            "is larger|finds none",
        ),
        (lambda s, t, v, x: v.index(smallest(s, t, v, x)), "one of the values"),
    ],
    "07.3": [
        (lambda v, b: encode(v, b).astype(int), "one byte"),
        (lambda v, b: encode(v, b).T, "have codes of shape"),
        (lambda v, b: encode(v, b, lambda p, b: -((p[:, :, None] - b) ** 2).sum(-1)), "farthest"),
        (lambda v, b: encode(v, b, lambda p, b: -(p[:, :, None] * b).sum(-1)), "largest product"),
        (
            lambda v, b: encode(v, b, parts=v.reshape(len(v), -1, len(b)).transpose(0, 2, 1)),
            "not every third",
        ),
        (
            lambda v, b: encode(v, b, lambda p, b: ((p[:, :, None] - b[:1]) ** 2).sum(-1)),
            "its own book",
        ),
        (lambda v, b: np.roll(encode(v, b), 1, 0), "name the nearest word"),
        (lambda v, b: np.resize(encode(v, b), (len(v), 3)), "count the books"),
    ],
    "08.1": [
        (lambda c: other_half(c, itself=True), "leave the diagonal out"),
        (lambda c: other_half(c) * len(c), "divide by all 2N"),
        (lambda c: other_half(c) * 100, "percentage"),
        (lambda c: other_half(c, ask=6), "the other N have a question"),
        (lambda c: other_half(c, other=np.arange(12) ^ 1), "not neighbouring rows"),
        (lambda c: c.argmax(1), "Take the mean"),
        (other_half_in_place, "work on a copy"),
        (lambda c: other_half(c, diagonal=0), "may all be negative"),
    ],
    "08.2": [
        (lambda q, k, n: torch.cat([q, k])[-n:], "belong in front"),
        (lambda q, k, n: torch.cat([q, k])[:n], "fall out in yours"),
        (lambda q, k, n: torch.cat([k, q]), "let the oldest fall out"),
        (lambda q, k, n: torch.cat([k, q[-(n - len(k)) :]]), "not those in front"),
        (lambda q, k, n: torch.cat([k, q])[:n].numpy(), "is a tensor"),
        (enqueue_in_place, "Join anew"),
        (lambda q, k, n: torch.cat([k, q, q])[:n], "keeps all"),
        (
            lambda q, k, n: torch.cat([k, q] if len(k) + len(q) > n else [q, k])[:n],
            "Where the queue is not full",
        ),
        (lambda q, k, n: print(end=""), "yours is a NoneType. (Your function gave None"),
    ],
    "08.3": [
        (
            lambda images, epochs: Embedder(
                "mine",
                16,
                "random",
                Preprocess(32, (0.5,) * 3, (0.5,) * 3),
                CompactCNN(None, (8, 16, 16)).eval(),
            ),
            "not seen one batch",
        ),
        (lambda images, epochs: without_labels(images, epochs).module, "return an Embedder"),
        (lambda images, epochs: without_labels(images, epochs, headed=True), "the head goes"),
        (lambda images, epochs: without_labels(images, 1, still_training), "model.module.eval()"),
        (lambda images, epochs: without_labels(images, 1), "seen 4 batches"),
        (lambda images, epochs: without_labels(images, epochs, same_for_all), "has collapsed"),
        (
            lambda images, epochs: without_labels(images, epochs, loss=attraction),
            "have wrong answers",
        ),
        (lambda images, epochs: without_labels(images, epochs, lr=1e-7), "have wrong answers"),
    ],
    "09.1": [
        (name_it_backwards, "gives each name its pictures"),
        (lambda p, t, n, k: name_it(p, t, n, k)[:2], "6 lists of names, not 2"),
        (lambda p, t, n, k: [n[i] for i in (p @ t.T).argmax(1)], "a list of k names"),
        (
            lambda p, t, n, k: name_it(p, t, n, k, read=lambda n, row: list(row)),
            "look up the names",
        ),
        (lambda p, t, n, k: name_it(p, t, n, k, better=1), "farthest names"),
        (lambda p, t, n, k: name_it(p, t, n, 3), "With k = 1"),
        (lambda p, t, n, k: [r[::-1] for r in name_it(p, t, n, k)], "not nearest first"),
        (lambda p, t, n, k: [n[:k]] * len(p), "The first picture is"),
        (lambda p, t, n, k: np.squeeze(name_it(p, t, n, k)), "a list: of one name"),
    ],
    "09.2": [
        (one_right, "still the loss with one right text"),
        (each_row, "take the mean"),
        (lambda *a: many_right(*a, divide=False), "must sum to 1"),
        (lambda *a: many_right(*a, share=(1, 0)), "texts should find pictures too"),
        (lambda *a: many_right(*a, share=(0, 1)), "pictures should find texts too"),
        (lambda *a: many_right(*a, share=(1, 1)), "take half"),
        (lambda *a: torch.tensor(0.0), "Expected"),
        (lambda i, x, y, s: many_right(i, x, y, 5.0), "not for five pairs"),
        (lambda i, x, y, s: many_right(i, x, y, 1.0), "multiplied by `scale`"),
        (lambda i, x, y, s: many_right(i, x, y, 1 / s), "multiplied by `scale`"),
        (by_label, "no place in the batch"),
        (one_is_enough, "find one of them"),
    ],
    "09.3": [
        (lambda *a: prompted(*a, finish=lambda v: v), "divide each row by its norm"),
        (lambda p, n, t: prompted(p, n, t[:1]), "Only template 1 counts"),
        (in_one_text, "You embed one long text"),
        (lambda *a: prompted(*a, finish=lambda v: v / np.linalg.norm(v)), "but not the lengths"),
        (
            lambda p, n, t: np.stack([mean_of(p, [f"{x} {name}" for x in t]) for name in n]),
            "not the means",
        ),
        (lambda p, n, t: prompted(p, n, t).T, "3 names need vectors of 3×"),
        (lambda p, n, t: prompted(p, n, t)[::-1], "not the means"),
    ],
    "10.1": [
        (
            (to_request, lambda text: sorted(json.loads(text)["results"].items())),
            "sorted by address",
        ),
        ((lambda data, k: to_request(data, k, text=str), from_reply), "makes them text"),
        ((lambda data, k: {"image": "", "k": k}, from_reply), "A request is text"),
        ((lambda data, k: to_request(data, str(k)), from_reply), "the number 7"),
        ((lambda data, k: to_request(data, k, ("picture", "k")), from_reply), "exactly the fields"),
        ((to_request, lambda text: from_reply(text, key=lambda pair: 0)), "order of the text"),
        ((to_request, lambda text: from_reply(text, key=lambda pair: -pair[1])), "farthest"),
        ((to_request, lambda text: dict(from_reply(text))), "list of pairs"),
        ((to_request, lambda: []), "cannot be called as the exercise asks"),
        ((to_request, ...), "a function is asked for, but this is ellipsis"),
        (
            (
                lambda data, k: json.dumps({"image": base64.encodebytes(data).decode(), "k": k}),
                from_reply,
            ),
            "b64encode does not",
        ),
    ],
    "10.2": [
        (lambda s, w, n: ask_politely(s, lambda x: w(str(x)), n), "float(…)"),
        (lambda s, w, n: ask_politely(s, w, n, busy=(500, 503)), "500 is not 503"),
        (lambda s, w, n: ask_politely(s, w, 10**6), "At most 3 requests"),
        (lambda s, w, n: ask_politely(s, w, n, wait=1), "as the header says"),
        (lambda s, w, n: ask_politely(s, w, n, busy=(503, 422)), "does not help"),
        (lambda s, w, n: ask_politely(s, w, n, always=True), "nothing to wait for"),
        (lambda s, w, n: ask_politely(s, w, n + 2), "At most 3 requests"),
        (lambda s, w, n: ask_politely(s, w, max(n, 2)), "With tries = 1"),
        (lambda s, w, n: s(), "the third reply"),
        (waits_for_ever, "sends no second time"),
        (minds_no_error, "At most 3 requests"),
        (lambda s, w, n: ask_politely(s, lambda x: None, n), "never calls sleep"),
        (lambda s, w, n: ask_politely(s, w, n).status_code, "the reply itself"),
    ],
    "10.3": [
        (lambda w, q: slowest(w, q, method="linear"), "do not interpolate"),
        (lambda w, q: slowest(w, q, end=lambda q: q), "the fastest of a hundred"),
        (lambda w, q: np.max(w), "it is"),
        (sort_in_place, "sort a copy"),
    ],
}


def hand_in(number, answer, vectors):
    rest = (vectors, LABELS) if number == "00.1" else ()
    if number == "00.1" and callable(answer):
        answer = answer(vectors)
    exercise(number, *(answer if isinstance(answer, tuple) else (answer,)), *rest)


@pytest.mark.parametrize(
    "number, answer, hint", [(n, *case) for n, cases in WRONG.items() for case in cases]
)
def test_a_typical_mistake_gets_the_hint_that_names_it(number, answer, hint, vectors, capsys):
    hand_in(number, answer, vectors)
    told = capsys.readouterr().out
    assert told.startswith(f"✗ Exercise {number}: ")
    assert any(part in told for part in hint.split("|")), told
    assert progress().loc[number].tolist() == [1, ""]


RIGHT = {
    "00.1": lambda v: recall_at_k(v, LABELS, 5),
    "00.2": quarters,
    "00.3": search,
    "01.1": place_of,
    "01.2": shorten,
    "01.3": layer_embedding,
    "02.1": paste,
    "02.2": strict_threshold,
    "02.3": mutual_matches,
    "03.1": easy_positive,
    "03.2": name_them,
    "03.3": small_recipe,
    "04.1": minkowski,
    "04.2": blend,
    "04.3": in_blocks,
    "05.1": share_kept,
    "05.2": direction,
    "05.3": sort_photos,
    "06.1": search_among,
    "06.2": shares,
    "06.3": recommend,
    "07.1": merge,
    "07.2": smallest,
    "07.3": encode,
    "08.1": other_half,
    "08.2": lambda q, k, n: torch.cat([k, q])[:n],
    "08.3": without_labels,
    "09.1": name_it,
    "09.2": many_right,
    "09.3": prompted,
    "10.1": (to_request, from_reply),
    "10.2": ask_politely,
    "10.3": slowest,
}
ALSO_RIGHT = [
    ("07.1", lambda a, k: list(merge(a, k))),
    ("08.3", lambda images, epochs: without_labels(images, epochs, size=64)),
    ("08.3", lambda images, epochs: without_labels(images, epochs, size=96)),
    ("09.2", lambda i, x, y, s: many_right(i.double(), x.double(), y, s)),
    ("09.2", lambda *a: many_right(*a).numpy()),
    ("02.1", lambda p, m, c: paste(p, m, c, lambda mix: torch.from_numpy(mix).round().byte())),
    ("00.2", lambda p: quarters(p).astype(np.float16)),
    ("01.1", lambda *a: torch.tensor(place_of(*a))),
    ("01.1", lambda c, y, x, shape: np.ravel_multi_index((c, y, x), shape)),
    ("05.2", lambda v, c: direction(v, c).astype(np.float16)),
    ("02.2", by_scikit_learn),
    ("02.2", lambda s, same, p: torch.tensor(strict_threshold(s, same, p))),
    ("02.2", lambda s, same, p: strict_threshold(s, same, p) - 1e-9),
    ("02.3", lambda a, b: torch.from_numpy(mutual_matches(a, b))),
    *[("05.3", lambda f, k, m, s=size: sort_photos(f, k, m, size=s)) for size in (32, 48, 128)],
    ("02.3", lambda a, b: [(i, j) for i, j in mutual_matches(a, b)[::-1]]),
    ("02.3", lambda a, b: mutual_matches(b, a)[:, ::-1]),
    ("03.1", lambda d, y: [part.flip(0) for part in easy_positive(d, y)]),
    ("03.2", lambda q, g, y, k, t: torch.tensor(name_them(q, g, y, k, t))),
]


@pytest.mark.parametrize("number, answer", [*RIGHT.items(), *ALSO_RIGHT])
def test_a_right_answer_gets_a_tick_and_is_kept(number, answer, vectors, capsys):
    hand_in(number, answer, vectors)
    assert capsys.readouterr().out == f"✓ Exercise {number}: done\n"
    assert progress().loc[number, "done"]


def cells(lesson, tag):
    read = jupytext.read(lesson, fmt="py:percent").cells
    return [cell for cell in read if tag in cell.metadata.get("tags", [])]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_has_three_exercises_each_with_a_grader_and_two_known_mistakes(lesson):
    number = lesson.stem[:2]
    assert [cell.metadata["id"] for cell in cells(lesson, "solution")] == [
        f"ex-{number}-{i}" for i in (1, 2, 3)
    ]
    graders = cells(lesson, "grader")
    assert [cell.metadata["id"] for cell in graders] == [f"grade-{number}-{i}" for i in (1, 2, 3)]
    module = importlib.import_module(f"utils.exercises.{number}")
    for i in (1, 2, 3):
        assert hasattr(module, f"grade_{i}") and len(WRONG[f"{number}.{i}"]) >= 2


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_an_untouched_stub_is_not_done_yet_and_no_try_is_counted(lesson, capsys):
    for cell, grader in zip(cells(lesson, "solution"), cells(lesson, "grader"), strict=True):
        scope: dict = {}
        call = ast.parse(grader.source).body[-1].value
        exec(stub(cell.source), scope)
        exercise(ast.literal_eval(call.args[0]), scope[call.args[1].id])
        assert "not done yet" in capsys.readouterr().out
    assert not progress_file().exists()


def broken(picture):
    return picture + undefined_name  # noqa: F821


def test_an_error_in_the_students_code_becomes_a_sentence(capsys):
    exercise("00.2", broken)
    told = capsys.readouterr().out
    assert "your code stopped at line" in told and "NameError" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    "answer, told",
    [
        (3, "a function is asked for, but this is int"),
        (lambda a: a, "cannot be called as the exercise asks: <lambda>() takes 1 positional"),
        (lambda a, b, c, d, e: a, "cannot be called as the exercise asks: <lambda>() missing 1"),
    ],
)
def test_what_cannot_be_called_as_asked_becomes_a_sentence(answer, told, capsys):
    exercise("01.1", answer)
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    "number, answer, told",
    [
        (
            "05.1",
            lambda v, xy, k: print(end=""),
            "returns nothing (None): does it end with return?",
        ),
        ("02.1", lambda *a: print(end=""), "gives NoneType. (Your function gave None: does it end"),
        ("04.1", lambda *a: print(end=""), "the last axis. (Your function gave None: does it end"),
        ("06.1", lambda v, q, a, k: ([1], [2, 3]), "returns a tuple that is not what is asked"),
        ("00.2", lambda p: len(p)(p), "TypeError: 'int' object is not callable"),
    ],
)
def test_an_answer_that_cannot_be_read_becomes_a_sentence(number, answer, told, capsys):
    exercise(number, answer)
    assert told in capsys.readouterr().out


def test_done_stays_done_and_tries_are_counted(capsys):
    exercise("00.2", quarters)
    exercise("00.2", histogram)
    assert progress().loc["00.2", "tries"] == 2 and progress().loc["00.2", "done"]


def test_a_damaged_progress_file_does_not_stop_a_student(capsys):
    progress_file().parent.mkdir(parents=True)
    progress_file().write_text("{ not json")
    exercise("00.2", quarters)
    assert "✓" in capsys.readouterr().out
    assert json.loads(progress_file().read_text())["exercises"]["00.2"]["done"]


def test_where_progress_cannot_be_kept_the_grade_is_told(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LOOKALIKE_PROGRESS", str(tmp_path / "file" / "progress.json"))
    exercise("00.2", quarters)
    told = capsys.readouterr().out
    assert "✓ Exercise 00.2: done\n  This cannot be kept" in told


def test_a_teacher_reads_a_folder_of_progress_files_as_one_table(tmp_path, monkeypatch):
    for student, answer in (("ana", quarters), ("bruno", histogram)):
        monkeypatch.setenv("LOOKALIKE_PROGRESS", str(tmp_path / "class" / f"{student}.json"))
        exercise("00.2", answer)
    (tmp_path / "class" / "notes.json").write_text("[]")
    table = progress(tmp_path / "class")
    assert list(table.index) == ["ana", "bruno"]
    assert table.loc["ana", "00.2"] and table.loc["bruno", "00.2"] == "tried"
    assert table.loc["ana", "00.1"] == ""


def test_a_folder_without_progress_says_what_to_ask_for(tmp_path):
    with pytest.raises(FileNotFoundError, match="ask the students"):
        progress(tmp_path)


@pytest.mark.parametrize("answer", [..., lambda a, b=1: None])
def test_ellipsis_and_a_function_that_does_nothing_are_untouched(answer):
    assert course._untouched(answer)


@pytest.mark.parametrize("answer", [3, lambda a: a, lambda a: 3, print, np.zeros(3)])
def test_anything_else_is_an_answer(answer):
    assert not course._untouched(answer)
