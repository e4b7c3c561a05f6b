# %% [markdown]
# # 02 · Does the background decide what is similar?
# A lion on a meadow, the same lion on sand, a robot on the first meadow. Which two are alike? Pixels, colours and networks
# disagree. We find out who follows the background, look inside a Vision Transformer, and take the backgrounds away.
#
# **After this lesson you can**
# - read a Vision Transformer: patches, [CLS], positions and attention, each computed in the open;
# - remove backgrounds with rembg, from one picture or a whole folder, and measure the masks;
# - tell whether removing them helps a search, by how much, and whom it hurts;
# - say what a cosine score means and what it does not;
# - build a matcher of two pictures with a threshold that was chosen honestly.
#
# *Before you start: lessons 00 and 01. {{results:lessons.02_vit_background.seconds:.0f}} seconds to run on two cores, no GPU, no network.*

# %%
from utils.course import check, start

BIG = False  # True: ViT-B/16 and ResNet-50 from ImageNet and rembg's u2net, downloaded on first use
start("02_vit_background", big=BIG)

# %% [markdown]
# ## 1 · Who follows the background?
# Our scenes are composed: a drawing, a placement, a background. So we can take them apart and exchange one part.

# %%
import numpy as np

from utils.emoji import read_emoji, read_textures
from utils.images import load_images
from utils.scenes import compose, random_backgrounds, random_placements, seed_of

scenes = load_images("scenes", split="test")
if BIG:  # a quarter of the things: ViT-B/16 looks at four pictures a second on two cores
    scenes = scenes[scenes.labels % 4 == scenes.classes.index("lion") % 4]
drawings, rows = read_emoji(["test"])
drawings = drawings[[row["id"] in set(scenes.ids) for row in rows]]
seeds = [seed_of(id) for id in scenes.ids]
placed, grounds = random_placements(seeds), random_backgrounds(seeds, read_textures("test"))

# %%
from utils.plots import show_grid

asked = np.arange(0, len(scenes), 5)  # every fifth scene, to save time
other = np.roll(asked, len(asked) // 2)  # for each of them another one


def composed(things, before):
    """The things of some scenes before the backgrounds of some scenes: uint8 N×64×64×3."""
    places = type(placed)(*(values[things] for values in placed))
    return compose(drawings[things], places, grounds[before])[0]


kinds = {
    "a scene": composed(asked, asked),
    "the thing elsewhere": composed(asked, other),
    "another thing there": composed(other, asked),
}
show_grid(
    {name: images[4 :: len(asked) // 7][:7] for name, images in kinds.items()},
    title="Which of the lower two is more like the first?",
)

# %%
check(
    "The parts, composed again, are our scenes",
    np.array_equal(kinds["a scene"], scenes.images[asked]),
)

# %% [markdown]
# To us the second row. A way to embed **follows the background** where it gives the third row the higher score. *Put them in order:
# pixels, a colour histogram, a network with random weights, the photo network, our CNN of scenes, and a transformer.*

# %%
from dataclasses import replace

from utils.embed import colour_histogram, embed, pixel_vectors
from utils.models import load_model


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


cnn, vit = load_model("resnet50" if BIG else "cnn"), load_model("vit-base" if BIG else "vit")
untrained, photos = load_model("cnn", trained=False), load_model("cnn-photos")
ways = {
    "pixels": lambda pictures: unit(pixel_vectors(pictures)),
    "colour histogram": lambda pictures: unit(colour_histogram(pictures)),
    "CNN, random weights": lambda pictures: embed(untrained, pictures),
    "CNN of photos": lambda pictures: embed(photos, pictures),
    "CNN of scenes" if not BIG else "ResNet-50": lambda pictures: embed(cnn, pictures),
    "transformer": lambda pictures: embed(vit, pictures),
}

# %%
from utils.plots import show_bars


def follows(way):
    """Share of scenes that are more like another thing there than like their thing elsewhere."""
    scene, thing, ground = (way(replace(scenes[asked], images=k)) for k in kinds.values())
    return ((scene * ground).sum(1) > (scene * thing).sum(1)).mean()


followed = {name: follows(way) for name, way in ways.items()}
worst = max(followed, key=followed.get)
show_bars(
    followed,
    unit="share of scenes in which the background wins",
    title=f"The {worst} follows the background in {followed[worst]:.0%} of all scenes",
)

# %%
check(
    "Colours and random weights follow the background more often than not",
    min(followed["colour histogram"], followed["CNN, random weights"]) > 0.5,
)
check(
    "The two networks that were trained on scenes do in less than one of twenty",
    BIG or max(followed["CNN of scenes"], followed["transformer"]) < 0.05,
)

# %% [markdown]
# That rival was the very same drawing at the same place. A search seldom has it: there the rival is **another artist's drawing** of the thing, in a scene of its own.
# *How often does the background win now? And how often does the other thing, if it stands before its own, unrelated background?*

# %%
another = np.arange(len(scenes))  # for each scene the next that shows its thing
for thing in np.unique(scenes.labels):
    rows = np.flatnonzero(scenes.labels == thing)
    another[rows] = np.roll(rows, -1)


def against_another_artist(way):
    """Shares of scenes more like another thing than like their own by another artist: where that
    other thing stands before the scene's background, and before its own."""
    vectors = way(scenes)
    asking, there = vectors[asked], replace(scenes[asked], images=kinds["another thing there"])
    right = (asking * vectors[another[asked]]).sum(1)
    same_ground, own_ground = (asking * way(there)).sum(1), (asking * vectors[other]).sum(1)
    return (same_ground > right).mean(), (own_ground > right).mean()


# %%
ours = list(ways)[-2:]
shared, unrelated = np.transpose([against_another_artist(ways[name]) for name in ours])
wins = {}
for i, name in enumerate(ours):
    wins[f"{name}: the very same drawing"] = followed[name]
    wins[f"{name}: another artist's"] = shared[i]
    wins[f"{name}: the same, ground unrelated"] = unrelated[i]
show_bars(
    wins,
    unit="share of scenes in which another thing wins against …",
    title=f"Against another artist's drawing the background wins in {shared[0]:.0%}",
)

# %%
from utils.course import measured

over_all = {
    name: measured("vit_background")["swap"][name]["another_artist"] for name in ("cnn", "vit")
}
check(
    "Another artist's drawing loses to the background more often than the very same one",
    BIG or min(shared) > max(followed[name] for name in ours),
)
check(
    "… and often to the other thing on an unrelated ground, too: a third as often and more",
    BIG or np.all(unrelated > shared / 3),
)
check(
    "Over all scenes, in a recipe, the shared ground adds to the CNN's errors: its interval is above zero",
    over_all["cnn"]["added_interval"][0] > 0,
)
check(
    "… and what it adds to the transformer's cannot be told from none",
    np.prod(over_all["vit"]["added_interval"]) < 0,
)

# %% [markdown]
# Over all 1,062 scenes the background beats the very same drawing in {{results:vit_background.swap.cnn.background_wins:.1%}} by our CNN. It beats another artist's drawing in {{results:vit_background.swap.cnn.another_artist.background_wins:.1%}}, most of
# them even on another ground ({{results:vit_background.swap.cnn.another_artist.other_ground_wins:.1%}}): two artists' drawings of a thing are not very alike. What the shared ground adds is the difference, {{results:vit_background.swap.cnn.another_artist.added:.1%}} of the scenes; by the transformer
# {{results:vit_background.swap.vit.another_artist.added:.1%}}, by the photo network {{results:vit_background.swap.cnn-photos.another_artist.added:.0%}}, by pixels {{results:vit_background.swap.pixels.another_artist.added:.0%}}. **How much the background says, the training decides**: our two networks saw each thing before many
# backgrounds. *Is it so little that they have nothing to win when we remove it?*
#
# ## 2 · Inside a Vision Transformer
# A **Vision Transformer**, ViT for short (Dosovitskiy et al. 2021), reads a picture as a sentence: it cuts it into square **patches**, and each
# patch is a word.

# %%
import torch
import torch.nn.functional as F

lion = scenes.ids.index("noto/lion")
side, size = vit.module.vit.config.patch_size, vit.preprocess.size
picture = torch.from_numpy(scenes.images[lion]).float().permute(2, 0, 1)[None]
cut = F.unfold(picture, 8, stride=8)  # 1 × 192 numbers of a patch × 64 patches
order = torch.randperm(cut.shape[2], generator=torch.Generator().manual_seed(0))
shuffled = F.fold(cut[:, :, order], 64, 8, stride=8)[0].permute(1, 2, 0).byte().numpy()
lined = scenes.images[lion].copy()
lined[::8], lined[:, ::8] = 255, 255
show_grid(
    {"": [scenes.images[lion], lined, shuffled]},
    columns=["a scene", f"{cut.shape[2]} patches", "shuffled"],
    title=f"To a transformer a picture is a sentence of {cut.shape[2]} words",
)

# %% [markdown]
# Each patch becomes a **token**, a vector, by one and the same linear map of its pixels. Libraries write this map as a convolution that
# steps by its own size.

# %%
network = vit.module.vit  # transformers' ViTModel
ready = next(vit.inputs(scenes[[lion]], 1))
linear = network.embeddings.patch_embeddings.projection
flat = F.unfold(ready, side, stride=side)[0].T
with torch.inference_mode():
    words = flat @ linear.weight.flatten(1).T + linear.bias
    by_library = network.embeddings.patch_embeddings(ready)[0]
print(f"{len(flat)} patches of {flat.shape[1]} numbers → {len(words)} tokens of {words.shape[1]}")
check("By hand and by the library: the same tokens", torch.allclose(words, by_library, atol=1e-4))

# %% [markdown]
# In front stands one more token, **[CLS]**, which belongs to no patch: it starts the same for every picture, gathers what it needs on its
# way through the layers, and is the embedding at the end. And a learned **position embedding** is added to each token, since nothing
# else tells where its patch was.

# %%
with torch.inference_mode():
    first = torch.cat([network.embeddings.cls_token[0], words])
    first = first + network.embeddings.position_embeddings[0]
    by_library = network.embeddings(ready)[0]
check(
    "[CLS] and patches, plus positions, enter the layers",
    torch.allclose(first, by_library, atol=1e-4),
)

# %% [markdown]
# ### Attention, in the open
# In each layer every token asks every token, itself included. It sends out a **query**, every token shows a **key**, and the better the two fit, the more the asker
# takes of that token's **value** (Vaswani et al. 2017):
#
# $$\text{attention}(Q, K, V) = \text{softmax}\left(\frac{QK^\top}{\sqrt{d}}\right) V$$
#
# The softmax says how much each token takes from each; its rows sum to 1. A layer does this in several **heads** beside each other, each with its own *d* of
# the numbers.

# %%
from torch import nn

query, key, value = [part for part in network.modules() if isinstance(part, nn.Linear)][:3]
norm = next(part for part in network.modules() if isinstance(part, nn.LayerNorm))
heads = network.config.num_attention_heads


def in_heads(tokens):
    return tokens.unflatten(1, (heads, -1)).transpose(0, 1)  # heads × tokens × d


with torch.inference_mode():
    q, k, v = (in_heads(part(norm(first))) for part in (query, key, value))
    attention = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
    taken = attention @ v
    by_library = F.scaled_dot_product_attention(q, k, v)
print("heads × asking × asked tokens:", " × ".join(map(str, attention.shape)))
check("PyTorch's own attention takes the same", torch.allclose(taken, by_library, atol=1e-4))

# %%
from utils.vit import look

seen = look(vit, scenes)
by_library = torch.from_numpy(seen.attention[lion, 0]).to(attention)  # first layer, [CLS] asks
check(
    "What [CLS] takes from each token is what the library says",
    torch.allclose(attention[:, 0], by_library, atol=1e-4),
)

# %% [markdown]
# A layer brings its tokens to one range first (`norm`), adds to each what attention brought (lesson 01's shortcut), and sends every token
# alone through two more linear maps. Nothing here knows an order. *What happens to the embedding when we shuffle the patches? And when, besides, we take the position
# embeddings away?*

# %%
batch = next(vit.inputs(scenes[:100], 100))
order = torch.randperm((size // side) ** 2, generator=torch.Generator().manual_seed(0))
mixed = F.fold(F.unfold(batch, side, stride=side)[:, :, order], size, side, stride=side)


@torch.inference_mode()
def same_after_shuffling():
    return F.cosine_similarity(vit.module(batch), vit.module(mixed)).mean().item()


places = network.embeddings.position_embeddings.data
kept = places.clone()
score = {"as it is": same_after_shuffling()}
places[:, 1:] = 0
score["without positions"] = same_after_shuffling()
places[:] = kept

# %%
show_bars(
    score,
    unit="cosine of a picture's embedding before and after shuffling its patches",
    title=f"With positions, shuffling moves an embedding to a cosine of {score['as it is']:.2f}",
)
check(
    "Without positions a transformer does not notice that we shuffled",
    score["without positions"] > 0.9999,
)

# %% [markdown]
# So all it knows of *where* comes from one vector for each place. A CNN compares neighbours by construction. To a transformer without
# positions each patch is as near as any other: which are neighbours it has to **learn**, from data.
#
# ### Where does [CLS] look?
# Of what [CLS] takes from the patches, how much comes from patches of the thing? The thing fills less than a third of a scene. *Half? All?*

# %%
per_side = size // side
from_patches = seen.attention[..., 1:].mean(2)  # pictures × layers × patches, mean over heads
from_patches = from_patches / from_patches.sum(-1, keepdims=True)
cover = torch.from_numpy(scenes.masks / 255)[:, None]
cover = F.adaptive_avg_pool2d(cover, per_side).flatten(1).numpy()  # share of a patch that is thing
swapped = np.roll(cover, len(cover) // 2, axis=0)  # another scene's thing
on_thing, elsewhere = (
    np.einsum("nlp,np->l", from_patches, c) / len(scenes) for c in (cover, swapped)
)
best = int(on_thing.argmax())

# %%
some = [lion, *asked[4 :: len(asked) // 6]]
maps = from_patches[some, best].reshape(-1, per_side, per_side)
show_grid(
    {"scene": scenes.images[some], f"layer {best + 1}": maps, "true mask": scenes.masks[some]},
    title=f"In layer {best + 1} [CLS] takes {on_thing[best]:.0%} from the thing, which fills {cover.mean():.0%}; {elsewhere[best]:.0%} from where another's stands",
)

# %%
check(
    "In every layer [CLS] looks at the thing more than its size alone would bring",
    BIG or on_thing.min() > 1.3 * cover.mean(),
)
check(
    "… and more than at the place of another scene's thing",
    BIG or np.all(on_thing > elsewhere),
)
check("Yet it never looks at the thing alone", on_thing.max() < 0.95)

# %% [markdown]
# Nobody showed this network a mask. (Part of it is the middle, where things mostly stand. And attention is where a layer *takes* from, no proof of what it *uses*: Jain & Wallace 2019.)
#
# ### Which token is the embedding?
# We take [CLS]. The mean of the patch tokens is the other usual choice, and their largest values a third. *Which finds most?*

# %%
from utils.metrics import recall_at_k

tokens = {
    "[CLS]": seen.cls,
    "mean of the patches": seen.patches.mean(1),
    "maximum": seen.patches.max(1),
}
by_token = {name: recall_at_k(vectors, scenes.labels) for name, vectors in tokens.items()}
show_bars(
    by_token,
    intervals={name: score.interval() for name, score in by_token.items()},
    unit="recall@1, with 95 % interval",
    title=f"[CLS] finds {by_token['[CLS]']:.0%}, the mean of the patches {by_token['mean of the patches']:.0%}",
)

# %%
check(
    "[CLS], which the training aimed at, finds more than the mean",
    BIG or by_token["[CLS]"] > by_token["mean of the patches"],
)

# %% [markdown]
# That is no law: here the intervals overlap. Take the token that the training took, or try both on validation data.
#
# ### A small transformer on little data
# Ours has {{results:vit_scenes.parameters:,}} parameters, twice the CNN's. It saw the same two thousand drawings in scenes, and had help, **distillation** (Hinton et al. 2015; by features instead of class scores, as Romero et al. 2015), on these and on 25,000 photos of five of CIFAR-10's classes.
# The CNN was its teacher; [CLS] learned to point where the CNN's embedding points, and each patch token where the CNN's map points at that place.
# A recipe has also trained it from the labels alone, without those photos, with the same number of steps. *Where do you expect the three?* Mind that the CNN
# began with labelled photos of ten classes (lesson 00); from nothing a CNN finds less (lesson 03). The bars compare three educations, not two architectures.

# %%
trained = {
    "transformer, labels alone": measured("vit_alone")["scenes"],
    "transformer, taught by the CNN": measured("vit_scenes")["scenes"],
    "the CNN itself": measured("cnn_scenes")["scenes"]["cnn-scenes"],
}
show_bars(
    {name: found["recall_at_1"] for name, found in trained.items()},
    intervals={name: found["recall_at_1_interval"] for name, found in trained.items()},
    unit="recall@1 on 1,062 scenes of unseen things, with 95 % interval",
    title="On little data the transformer loses to its teacher",
)

# %%
found = [result["recall_at_1"] for result in trained.values()]
check("Taught by a CNN a transformer finds more than from labels alone", found[1] > found[0])
check("… and less than its teacher", found[1] < found[2])

# %% [markdown]
# What a CNN has built in, that neighbours belong together, a transformer must learn from examples, and two thousand drawings, even with 25,000 small photos, are few. A teacher is not the only way: others train small transformers on CIFAR-10 alone to
# more than 90 %, with convolutions at the start or a sense of neighbourhood built in (Hassani et al. 2021; Lee et al. 2021), and much augmentation stands for much data (Steiner et al. 2022). Ours is one recipe and one seed, and the taught one saw the photos besides. On
# ImageNet alone, without strong regularisation, ViT-B/16 stayed below a ResNet of its size; with 300 million pictures it won (Dosovitskiy et al. 2021). Better training has since closed most of
# that gap (Touvron et al. 2021). `BIG = True` takes one that learned from the 14 million pictures of ImageNet-21k, then from ImageNet.
#
# ## 3 · What does a score say?
# The **cosine** of two embeddings is their dot product, divided by both lengths: from −1 for opposite directions over 0 for right angles to 1 for the
# same direction. Our embeddings have length 1, so the product is enough.

# %%
from sklearn.metrics.pairwise import cosine_similarity

vectors = embed(vit, scenes)
a, b = seen.cls[0], seen.cls[1]
by_hand = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
check(
    "By hand, by scikit-learn, and as a product of unit vectors: one number",
    np.allclose([by_hand, vectors[0] @ vectors[1]], cosine_similarity([a], [b]), atol=1e-4),
)

# %%
one, two = np.triu_indices(len(scenes), 1)  # every pair of scenes
scores, same = (vectors @ vectors.T)[one, two], (scenes.labels[:, None] == scenes.labels)[one, two]
print(
    f"{len(scores):,} pairs, {same.mean():.2%} of them of one thing; scores from {scores.min():.2f} to {scores.max():.2f}"
)

# %%
from utils.plots import show_curve

edges = np.linspace(-1, 1, 41)
shares = {
    name: np.histogram(scores[kind], edges)[0] / kind.sum()
    for name, kind in (("one thing", same), ("two things", ~same))
}
beyond = (scores[~same] > np.median(scores[same])).sum()
show_curve(
    (edges[:-1] + edges[1:]) / 2, shares, xlabel="cosine", ylabel="share of pairs",
    title=f"{beyond:,} pairs of two things score higher than half of the pairs of one thing",
)  # fmt: skip

# %% [markdown]
# Two humps, far from parted. It is often said that 0 means "little in common" and −1 "very different". *Are two pictures at −0.3 more different than two
# at 0?* A yardstick that is not the score: whether two different things are at least of one **category**, such as animals.

# %%
category = scenes.relabel("category").labels
related = (category[:, None] == category)[one, two]
bins = {"below −0.2": (-1, -0.2), "−0.2 to −0.1": (-0.2, -0.1), "−0.1 to 0": (-0.1, 0), "0 to 0.1": (0, 0.1),
        "0.1 to 0.3": (0.1, 0.3), "0.3 to 0.5": (0.3, 0.5), "above 0.5": (0.5, 1)}  # fmt: skip
share = {
    name: related[~same & (low <= scores) & (scores < high)].mean()
    for name, (low, high) in bins.items()
}
show_bars(
    share,
    unit="share of pairs of two things that share a category",
    title="Above 0 a score says more and more, below 0 little",
)

# %%
check(
    "From 0 up the share grows over three times as much as it falls from 0 down",
    BIG or share["above 0.5"] - share["0 to 0.1"] > 3 * (share["−0.1 to 0"] - share["below −0.2"]),
)

# %% [markdown]
# There is no picture that is the *opposite* of a lion. Below zero lie unrelated pictures, much like those at zero. And across networks? *What share of pairs of
# two different things reaches 0.8: by pixels, by a network with random weights, by the photo network, by ours?*

# %%
high, plain = {}, pixel_vectors(scenes)
compared = {
    "pixels": ways["pixels"](scenes),
    "pixels, less the mean picture": unit(plain - plain.mean(0)),
}
compared |= {n: ways[n](scenes) for n in ("CNN, random weights", "CNN of photos", "transformer")}
for name, found in compared.items():
    high[name] = ((found @ found.T)[one, two][~same] > 0.8).mean()
show_bars(
    high,
    unit="share of pairs of two different things with a cosine above 0.8",
    title=f"0.8 is not 0.8: {high['pixels']:.0%} of different things reach it by pixels, {high['transformer']:.2%} by the transformer",
)

# %%
check(
    "By pixels and by random weights more than two in five of the different pairs reach 0.8",
    min(high["pixels"], high["CNN, random weights"]) > 0.4,
)
check("By the transformer fewer than one in a hundred", BIG or high["transformer"] < 0.01)
check("By pixels less the mean picture few", high["pixels, less the mean picture"] < 0.05)

# %% [markdown]
# Pixels score high because their numbers are all positive, and nothing was subtracted: all such vectors point into one corner of their space. With the mean picture taken off, few pairs reach 0.8.
# A score orders the answers of **one** network. It is no percentage of likeness, and it does not carry over to another network, another set, another
# pre-processing.
#
# ## 4 · Take the background away
# **rembg** finds the foreground with a network and cuts it out. A **session** holds the network; ours is a small U²-Net (Qin et al. 2020) that was trained on scenes with
# their true masks, a third of them on photos of CIFAR-10, and with `BIG = True` it is rembg's own u2net.

# %%
from PIL import Image
from rembg import remove

from utils.background import load_session

session = load_session("u2net" if BIG else "background")
picture = Image.fromarray(scenes.images[lion])
mask = remove(picture, session=session, only_mask=True)
cut_out = remove(picture, session=session)
print(
    f"mask: {mask.mode}, {mask.getextrema()[0]} to {mask.getextrema()[1]}; cut-out: {cut_out.mode}, its fourth channel is the mask"
)

# %% [markdown]
# A transparent picture cannot be embedded: something must stand behind. We paste. Each pixel is the mask's share of the picture and for the rest
# the colour behind, so that soft edges stay soft.

# %%
part = np.asarray(mask)[..., None] / 255
pasted = (part * scenes.images[lion] + (1 - part) * 255).round().astype(np.uint8)
true = scenes.masks[lion]
show_grid(
    {"": [scenes.images[lion], np.asarray(mask), true, pasted]},
    columns=["the scene", "mask found", "true mask", "pasted on white"],
    title="Scene, mask, paste: all there is to it",
)

# %%
from utils.background import remove_background

by_course = remove_background(scenes[[lion]], session).images[0]
check(
    "remove_background is these lines for many pictures",
    np.abs(by_course.astype(int) - pasted).max() <= 1,
)

# %% [markdown]
# ### How good are the masks?
# **IoU**, intersection over union: the pixels in both masks over those in either. 1 is perfect.
# As a baseline without any training **GrabCut** (Rother et al. 2004): it takes the frame for background, which costs it things that
# reach the frame, and lets two mixtures of colours fight for the rest. *Who is better, and by how much?*

# %%
from utils.background import find_masks, grab_cut_masks
from utils.masks import iou

masks_found = find_masks(scenes, session)
quality = iou(masks_found, scenes.masks)
few = slice(0, None, 10)
by = {
    "everything is thing": iou(np.full_like(scenes.masks, 255), scenes.masks)[few],
    "GrabCut": iou(grab_cut_masks(scenes[few]), scenes.masks[few]),
    "network": quality[few],
}
show_bars(
    {name: values.mean() for name, values in by.items()},
    unit=f"mean IoU on {len(by['network'])} scenes",
    title=f"The network's masks: IoU {by['network'].mean():.2f}; GrabCut's, untrained: {by['GrabCut'].mean():.2f}",
)

# %%
check(
    "The network beats GrabCut on its own kind of pictures",
    BIG or by["network"].mean() > by["GrabCut"].mean(),
)
check(
    "… and GrabCut, without training, comes within a fifth",
    by["GrabCut"].mean() > 0.8 * by["network"].mean(),
)

# %%
ranked = np.argsort(quality)
shown = ranked[[0, 1, 2, 3, len(ranked) // 4, len(ranked) // 2, -len(ranked) // 4, -1]]
show_grid(
    {"scene": scenes.images[shown], "found": masks_found[shown], "truth": scenes.masks[shown]},
    columns=[f"IoU {quality[i]:.2f}" for i in shown],
    title=f"From the worst masks to the best: half are above {np.median(quality):.2f}, a tenth below {np.quantile(quality, 0.1):.2f}",
)

# %% [markdown]
# ### Soft edges
# The mask's edge pixels are partly thing and partly background. **Alpha matting** keeps what is certain, opens a strip along the edge, and solves for the shares there
# from the colours on both sides (Levin et al. 2008).

# %%
tenth = scenes[few]
matted = find_masks(tenth, session, matting=True)
edge = (tenth.masks > 10) & (tenth.masks < 245)
off = {
    name: np.abs(m[edge] / 255 - tenth.masks[edge] / 255).mean()
    for name, m in (("as found", masks_found[few]), ("with alpha matting", matted))
}
show_bars(
    off,
    unit="mean error of a mask on the pixels of the edge, 0 to 1",
    title=f"Alpha matting takes {1 - off['with alpha matting'] / off['as found']:.0%} of the error off the edges",
)

# %%
check("Alpha matting mends edges", BIG or off["with alpha matting"] < off["as found"])

# %% [markdown]
# ### And on photographs?
# Here are four photographs that ship inside scikit-image, with outlines drawn by hand, and the masks of three methods.
# u2netp, the small sister of rembg's u2net, was trained on ten thousand photographs.

# %%
from utils import ROOT
from utils.photos import load_photos

photo = load_photos()
by_u2netp = np.asarray(Image.open(ROOT / "results/u2netp_masks.png")).reshape(4, 128, 128)
ours, grabbed = find_masks(photo, session), grab_cut_masks(photo, border=8)
each = zip(photo.images, photo.masks, ours, by_u2netp, grabbed, strict=True)
show_grid(
    dict(zip(photo.ids, each, strict=True)),
    columns=["photo", "outline", "this session", "u2netp", "GrabCut"],
    title="u2netp knows an astronaut, but not a cat that fills the frame",
)

# %%
theirs = measured("masks")["photos"]
table = {
    "this session": iou(ours, photo.masks),
    "GrabCut": iou(grabbed, photo.masks),
    "u2netp": list(theirs["u2netp"].values()),
}
import pandas as pd

pd.DataFrame(table, index=photo.ids).T.style.format("{:.2f}")

# %%
astronaut = photo.ids.index("astronaut")
check(
    "u2netp finds the astronaut, our network does not",
    BIG or table["u2netp"][astronaut] > 0.9 > 0.5 > table["this session"][astronaut],
)
check(
    "Both take a cat that fills the frame for background and keep its eyes",
    BIG or max(table["u2netp"][0], table["this session"][0]) < 0.3,
)

# %% [markdown]
# A network finds what was foreground *in its training*. To ours photographs were background: a third of its drawings stood on them, cats among them. To u2netp it is
# what stands out, and a cat that fills the picture does not; its eyes do. And is the saucer part of the cup? Look at masks before you trust them.
#
# ### A whole folder
# `cut_out_folder` writes a PNG with transparency for each picture, never touches the originals, and goes on where it was
# interrupted.

# %%
import tempfile
from pathlib import Path

from utils.background import cut_out_folder

with tempfile.TemporaryDirectory() as folder:
    originals, cut_outs = Path(folder, "originals"), Path(folder, "cut-outs")
    originals.mkdir()
    for i in range(4):
        Image.fromarray(photo.images[i]).save(originals / f"{photo.ids[i]}.jpg")
    (originals / "notes.txt").write_text("no picture")
    skipped = cut_out_folder(originals, cut_outs, session)
    made = sorted(path.name for path in cut_outs.iterdir())
    modes = {Image.open(path).mode for path in cut_outs.iterdir()}
print(made, "skipped:", skipped)
check(
    "Every photograph became a PNG with transparency, the note was skipped",
    len(made) == 4 and modes == {"RGBA"} and len(skipped) == 1,
)

# %% [markdown]
# ## 5 · Does it help the search?
# The same queries three times: scenes as they are, with the background removed by the masks we found, and by the true masks, which better masks
# would come near to. Behind stands white. *By how much will recall@1 rise: for pixels, for the transformer, for the CNN?*

# %%
without = remove_background(scenes, masks=masks_found)
ideal = remove_background(scenes, masks=scenes.masks)
sets = {"with background": scenes, "without, masks found": without, "without, true masks": ideal}
recall = {}
for way in ("pixels", "transformer", "CNN of scenes" if not BIG else "ResNet-50"):
    recall |= {
        f"{way}, {kind}": recall_at_k(ways[way](pictures), scenes.labels)
        for kind, pictures in sets.items()
    }
show_bars(
    recall,
    intervals={name: score.interval() for name, score in recall.items()},
    unit="recall@1, with 95 % interval",
    title="Without the background more is found, and better masks would find more still",
)

# %% [markdown]
# The intervals overlap, but the same queries asked each time: take each query's difference, and ask whether *its* mean is above zero.

# %%
from utils.metrics import gain, mean_average_precision_at_r

network_name = "CNN of scenes" if not BIG else "ResNet-50"
gains = {}
for way in ("pixels", "transformer", network_name):
    for kind in ("masks found", "true masks"):
        gains[f"{way}, {kind}"] = gain(
            recall[f"{way}, with background"], recall[f"{way}, without, {kind}"]
        )
show_bars(
    gains,
    intervals={name: value.interval() for name, value in gains.items()},
    unit="gain in recall@1, with 95 % interval",
    title=f"With the masks found the CNN gains {gains[f'{network_name}, masks found']:+.3f}, the transformer {gains['transformer, masks found']:+.3f}",
)

# %%
better = gain(
    *(recall[f"{network_name}, without, {kind}"] for kind in ("masks found", "true masks"))
)
check(
    "The CNN gains, and its interval is above zero",
    BIG or gains[f"{network_name}, masks found"].interval()[0] > 0,
)
check(
    "The transformer's gain with the masks found cannot be told from none",
    BIG or np.prod(gains["transformer, masks found"].interval()) < 0,
)
check(
    "True masks bring the CNN more than the masks found, query by query: the masks limit it",
    BIG or better.interval()[0] > 0,
)
times = {
    way: recall[f"{way}, without, masks found"] / recall[f"{way}, with background"]
    for way in ("pixels", "transformer", network_name)
}
check("Pixels gain most, measured by what they had", times["pixels"] == max(times.values()))

# %%
before, after = ways[network_name](scenes), ways[network_name](without)
precision = [mean_average_precision_at_r(vectors, scenes.labels) for vectors in (before, after)]
rise = gain(*precision)
print(
    f"mAP@R {precision[0]:.3f} → {precision[1]:.3f}, gain {rise:+.3f} (95 % interval {rise.interval()[0]:+.3f} to {rise.interval()[1]:+.3f})"
)
check("mAP@R rises as well", BIG or rise.interval()[0] > 0)

# %% [markdown]
# So both have something to win, as the true masks show. Section 1's first test, against the very same drawing, did not show it; the second did for the CNN. For the transformer
# a shared ground added too little to tell, and yet true masks bring it {{results:vit_background.experiment.vit.true, white.gain:+.3f}}. **A background need not be shared to disturb**: the network still has to find the lion in front of it.
#
# With alpha matting, in a recipe, the CNN gains {{results:vit_background.experiment.cnn.found, alpha matting, white.gain:+.3f}} (true masks bring {{results:vit_background.experiment.cnn.true over found, alpha matting.gain:+.3f}} more), the
# transformer {{results:vit_background.experiment.vit.found, alpha matting, white.gain:+.3f}}, whose interval still holds zero.

# %% [markdown]
# ### Whom does it help, whom does it hurt?
# A mean hides both. Here are three queries that found nothing right in their first five answers with the background, and do without it.

# %%
from utils.distances import nearest
from utils.plots import show_neighbours

answers = {}
for kind, way in (("before", before), ("after", after)):
    answers[kind], _ = nearest(way, way, 5, leave_one_out=True)
hits = {kind: (scenes.labels[rows] == scenes.labels[:, None]) for kind, rows in answers.items()}
helped = np.flatnonzero(~hits["before"].any(1) & hits["after"][:, 0])
hurt = np.flatnonzero(hits["before"][:, 0] & ~hits["after"].any(1))
print(
    f"{len(helped)} queries went from nothing right among five to right at once, {len(hurt)} the other way"
)

# %%
rows = helped[np.argsort(-hits["after"][helped].sum(1))][:3]
show_neighbours(
    scenes[rows],
    scenes,
    answers["before"][rows],
    title="With their background: nothing right among five",
)

# %%
show_neighbours(without[rows], without, answers["after"][rows], title="The same three without it")

# %%
rows = hurt[np.argsort(quality[hurt])][:3]
show_neighbours(
    without[rows],
    without,
    answers["after"][rows],
    title=f"Three of {len(hurt)} queries that were made worse, those with the worst masks",
)

# %% [markdown]
# Here the masks look to blame. *And in general? Do queries that lose have worse masks than queries that win?*

# %%
changed = gains[f"{network_name}, masks found"].per_query
of = {"won": changed > 0, "stayed": changed == 0, "lost": changed < 0}
mean_quality = {f"{name}, {rows.sum()} queries": quality[rows].mean() for name, rows in of.items()}
show_bars(
    mean_quality,
    unit="mean IoU of the query's own mask",
    title=f"{of['won'].sum()} queries find their first answer only now, {of['lost'].sum()} only before",
)

# %%
check(
    "No: the masks of those that lost are no worse than of those that won",
    BIG or abs(quality[of["won"]].mean() - quality[of["lost"]].mean()) < 0.03,
)

# %% [markdown]
# A gain of a few points is the difference of two larger numbers: every picture of the gallery has moved a little, and here a right one, there a wrong one came to
# lie nearer.

# %% [markdown]
# ### What to paste behind
# White is a choice. Each picture's own mean colour is quieter. Or one other colour behind all: a green, or the mean colour of all scenes. *Does it matter?* With true masks, so that nothing else
# varies.


# %%
pasted_on = {
    "each its own mean": "mean",
    "the mean of all": scenes.images.mean((0, 1, 2)),
    "a green": (96, 160, 96),
}
behind = {
    "with background": recall[f"{network_name}, with background"],
    "white": recall[f"{network_name}, without, true masks"],
}
for name, colour in pasted_on.items():
    pictures = remove_background(scenes, masks=scenes.masks, behind=colour)
    behind[name] = recall_at_k(ways[network_name](pictures), scenes.labels)

# %%
brought = {name: gain(behind["with background"], score) for name, score in behind.items()}
show_bars(
    behind,
    intervals={name: score.interval() for name, score in behind.items()},
    unit="recall@1 with true masks, with 95 % interval",
    title=f"White brings {brought['white']:+.3f}, a green {brought['a green']:+.3f}, each its own mean {brought['each its own mean']:+.3f}",
)

# %%
one_for_all = ("white", "the mean of all", "a green")
check(
    "One colour behind all pictures finds more than each picture's own mean, whichever of the three",
    BIG or all(behind[name] > behind["each its own mean"] for name in one_for_all),
)
check(
    "… and with white that is more than chance",
    BIG or gain(behind["each its own mean"], behind["white"]).interval()[0] > 0,
)
check(
    "White is not shown to be better than the green",
    BIG or gain(behind["a green"], behind["white"]).interval()[0] < 0,
)
colours = measured("vit_background")["experiment"]["cnn"]["one colour"]
colours = [colours[name] for name in ("grey", "black", "red", "green", "blue", "mean of all")]
check(
    "… nor to be better or worse than any of a recipe's six colours, by our CNN",
    all(np.prod(colour["over_white"]["gain_interval"]) < 0 for colour in colours),
)

# %% [markdown]
# What helps is that all pictures share the colour; their own means bring the backgrounds back. The fairest pair differs in nothing else: the mean of all, against each picture's own mean, brings our CNN {{results:vit_background.experiment.cnn.one colour.mean of all.over_own_mean.gain:+.3f}} more, and pixels, which
# learned nothing, {{results:vit_background.experiment.pixels.one colour.mean of all.over_own_mean.gain:+.3f}} (the transformer {{results:vit_background.experiment.vit.one colour.mean of all.over_own_mean.gain:+.3f}}, too little to tell). Which colour it is, our CNN's intervals cannot tell: in the recipe grey brings it {{results:vit_background.experiment.cnn.one colour.grey.gain:+.3f}}, black {{results:vit_background.experiment.cnn.one colour.black.gain:+.3f}}, a red {{results:vit_background.experiment.cnn.one colour.red.gain:+.3f}}, a blue {{results:vit_background.experiment.cnn.one colour.blue.gain:+.3f}}.
# So white is not shown to be best, though a third of the CNN's training pictures were drawings on white. With the masks that we found, white, mean and
# blur are too near to tell by our CNN ({{results:vit_background.experiment.cnn.found, white.gain:+.3f}}, {{results:vit_background.experiment.cnn.found, mean.gain:+.3f}} and {{results:vit_background.experiment.cnn.found, blur.gain:+.3f}}). For another network try it on validation data.
#
# ## 6 · Same or not? A matcher
# A search always answers. A **matcher** gets two pictures and must say *same thing* or *not*: the score against a **threshold**. Any threshold errs in two ways: pairs of
# two things pass (**false matches**), pairs of one thing fail (**misses**). The curve of both over all thresholds is the **ROC**; the point where they are equal is
# the **equal error rate**. We choose the threshold there, on pairs of the **validation** things, and never look back.

# %%
from sklearn.metrics import roc_curve

held_out = load_images("scenes", split="validation")


def pairs(vectors, labels):
    """The score of every pair of pictures, and whether both show one thing."""
    a, b = np.triu_indices(len(labels), 1)
    return (vectors @ vectors.T)[a, b], labels[a] == labels[b]


def equal_error(scores, same):
    """The threshold at which false matches and misses are equally frequent, and how frequent."""
    false, true, thresholds = roc_curve(same, scores, drop_intermediate=False)
    at = np.abs(false - (1 - true)).argmin()
    return thresholds[at], false[at]


# %%
matcher = ways[network_name]
threshold, error = equal_error(*pairs(matcher(held_out), held_out.labels))


def match(a, b):
    """Score and verdict for two pictures, each an ImageSet of one."""
    score = float(matcher(a)[0] @ matcher(b)[0])
    return score, "same" if score >= threshold else "not the same"


for i in (lion + 1, some[1]):
    value, verdict = match(scenes[[lion]], scenes[[i]])
    print(f"noto/lion and {scenes.ids[i]}: {value:.2f}, {verdict}")
print(f"threshold {threshold:.2f}, equal error {error:.0%}")

# %% [markdown]
# Now the test pairs, with the threshold as it is. *An error of a fifth, is that good enough to sort a folder into things?*

# %%
by_cnn, same = pairs(before, scenes.labels)
false, true, _ = roc_curve(same, by_cnn)
said = by_cnn >= threshold
grid = np.linspace(0, 1, 101)
clean_roc = roc_curve(*reversed(pairs(ways[network_name](ideal), scenes.labels)))
show_curve(
    grid,
    {"with background": np.interp(grid, false, true), "without, true masks": np.interp(grid, clean_roc[0], clean_roc[1]), "guessing": grid},
    xlabel="false matches, share of pairs of two things", ylabel="share of pairs of one thing found",
    title=f"At our threshold {said[~same].mean():.0%} of different pairs pass, and {(~said)[same].mean():.0%} of same pairs fail",
)  # fmt: skip

# %%
check(
    "On unseen things the two errors stay within five points of what validation promised",
    BIG or max(abs(said[~same].mean() - error), abs((~said)[same].mean() - error)) < 0.05,
)
print(
    f"{said.sum():,} pairs are called the same; {same[said].sum():,} of them are, {same[said].mean():.1%}"
)
check("Fewer than one in ten of the pairs called the same are", same[said].mean() < 0.1)

# %% [markdown]
# Errors of a fifth, and hardly any of the pairs called *same* are: only {{results:vit_background.matcher.positive_share:.1%}} of all pairs are, so a fifth of the others buries them. **An error rate without the
# base rate says nothing.** Nor does the ROC show it: both its axes are shares within a kind of pair, the same at any base rate. Where the right pairs are rare, draw **precision against recall** (Saito & Rehmsmeier 2015; exercise 02.2). A search needs no threshold, but it feels this, too: the more other things in the gallery, the more often one of them comes first. Who must decide needs a far stricter threshold, and accepts misses.
#
# ### Light, angle, scale
# The same drawing on the same ground, turned, scaled, lit. *At what angle, size, light will the mean score fall below the threshold?*

# %%
every = np.arange(0, len(scenes), 15)
middle = {"scale": 0.75, "x": 0.5, "y": 0.5, "angle": 0.0}


def variant(light=1.0, **fields):
    """Every 15th scene, the thing in the middle, with some fields of its placement changed."""
    values = {name: field[every] for name, field in placed._asdict().items()}
    values |= {name: np.full(len(every), value) for name, value in (middle | fields).items()}
    images = compose(drawings[every], type(placed)(**values), grounds[every])[0]
    return (light * images.astype(np.float32)).clip(0, 255).astype(np.uint8)


reference = embed(cnn, variant())


def score_of(pictures):
    return (reference * embed(cnn, pictures)).sum(1).mean()


# %%
angles = range(0, 181, 15)
turned = [score_of(variant(angle=np.deg2rad(angle))) for angle in angles]
show_curve(
    angles,
    turned,
    xlabel="turned by (degrees)",
    ylabel="mean cosine",
    levels={"threshold": threshold},
    title=f"Turned by {angles[3]}° a thing keeps a score of {turned[3]:.2f}",
)

# %%
scales = (0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.1, 1.3)
scaled = [score_of(variant(scale=scale)) for scale in scales]
show_curve(
    scales,
    scaled,
    xlabel="size of the thing, in sides of the scene (.75 is the reference)",
    ylabel="mean cosine",
    levels={"threshold": threshold},
    title=f"At size {scales[2]} a thing keeps {scaled[2]:.2f}, at {scales[0]} only {scaled[0]:.2f}",
)

# %%
lights = (0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.5, 2, 3)
lit = [score_of(variant(light)) for light in lights]
show_curve(
    lights,
    lit,
    xlabel="every pixel times",
    ylabel="mean cosine",
    levels={"threshold": threshold},
    title=f"In a tenth of the light {lit[0]:.2f} is left; in double light {lit[7]:.2f}",
)

# %%
check("Turning by 15°, as in training, costs less than a third", BIG or turned[1] > 0.67)
check(
    "Turning by 45° costs more than half, and upside down less than that",
    BIG or turned[3] < 0.5 < turned[-1],
)
check(
    "The score falls to both sides of the reference, step by step",
    BIG or all(np.all(np.diff(s) * ([1] * 5 + [-1] * 3) > 0) for s in (scaled, lit)),
)

# %% [markdown]
# Turning never brings the mean below the threshold, which is that low; only darkness does. But half of the score is soon gone.
# Upside down scores *better* than lying on its side: many drawings are round or symmetric. Whoever must find things turned or in the dark needs such pictures in training.
#
# ### Quality
# Pictures travel. *Which hurts most: JPEG at quality 5, a quarter of the side, or noise of 20 levels of 255?*

# %%
import io


def jpeg(pictures, quality):
    saved = [io.BytesIO() for _ in pictures]
    for picture, file in zip(pictures, saved, strict=True):
        Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.stack([np.asarray(Image.open(file)) for file in saved])


def smaller(pictures, side):
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    x = F.interpolate(x, (side, side), mode="bilinear", antialias=True)
    x = F.interpolate(x, pictures.shape[1:3], mode="bilinear")
    return x.permute(0, 2, 3, 1).numpy().astype(np.uint8)


def noisy(pictures, levels):
    noise = np.random.default_rng(0).normal(0, levels, pictures.shape)
    return (pictures + noise).clip(0, 255).astype(np.uint8)


# %%
good = variant()
worse = {f"JPEG, quality {q}": jpeg(good, q) for q in (75, 20, 5)}
worse |= {f"made {side} pixels wide": smaller(good, side) for side in (32, 16)}
worse |= {f"noise of {levels} levels": noisy(good, levels) for levels in (5, 20, 40)}
show_grid(
    {"as composed": good[:8]} | {name: worse[name][:8] for name in list(worse)[2::2]},
    title="To our eyes the noise does the least harm",
)

# %%
kept = {name: score_of(pictures) for name, pictures in worse.items()}
harms = ("made 16 pixels wide", "noise of 20 levels", "JPEG, quality 5")
three = {name: kept[name] for name in harms}
worst = min(three, key=three.get)
show_bars(
    kept,
    unit="mean cosine to the good picture",
    title=f"Of the three, {worst} hurts most: {three[worst]:.2f} is left",
)

# %%
check(
    "A quarter of the side costs most, then the noise, then the worst of the JPEGs",
    BIG or sorted(three, key=three.get) == list(harms),
)
check("JPEG at the usual 75 costs less than a third", BIG or kept["JPEG, quality 75"] > 2 / 3)

# %% [markdown]
# A quarter of the side robs us, too. But the noise? Our drawings are smooth, grain was not among what training varied, and the network began with photos saved as JPEG. **What a network forgives is what its training showed it**, not what looks harmless to us.
#
# ## 7 · Which part matches which?
# [CLS] says *that* two pictures are alike. The other tokens stand for places: for each patch of one picture we look for the
# most similar patch of the other. Patches of the background are left out, by the masks.
#
# We compose one drawing at the upper left and at the lower right, before different grounds, so we know which place went where.


# %%
def placed_at(x, y):
    values = {name: field[every] for name, field in placed._asdict().items()}
    values |= {
        name: np.full(len(every), v)
        for name, v in (("scale", 0.55), ("x", x), ("y", y), ("angle", 0.0))
    }
    return type(placed)(**values)


left, cover_left = compose(drawings[every], placed_at(0.3, 0.3), grounds[every])
right, cover_right = compose(drawings[every], placed_at(0.7, 0.65), grounds[np.roll(every, 1)])
shift = np.array([0.65 - 0.3, 0.7 - 0.3])  # down and across, in sides of the scene


def inside(masks, rows):
    """Which of rows × rows patches the thing fills by half, or most: bool N×(rows²)."""
    cover = F.adaptive_avg_pool2d(torch.from_numpy(masks / 255)[:, None], rows)
    cover = cover.flatten(1).numpy()
    return cover >= np.minimum(0.5, cover.max(1, keepdims=True))


# %%
def matches(i, tokens_left, tokens_right):
    """Of each patch of the thing in the left scene i, the most similar patch of the right one.

    Rows of down, across (left), down, across (right), from 0 to 1.
    """
    rows = round(tokens_left.shape[1] ** 0.5)
    a, b = (np.flatnonzero(inside(mask[[i]], rows)[0]) for mask in (cover_left, cover_right))
    alike = unit(tokens_left[i, a]) @ unit(tokens_right[i, b]).T
    places = [np.stack(np.divmod(at, rows), axis=1) for at in (a, b[alike.argmax(1)])]
    return (np.concatenate(places, axis=1) + 0.5) / rows


# %% [markdown]
# Three things can stand for a patch: its pixels, the transformer's token, and the CNN's feature map at that place. *Whose matches will be right most
# often?* (In the recipe's pairs {{results:vit_background.matches.chance.right:.0%}} of chance matches are.)

# %%
from utils.embedder import feature_maps

layer = "layer3" if BIG else "stages.1"


def tokens_of(pictures):
    maps = feature_maps(cnn, pictures, [layer])[layer]
    pixels = F.unfold(torch.from_numpy(pictures / 255 - 0.5).permute(0, 3, 1, 2), 8, stride=8)
    return {
        "pixels": pixels.mT.numpy(),
        "transformer tokens": look(vit, pictures).patches,
        "CNN maps": maps.reshape(*maps.shape[:2], -1).swapaxes(1, 2),
    }


of_left, of_right = tokens_of(left), tokens_of(right)
matched = {
    name: [matches(i, of_left[name], of_right[name]) for i in range(len(every))] for name in of_left
}


# %%
def right_share(places):
    """Share of matches that end within an eighth of a scene of the true place."""
    off = np.concatenate([p[:, 2:] - p[:, :2] - shift for p in places])
    return (np.linalg.norm(off, axis=1) < 1 / 8).mean()


correct = {name: right_share(places) for name, places in matched.items()}
show_bars(
    correct,
    unit="share of matches that end within 8 pixels of the true place",
    title=f"Right matches: CNN maps {correct['CNN maps']:.0%}, transformer tokens {correct['transformer tokens']:.0%}",
)

# %%
from utils.plots import show_matches

n = 5
for name, step in (("transformer tokens", 2), ("CNN maps", 4)):
    lines = 64 * matched[name][n][::step] - 0.5  # every second or fourth match, or we see none
    show_matches(left[n], right[n], lines, title=f"Matches by {name}, all to go down and right")

# %%
check("The CNN's maps match better than pixels", BIG or correct["CNN maps"] > correct["pixels"])

# %% [markdown]
# The CNN's maps are better here, even those of its last stage, which see nearly everything ({{results:vit_background.matches.cnn maps, stage 3.right:.0%}} of the matches that choose each other are right). Our tokens, though taught to point where those maps point, say
# less of their place than its pixels, which have it easy: the same drawing in the same light. Large transformers trained without labels do this far better: the keys of
# DINO's patches match parts across photographs (Amir et al. 2022), and the tokens of DINOv2 do (Oquab et al. 2023). So the architecture does not forbid it.
#
# ## Exercises
# ### Exercise 02.1 · Paste
# Write `paste(picture, mask, colour)`: the thing stays, `colour` comes behind it, and soft edges stay soft. The picture is uint8 H×W×3, the mask uint8 H×W from 0
# (background) to 255, the colour three numbers from 0 to 255. Return uint8 H×W×3, rounded, and leave the picture and the mask as they were.


# %% tags=["solution"] id="ex-02-1"
def paste(picture, mask, colour):
    """The picture where the mask is 255, the colour where it is 0, a mixture between: uint8 H×W×3."""
    share = mask[..., None] / 255
    return (share * picture + (1 - share) * np.array(colour)).round().astype(np.uint8)


# %% tags=["grader"] id="grade-02-1"
from utils.course import exercise, progress

exercise("02.1", paste)

# %% [markdown]
# ### Exercise 02.2 · A stricter threshold
# A sorter of folders must be right when it says *same*. Write `strict_threshold(scores, same, precision)`: the **lowest** threshold at which, of the pairs with `score >= threshold`, at
# least the share `precision` is the same. `scores` is float N, `same` bool N; scikit-learn's `precision_recall_curve` may help. Then choose it on the **validation** pairs for a precision
# of one half, and look at the test pairs once: how many of those called *same* are, and how many of the same pairs are found?


# %% tags=["solution"] id="ex-02-2"
def strict_threshold(scores, same, precision):
    """The lowest threshold at which a share `precision` of what passes is the same: a float."""
    from sklearn.metrics import precision_recall_curve

    right, _, thresholds = precision_recall_curve(same, scores)
    return thresholds[np.flatnonzero(right[:-1] >= precision)[0]]


# %% tags=["grader"] id="grade-02-2"
exercise("02.2", strict_threshold)

# %% [markdown]
# ### Exercise 02.3 · Matches that agree
# In section 7 every patch gets a match, whether there is one or not. Better ones are **mutual**. Write `mutual_matches(a, b)`: tokens P×D and Q×D in, int M×2
# out, the rows `(i, j)` for which b[j] is the most similar to a[i] by cosine **and** a[i] the most similar to b[j]. Put it into `matches` (its i, j count within `a` and `b`) and see how the share of right ones changes. *(With
# `BIG = True` try ViT-B/16's 196 tokens, and its middle layers; there a GPU pays, and on Colab you choose one under Runtime.)*


# %% tags=["solution"] id="ex-02-3"
def mutual_matches(a, b):
    """Which tokens of a (P×D) and b (Q×D) are each other's nearest by cosine: int M×2."""
    alike = unit(a) @ unit(b).T
    to = alike.argmax(1)
    chosen = np.flatnonzero(alike.argmax(0)[to] == np.arange(len(a)))
    return np.stack([chosen, to[chosen]], axis=1)


# %% tags=["grader"] id="grade-02-3"
exercise("02.3", mutual_matches)

# %%
progress()

# %% [markdown]
# ## Quiz
# **1. A picture of 224×224 is cut into patches of 16×16. How many tokens enter the layers?**
# <details><summary>Answer</summary>14 × 14 = 196 patches, and [CLS]: 197.</details>
#
# **2. Network A gives a pair 0.8, network B 0.3. Which is surer that they show one thing?**
# <details><summary>Answer</summary>Nobody knows. Ask each network how often two different things score as high: with random weights half of
# them reach 0.8.</details>
#
# **3. Your search follows the background. Name two cures.**
# <details><summary>Answer</summary>Remove the background, which is as good as your masks are; or train with the same things before many backgrounds, as our
# networks were. Both together are best.</details>
#
# **4. A matcher errs on 20 % of the same pairs and 20 % of the different ones. Why are hardly any of the pairs it calls *same* the same?**
# <details><summary>Answer</summary>Nearly all pairs are different, so a fifth of them is far more than four fifths of the few that are the same.</details>

# %% [markdown]
# ## In one paragraph
# How much the background says is up to the training: colours and random weights follow it, pixels toss a coin. By networks that saw each thing before many grounds it hardly ever beats the very same drawing, and another artist's in one scene of six or eight, mostly whatever the ground. Removing it
# helps even these, as far as the masks are good. A mask is the answer of a network to what it was taught to call foreground; outside of that it fails, and
# only looking shows it. A Vision Transformer cuts a picture into words, adds positions, and lets every token take from every other; on little data ours learned far more from a teacher and its photos than from labels alone. A cosine
# orders the answers of one network. It is no percentage, and for a verdict it needs a threshold from validation pairs and the base rate in mind.
#
# ## Go further
# - Rother et al., *GrabCut* (2004); Levin et al., *A Closed-Form Solution to Natural Image Matting* (2008).
# - Hinton et al., *Distilling the Knowledge in a Neural Network* (2015).
# - Vaswani et al., *Attention Is All You Need* (2017); Dosovitskiy et al., *An Image Is Worth 16×16 Words* (2021).
# - Hassani et al., *Escaping the Big Data Paradigm with Compact Transformers* (2021); Lee et al., *Vision Transformer for Small-Size Datasets* (2021); Steiner et al., *How to Train Your ViT?* (2022).
# - Saito & Rehmsmeier, *The Precision–Recall Plot Is More Informative than the ROC Plot When Evaluating Binary Classifiers on Imbalanced Datasets* (2015).
# - Jain & Wallace, *Attention Is Not Explanation* (2019).
# - Qin et al., *U²-Net: Going Deeper with Nested U-Structure for Salient Object Detection* (2020).
# - Amir et al., *Deep ViT Features as Dense Visual Descriptors* (2022).
# - Xiao et al., *Noise or Signal: The Role of Image Backgrounds in Object Recognition* (2021).
