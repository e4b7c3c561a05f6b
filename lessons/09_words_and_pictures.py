# %% [markdown]
# # 09 · Can we search with words?
# So far a picture asks and pictures answer. We teach a second network to read, until a text lies where its pictures lie; then a word is a query like any other, in English or in Portuguese.
#
# **After this lesson you can**
# - turn any text into a vector by its words and their n-grams, also one that was never seen;
# - write the loss that brings texts and pictures into one space, and say what its temperature does;
# - train such a pair in seconds, and measure it on things it has never seen, against chance and against plain word matching;
# - name the classes of pictures without a single example of them, and tell when arithmetic with directions is an illusion;
# - recommend pictures to a user who is a mean of likes, with variety.
#
# *Before you start: lessons 00 and 03. {{results:lessons.09_words_and_pictures.seconds:.0f}} seconds to run on two cores, no GPU, no network.*

# %%
from utils.course import check, start

BIG = False  # True: CLIP answers as well, downloaded on first use (600 MB)
start("09_words_and_pictures", big=BIG)

# %% [markdown]
# ## 1 · Ask in words
# A **dual encoder** is two networks, an image tower and a text tower, that answer with vectors in *one* space. Ours ships with the course. We ask for four things among all the scenes, most of which it has learned from. *Will it be right in Portuguese too?*

# %%
import numpy as np

from utils.embed import embed
from utils.images import load_images
from utils.plots import show_grid
from utils.words import embed_text, load_dual_encoder

pair = load_dual_encoder()
scenes = load_images("scenes")
placed = embed(pair.images, scenes)
asked = ["red apple", "maçã vermelha", "train", "um tigre"]
best = [np.argsort(-(placed @ embed_text(pair, text)[0]))[:7] for text in asked]
names = [[scenes.label_of(i) for i in order] for order in best]
show_grid(
    {f"“{text}”": scenes.images[order] for text, order in zip(asked, best, strict=True)},
    title=f"Words find pictures: {names[0].count('red apple')} and {names[1].count('red apple')} of seven are red apples",
)

# %%
check("“red apple” finds red apples first", names[0][:4] == 4 * ["red apple"])
check("… and so does “maçã vermelha”", names[1][:4] == 4 * ["red apple"])

# %% [markdown]
# These things it knows by heart. What it makes of things that it never saw is the question of section 5. First: how does a network read?
#
# ## 2 · From a text to a vector
# A text is cut into **words**, and each word into its **n-grams**: all runs of three to six letters, with < and > to mark the ends (fastText, Bojanowski et al. 2017). Each n-gram has a vector in a table; a word is the mean of its n-grams, a text the mean of its words.
# *The tower learned “camelo” and never “camelos”. What does it make of it? And of “camel”?*

# %%
from utils.words import grams_of, words_of

print(words_of("Maçã-verde, 2!"), grams_of("maçã")[:9])
of = {word: set(grams_of(word)) for word in ("camelo", "camelos", "camel", "gato", "cat")}
for one, two in (("camelo", "camelos"), ("camelo", "camel"), ("gato", "cat")):
    print(f"{one} and {two} share {len(of[one] & of[two])} of {len(of[one] | of[two])} n-grams")

# %%
near = embed_text(pair, ["camelo", "camelos", "CAMEL", "gato"])
print(np.round(near @ near.T, 2))
check("A plural that was never learned lies near its singular", near[0] @ near[1] > 0.5)
check("Case does not matter", np.allclose(near[2], embed_text(pair, "camel")[0]))

# %% [markdown]
# A table needs a row for every n-gram there might be. Instead there are {{results:words_and_pictures.size.buckets:,d}} rows, and a checksum of the letters says which one: two n-grams may share a row, and that does little harm. Accents count and do not: “maçã” is cut twice, with its accents and without, so “maca” finds it too. Our text tower is {{results:words_and_pictures.size.members:d}} such readers side by side; why, section 5 tells. One of them, in the open:

# %%
import torch

reader = pair.texts.members[0]
with torch.inference_mode():
    rows = [reader.rows_of(word) for word in words_of("Red apple")]
    means = [reader.grams.weight[list(r)].mean(0) for r in rows]
    by_hand = reader.project(torch.stack(means).mean(0))
    by_hand = by_hand / by_hand.norm()
    theirs = reader(["Red apple"])[0]
check(
    "Mean of n-grams, mean of words, one linear map, length 1: that is the reader",
    torch.allclose(by_hand, theirs, atol=1e-4),
)

# %% [markdown]
# There are texts that nothing can be looked for by. *Which of these would you let pass?*

# %%
from utils.words import TextError

for text in ("", "a picture of " * 20, "🐯", "красное яблоко"):
    try:
        embed_text(pair, text)
    except TextError as error:
        print(f"{text[:16]!r:20} {error}")

# %% [markdown]
# ## 3 · A loss that marries them
# A batch holds N pictures and N texts. All N×N cosines are taken, times a **scale** (one over the **temperature**). Each row is a question with N answers, *which text is mine?*, each column another, *which picture is mine?*, and both are graded by cross-entropy. That is all of CLIP's loss (Radford et al. 2021, figure 3).

# %%
import torch.nn.functional as F


def contrast(images, texts, scale):
    """Symmetric cross-entropy of N pictures and their N texts, unit vectors."""
    scores = scale * images @ texts.T
    own = torch.arange(len(scores))  # the right answers lie on the diagonal
    by_picture = F.cross_entropy(scores, own)
    by_text = F.cross_entropy(scores.T, own)
    return (by_picture + by_text) / 2


# %%
from utils.words import clip_loss

torch.manual_seed(0)
two = F.normalize(torch.randn(2, 16, 8), dim=2)
same = F.normalize(torch.ones(16, 8), dim=1)
check(
    "In the open and by the course: the same",
    torch.isclose(contrast(*two, 5.0), clip_loss(*two, 5.0)),
)
check(
    "All alike costs log N: a guess among sixteen",
    np.isclose(contrast(same, same, 5.0), np.log(16), atol=1e-5),
)

# %% [markdown]
# Cosines end at 1, so without a scale the best possible batch still looks undecided. *How large must the scale be before a perfect pair, cosine 1 against 0 for all others, costs nothing?*

# %%
from utils.plots import show_curve

scales = [1, 2, 3, 5, 7, 10, 14, 20, 30, 50, 100]
perfect = [contrast(torch.eye(128), torch.eye(128), s).item() for s in scales]
wrong = torch.roll(torch.eye(128), 1, 0)  # each is sure of another's text
sure = [contrast(torch.eye(128), wrong, s).item() for s in scales]
show_curve(
    scales,
    {"all right": perfect, "all wrong": sure},
    xlabel="scale, one over the temperature",
    ylabel="loss, batch of 128",
    log="x",
    title=f"At a scale of 1 being right costs {perfect[0]:.1f}, at 20 nothing; being wrong costs {sure[-1]:.0f} at 100",
)

# %% [markdown]
# So the scale is **learned** too: low while much is wrong, higher as the towers get surer, held at 100. Ours has come to rest:

# %%
print(f"the shipped pair multiplies its cosines by {pair.temperature.scale:.1f}")
check("Perfect cosines at a scale of 1 still cost almost all", perfect[0] > 0.8 * np.log(128))
check("The learned scale is well above 1 and below its limit", 5 < pair.temperature.scale < 100)

# %% [markdown]
# ## 4 · Forty seconds
# The image tower is the trunk of `cnn`, which stays as it is, and one linear map. So the trunk sees each picture once, and a step is cheap. Texts are drawn anew at each step: the name, some keywords, or both, in English, in Portuguese or in both. Half as much as the pictures counts the same loss **between the languages**. Each thing comes once a batch. *Why?*

# %%
from utils.models import load_model
from utils.words import Pairs, new_pair, read_things, train_pair

cnn = load_model("cnn")
looks = [embed(cnn, load_images(name, "train")) for name in ("emoji", "scenes")]
training = load_images("emoji", "train")
told = read_things("train")
things = [told[name] for name in training.classes]
draw = Pairs(torch.from_numpy(np.stack(looks, 1)), training.labels, things, size=128)
batch = draw(0)
print(*batch.texts[:5], sep="\n")

# %%
from utils.plots import show_matrix

learner = new_pair(seed=0)
tower = learner.images.module  # the trunk, and `place`: from what it saw into the shared space


def scores_of(eight):
    """Cosines of eight training things' names with one drawing of each."""
    names = embed_text(learner, [things[i].names["en"] for i in eight])
    first = [np.flatnonzero(training.labels == i)[0] for i in eight]
    with torch.inference_mode():
        pictures = tower.place(torch.from_numpy(looks[0][first])).numpy()
    return names @ pictures.T


eight = np.random.default_rng(3).choice(len(things), 8, replace=False)
before = scores_of(eight)

# %%
unseen = load_images("emoji", "validation")
seen_by_cnn = torch.from_numpy(embed(cnn, unseen))
questions = [thing.text("en") for _, thing in sorted(read_things("validation").items())]


def measure(pair):
    """recall@10 from text to picture on the validation things."""
    with torch.inference_mode():
        pictures = pair.images.module.place(seen_by_cnn).numpy()
    first = np.argsort(-(embed_text(pair, questions) @ pictures.T), axis=1)[:, :10]
    return (unseen.labels[first] == np.arange(len(questions))[:, None]).any(1).mean()


history = train_pair(learner, draw, steps=400, measure=measure)

# %%
after = scores_of(eight)
show_matrix(
    {"before": before, "after": after},
    [things[i].names["en"] for i in eight],
    unit="cosine of name (row) and picture (column)",
    title=f"{history.seconds:.0f} seconds later each name has found its picture",
)

# %%
check("Before, the diagonal is nothing special", np.diag(before).mean() < before.mean() + 0.1)
check(
    "After, a name and its own picture are far nearer than any two others",
    np.diag(after).min() > after[~np.eye(8, dtype=bool)].max(),
)
check("The scale went up while the towers learned", history.scale[-1] > history.scale[0])

# %% [markdown]
# Why once a batch? With two tigers in it, each tiger's text would be graded *wrong* for the other tiger. (Exercise 09.2 mends the loss instead.) And what becomes of a training whose temperature runs away?

# %%
from utils.triplet import TrainingDiverged

try:
    train_pair(new_pair(seed=0), draw, steps=30, lr=50.0)
except TrainingDiverged as error:
    print(error)

# %% [markdown]
# ## 5 · Things it has never seen
# Now the two hundred test things. None of their pictures was seen, and for most names not one word was read: only {{results:words_and_pictures.known_names.en:.0%}} of the English and {{results:words_and_pictures.known_names.pt:.0%}} of the Portuguese names hold a word that some training text holds. What is left are keywords (“animal”, “fruit”), pieces of words, and how things look.
#
# We compare with **chance**, and with **word overlap alone**: no text tower, no training. Each picture borrows the words of the known things that `cnn` finds it like, and the query is matched word by word (TF-IDF). *How much better is the pair?*

# %%
from utils.course import measured
from utils.plots import show_bars

gallery = load_images("emoji", "test")
there = embed(pair.images, gallery)
names_of_test = read_things("test")


def found(vectors, language, keywords, k=10):
    """recall@k from text to picture: does one of the first k answers show the thing?"""
    texts = [names_of_test[name].text(language, keywords) for name in gallery.classes]
    first = np.argsort(-(embed_text(pair, texts) @ vectors.T), axis=1)[:, :k]
    return (gallery.labels[first] == np.arange(len(texts))[:, None]).any(axis=1).mean()


report = measured("words_and_pictures")
plain = report["overlap"]["test"]["emoji"]["en"]
bars = {
    "chance": report["chance"]["text_to_picture"]["recall_at_10"],
    "name: word overlap": plain["name"]["text_to_picture"]["recall_at_10"],
    "name: the pair": found(there, "en", False),
    "name + keywords: word overlap": plain["name_and_keywords"]["text_to_picture"]["recall_at_10"],
    "name + keywords: the pair": found(there, "en", True),
}
show_bars(
    bars,
    unit="recall@10, 200 unseen things asked for in English, 1,062 drawings",
    title=f"With keywords the pair finds {bars['name + keywords: the pair']:.0%}; so does matching words",
)
