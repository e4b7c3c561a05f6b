# %% [markdown]
# # 08 · Do we need labels at all?
# Labels are what costs. Here networks learn from pictures alone: two changed copies of a picture are alike, all other pictures are not. We see what that teaches, what it teaches without being asked, and how near it comes to labels.
#
# **After this lesson you can**
# - make two views of a picture, and write the loss that brings them together and keeps all others apart;
# - say which changes carry the learning, and spot a shortcut that they leave open;
# - build MoCo's queue and its second network, and say when a queue is worth more than a bigger batch;
# - train with a projection head, drop it, and know why;
# - recognise a collapse, and cure it.
#
# *Before you start: lessons 01 and 03. {{results:lessons.08_without_labels.seconds:.0f}} seconds to run on two cores, no GPU, no network.*

# %%
from utils.course import check, measured, start

BIG = False  # True: the last exercise learns from CIFAR-10's own photos, for a GPU
start("08_without_labels", big=BIG)

# %% [markdown]
# ## 1 · Two views of one picture
# A **view** is a random change after which a person still sees the same thing: a part of the picture, mirrored, in other colours, blurred. That gives pairs that belong together, for nothing. *Would you know which two belong together?*

# %%
import numpy as np
import torch

from utils.contrast import Views, as_pictures
from utils.images import load_images
from utils.photos import load_photos
from utils.plots import show_grid

scenes, photos = load_images("scenes", "train"), load_photos()
torch.manual_seed(3)
eight = [torch.from_numpy(p)[None] for p in [*scenes.images[[40, 400, 900, 1300]], *photos.images]]
rows = {"picture": [p[0].numpy() for p in eight]}
for name in ("a view", "another"):
    rows[name] = [as_pictures(Views().pixels(p))[0] for p in eight]
show_grid(rows, title="Two views each: the thing is the same, hardly a pixel is")

# %% [markdown]
# Four parts make a view; each can be switched off. Here is what each does alone to one photograph, six times.

# %%
cat = torch.from_numpy(photos.images[:1]).expand(6, -1, -1, -1)
off = {"crop": None, "flip": False, "colour": 0, "blur": 0}
alone = {part: Views(**{k: v for k, v in off.items() if k != part}) for part in off}
show_grid(
    {f"only {part}": as_pictures(view.pixels(cat)) for part, view in alone.items()},
    title="Crop and flip move the cat, colour and blur repaint it",
)

# %%
plain = Views(**off).pixels(cat)
check("With all parts off, all views are the same", bool((plain == plain[0]).all()))
seen = Views().pixels(cat)
check("With all on, no two are", len(torch.unique(seen.flatten(1), dim=0)) == 6)

# %% [markdown]
# ## 2 · Find your other half
# Take N pictures and two views of each: 2N vectors and all their cosines. Every view is asked the same question: *which of the other 2N − 1 is my picture's other view?* No label is needed to know the answer. We ask a network that learned in this way, our `cnn-simclr`.

# %%
import torch.nn.functional as F

from utils.models import load_model
from utils.plots import show_matrix

views = Views()
nets = {
    "untrained": load_model("cnn-simclr", trained=False, device="cpu"),
    "cnn-simclr": load_model("cnn-simclr", device="cpu"),
}
six = torch.from_numpy(scenes.images[[40, 400, 700, 900, 1300, 1700]])
torch.manual_seed(5)
x = torch.cat([views(six), views(six)])
with torch.inference_mode():
    z = {name: net.module(x) for name, net in nets.items()}
all_cosines = {name: (v @ v.T).numpy() for name, v in z.items()}
cosines, others = all_cosines["cnn-simclr"], np.roll(np.arange(12), 6)
right = (np.where(np.eye(12), -1, cosines).argmax(1) == others).sum()
show_matrix(
    all_cosines,
    [f"{letter}{view}" for view in "12" for letter in "abcdef"],
    unit="cosine",
    title=f"a1 belongs to a2, b1 to b2, …: after training {right} of 12 find their other half",
)

# %%
check("At least ten of twelve find their other half; by chance one would", right >= 10)

# %% [markdown]
# To answer is to classify, with 2N − 1 classes that are new in every batch. So the loss is a cross-entropy over cosines, divided by a **temperature** τ. One right answer among many wrong ones, by softmax, is older (N-pair, Sohn 2016; every picture its own class, Wu et al. 2018; InfoNCE, van den Oord et al. 2018); in this form it is called **NT-Xent** (Chen et al. 2020, SimCLR):
#
# $$\ell_{i} = -\log \frac{\exp(\cos(z_i, z_{j})/\tau)}{\sum_{k \neq i} \exp(\cos(z_i, z_k)/\tau)}, \quad j \text{ the other view of } i$$


# %%
def contrast(a, b, temperature):
    """NT-Xent of two views of N pictures, N×D each."""
    z = F.normalize(torch.cat([a, b]), dim=1)
    scores = z @ z.T / temperature
    scores.fill_diagonal_(-torch.inf)  # a view is no answer to its own question
    n = len(a)
    other = torch.cat([torch.arange(n) + n, torch.arange(n)])
    return F.cross_entropy(scores, other)


# %%
from pytorch_metric_learning.losses import NTXentLoss

from utils.contrast import nt_xent

a, b = torch.randn(2, 32, 16)
ours = contrast(a, b, 0.2)
library = NTXentLoss(0.2)(torch.cat([a, b]), torch.arange(32).repeat(2))
print(f"ours {ours:.5f}, pytorch-metric-learning {library:.5f}; pure guessing {np.log(63):.5f}")
check("Ten lines and the library agree", torch.allclose(ours, library, atol=1e-5))
check("… and so does utils.contrast", torch.allclose(ours, nt_xent(a, b, 0.2), atol=1e-5))

# %% [markdown]
# ### What the temperature does
# The gradient pushes a view away from the wrong answers, and more from those that are near. *A low temperature: does it spread the push over all of them, or aim it at the nearest?*

# %%
from utils.plots import show_bars


def aimed(temperature):
    """Share of the push away from the wrong answers that the nearest one gets."""
    scores = torch.from_numpy(cosines).clone().fill_diagonal_(-torch.inf).requires_grad_()
    F.cross_entropy(scores / temperature, torch.from_numpy(others)).backward()
    push = scores.grad.clamp(min=0)
    return (push.max(1).values / push.sum(1)).mean().item()


shares = {f"τ = {t}": aimed(t) for t in (0.05, 0.1, 0.2, 0.5, 1.0)}
show_bars(
    shares,
    unit="share of the push that the nearest wrong answer gets",
    title=f"The colder, the more it aims: {shares['τ = 1.0']:.0%} at τ = 1, {shares['τ = 0.05']:.0%} at .05",
)

# %%
check("The colder, the more it aims", list(shares.values()) == sorted(shares.values())[::-1])

# %% [markdown]
# From our recipe: the same network from random weights, {{results:without_labels.main.simclr.steps:d}} steps of 256 pictures at each temperature, asked for drawings of things that it never saw.

# %%
record = measured("without_labels")


def recorded(group, score="drawings", names=None):
    """Means over seeds by setting, and their lowest and highest: for show_bars."""
    runs = {name: run["test"][score] for name, run in record[group].items()}
    runs = {name.replace("_", "."): run for name, run in runs.items() if not names or name in names}
    means = {name: run["mean"] for name, run in runs.items()}
    return means, {name: (run["low"], run["high"]) for name, run in runs.items()}


by_temperature, ranges = recorded("temperature")
warmest, best = by_temperature["temperature 1.0"], max(by_temperature.values())
show_bars(
    by_temperature,
    unit="recall@1, drawings of unseen things",
    intervals=ranges,
    title=f"Aiming pays: {best:.2f} at best, {warmest:.2f} at temperature 1",
)

# %%
check("At temperature 1 it finds least", warmest == min(by_temperature.values()))

# %% [markdown]
# Colder than .05 we did not try. A bigger batch asks harder questions: more wrong answers. *With as many pictures seen in all, is 512 better than 64?*

# %%
by_batch, ranges = recorded("batch")
show_bars(
    by_batch,
    unit="recall@1, drawings of unseen things",
    intervals=ranges,
    title=f"Here it is not: {by_batch['batch 64']:.2f} with 64 pictures a step, {by_batch['batch 512']:.2f} with 512",
)

# %%
check(
    "With the same pictures seen, 64 a step find more than 512",
    by_batch["batch 64"] > by_batch["batch 512"],
)

# %% [markdown]
# The eightfold batch takes an eighth of the steps, at the same learning rate; which of the two is to blame we have not measured. Chen et al., who scale the rate with the batch, find (figure 9) the opposite at a hundred epochs of ImageNet: there big batches are ahead, and the longer they train, the less it matters.
#
# ## 3 · Which change carries the learning?
# What the views have in common is what the network may hold on to; what they change it learns to ignore. So the choice of changes *is* the teaching. *Which of the four alone teaches most? Which harms?*

# %%
names = ["none", "only crop", "only flip", "only colour", "only blur", "all"]
by_change, ranges = recorded("augmentation", names=names)
untrained = record["baselines"]["untrained"]["drawings"]
by_change["untrained"] = untrained["mean"]
ranges["untrained"] = untrained["low"], untrained["high"]
show_bars(
    by_change,
    unit="recall@1, drawings of unseen things",
    intervals=ranges,
    title=f"On drawings colour alone finds {by_change['only colour']:.2f}, a crop alone {by_change['only crop']:.2f}",
)

# %%
singles = [by_change[f"only {part}"] for part in off]
check("On drawings colour alone teaches most", by_change["only colour"] == max(singles))
alone = [by_change[f"only {part}"] for part in off if part != "colour"]
check("… each of the others less than no training at all", max(alone) < untrained["low"])
check("… and a crop least", by_change["only crop"] == min(singles))

# %% [markdown]
# Two copies without any change ("none") teach something, too: all other pictures must still be told apart. But the networks learned from scenes, and drawings on white are another world. *Will scenes tell the same order? And what happens when one of the four is left out?*

# %%
left_out = {"untrained": "untrained", "all": "all four"}
left_out |= {f"without {part}": f"without {part}" for part in off}
for kind in ("drawings", "scenes"):
    means, ranges = recorded("augmentation", kind)
    before = record["baselines"]["untrained"][kind]
    means["untrained"], ranges["untrained"] = before["mean"], (before["low"], before["high"])
    order = sorted(left_out, key=means.get)
    show_bars(
        {told: means[name] for name, told in left_out.items()},
        unit=f"recall@1, {kind} of unseen things",
        intervals={told: ranges[name] for name, told in left_out.items()},
        title=f"On {kind} {left_out[order[-1]]} finds most, {left_out[order[0]]} least",
    )

# %%
on_scenes = record["augmentation"]
lowest, highest = (
    {name: run["test"]["scenes"][end] for name, run in on_scenes.items()} for end in ("low", "high")
)
check("On scenes leaving out blur finds more", lowest["without blur"] > highest["all"])
check(
    "… leaving out crop or colour less, as on drawings",
    max(highest["without crop"], highest["without colour"]) < lowest["all"],
)
check("… and blur alone finds less than no training", highest["only blur"] < lowest["only crop"])

# %% [markdown]
# Crop and colour are needed in both. But a crop *alone*, the worst of all on drawings, is no worse on scenes than no training ({{results:without_labels.augmentation.only crop.test.scenes.mean:.3f}}; untrained {{results:without_labels.baselines.untrained.scenes.mean:.3f}}); there blur alone is ({{results:without_labels.augmentation.only blur.test.scenes.mean:.3f}}). Blur takes away the small marks by which scenes of 64 pixels can be told; leaving it out is the best of the settings here on scenes ({{results:without_labels.augmentation.without blur.test.scenes.mean:.3f}}), and on drawings it costs little. What a change is worth depends on the others, and on what we ask for.
#
# Chen et al. describe of colour on photographs: two crops of one picture share their colours, and the histogram of colours gives them away. The network takes that **shortcut** and looks no further. Changed colours close it. (Of single changes their figure 5 tells otherwise: a crop alone is best there, and colour alone far behind.) *Is another one left? Think of what two crops of a scene have in common besides the thing.*
#
# We put every validation thing before two backgrounds, and ask each network: is a scene nearer to the same thing before another background, or to another thing before the same background?

# %%
from utils.embed import embed
from utils.emoji import read_emoji, read_textures
from utils.scenes import compose, random_backgrounds, random_placements


def twice(split):
    """Every thing of a split before two backgrounds, at the same place in the same light."""
    drawings, _ = read_emoji([split])
    numbers, half = range(len(drawings)), len(drawings) // 2  # half the set away: another thing
    places, behind = random_placements(numbers), random_backgrounds(numbers, read_textures(split))
    return [compose(drawings, places, b)[0] for b in (behind, np.roll(behind, half, axis=0))]


here, moved = twice("validation")
half, some = len(here) // 2, np.array([60, 110, 160, 210])
show_grid(
    {"a scene": moved[some], "same thing": here[some], "same background": here[some - half]},
    title="Which of the two below is more like the one on top?",
)

# %%
looks = {name: load_model(name) for name in ("cnn-simclr", "cnn-moco", "cnn")}
looks = {"untrained": load_model("cnn-simclr", trained=False)} | looks
wins = {}
for name, model in looks.items():
    u, v = embed(model, here), embed(model, moved)
    wins[name] = ((u * v).sum(1) > (np.roll(u, half, axis=0) * v).sum(1)).mean()
wins["cnn, taught by labels"] = wins.pop("cnn")
show_bars(
    wins,
    unit="share of scenes that go with the thing, not with the background",
    title=f"Without labels {wins['cnn-simclr']:.0%} go with the thing, with labels {wins['cnn, taught by labels']:.0%}",
)

# %%
check(
    "Our cnn, taught by labels, holds to the thing more often than those without",
    wins["cnn, taught by labels"] > max(wins["cnn-simclr"], wins["cnn-moco"]),
)

# %% [markdown]
# (No fair race: `cnn` began with labelled photographs, and its labels put one thing before many backgrounds.) Nobody told the others that the background is not meant. It is in both views, so it is as good a mark as the thing. A change that takes it away must know where the thing is: with a mask the second view can stand before another background. That is no longer learning for nothing: a mask is a kind of label, too. Ours come with the drawings; elsewhere somebody must draw them, or a network that was taught by somebody.

# %%
new = record["augmentation"]["and new background"]["test"]
usual = record["augmentation"]["all"]["test"]
pair = {
    f"{what}, {kind}": run[kind]["mean"]
    for kind in ("scenes", "drawings")
    for what, run in (("usual views", usual), ("and a new background", new))
}
times = new["scenes"]["mean"] / usual["scenes"]["mean"]
show_bars(
    pair,
    unit="recall@1, unseen things",
    title=f"Another background behind the second view: {times:.1f} times as much on scenes",
)

# %%
check("A new background behind the second view helps on scenes", times > 1)

# %% [markdown]
# ## 4 · MoCo: a queue in place of a bigger batch
# More wrong answers need not come from the same batch. **MoCo** (He et al. 2020) keeps the vectors of earlier batches in a **queue**: first in, first out. In the open, with the names of the things that each vector shows:

# %%
from utils.triplet import shuffled

draw = shuffled(len(scenes), 6, seed=1)
queue = []
for turn in range(4):
    batch = [scenes.label_of(i) for i in draw(turn)]
    print(f"step {turn}: a batch of {batch[:3]} …, wrong answers in the queue: {len(queue)}")
    queue = (batch + queue)[:12]  # the newest in front, the oldest fall out
print("in the queue:", queue)

# %%
check("A batch of MoCo is no single class", len(set(batch)) > 3)
check("… and neither is its queue", len(set(queue)) > 6)

# %% [markdown]
# One summary that we built on says that MoCo compares a picture with a mini-batch of pictures *of its class*. There are no classes here: a picture's only right answer is its own other view, and the queue is a random piece of everything else. With 367 things a queue of 4,096 holds about eleven pictures of the query's own thing, all wrongly called wrong.
#
# The vectors in the queue were made by the network as it was some steps ago. If it learns fast they are out of date, and old is easy to tell from new. So MoCo makes them with a **follower** (the *momentum encoder*), a second network whose weights are a slow average of the learner's: θ′ ← m θ′ + (1 − m) θ. *How far does it lag at m = .9, .99, .999?*

# %%
from utils.plots import show_curve

rng = np.random.default_rng(0)
learner = np.cumsum(rng.normal(size=400))  # one weight, as it wanders
curves = {"learner": learner}
for m in (0.9, 0.99, 0.999):
    weight, path = learner[0], []
    for now in learner:
        weight = m * weight + (1 - m) * now
        path.append(weight)
    curves[f"m = {m}"] = np.array(path)
show_curve(
    range(400),
    curves,
    xlabel="step",
    ylabel="one weight",
    title="The follower is calm; the larger m, the later it comes",
)

# %%
rough = {name: np.abs(np.diff(path)).mean() for name, path in curves.items()}
check(
    "The larger m, the smoother the follower",
    rough["m = 0.9"] > rough["m = 0.99"] > rough["m = 0.999"],
)
lag = {name: np.abs(path - learner).mean() for name, path in curves.items()}
check("… and the farther behind", lag["m = 0.9"] < lag["m = 0.99"] < lag["m = 0.999"])

# %% [markdown]
# Now one real step, in the open and by `utils.contrast`: the follower moves, makes the keys, each query must find its own key among those of the queue.


# %%
def moco_loss(queries, keys, queue, temperature):
    """InfoNCE: the own key is right, all of the queue is wrong. Unit vectors, N×D, N×D, K×D."""
    own = (queries * keys).sum(1, keepdim=True)
    scores = torch.cat([own, queries @ queue.T], dim=1) / temperature
    return F.cross_entropy(scores, torch.zeros(len(queries), dtype=torch.long))


# %%
from utils.cnn import CompactCNN
from utils.contrast import MoCo, Projected, Queue

torch.manual_seed(0)
moco = MoCo(Projected(CompactCNN(None, (8, 16, 16)), 8), momentum=0.9).train()
with torch.no_grad():
    for weight in moco.learner.parameters():
        weight.mul_(1.1)  # as if it had learned
before = moco.follower.head[0].weight.clone()
vectors = moco(torch.cat([views(six), views(six)]))
expected = 0.9 * before + 0.1 * moco.learner.head[0].weight
keeper, old = Queue(32, 8, temperature=0.2), F.normalize(torch.randn(32, 8), dim=1)
keeper.put(old)
by_library, by_hand = keeper(vectors, None), moco_loss(vectors[:6], vectors[6:], old, 0.2)
check(
    "The follower has moved a tenth of the way",
    torch.allclose(moco.follower.head[0].weight, expected),
)
check(
    "Five lines and utils.contrast agree on the loss",
    torch.allclose(by_library, by_hand, atol=1e-5),
)
check("The newest keys are in the queue now", torch.allclose(keeper.keys[:6].flip(0), vectors[6:]))

# %% [markdown]
# ### A queue or a bigger batch?
# What a step must hold is mostly the activations that the gradient needs, and they grow with the batch. Keys need no gradient, so of MoCo's two views only one counts; a key in the queue is one short vector. *What do four thousand wrong answers cost as a queue, and as a batch?*

# %%
import pandas as pd

table = []
for group, method in (("batch", "SimCLR"), ("queue", "MoCo, batch 128")):
    for name, run in record[group].items():
        memory = run["memory"]["activations"] + run["memory"]["queue and follower"]
        found = run["test"]["drawings"]["mean"]
        table.append((f"{method}, {name}", memory, found, run["seeds"]))
columns = ["", "memory of a step, MiB", "recall@1, drawings", "seeds"]
table = pd.DataFrame(table, columns=columns).set_index("")
a_picture = record["batch"]["batch 512"]["memory"]["activations"] / 512
print(f"4,096 wrong answers as a batch, 2,049 pictures: about {2049 * a_picture:,.0f} MiB")
table.style.format({columns[1]: "{:.0f}", columns[2]: "{:.3f}"})

# %%
of = record["queue"]["queue 4096"]["memory"]
small, large = table.loc["SimCLR, batch 64"], table.loc["MoCo, batch 128, queue 4096"]
share = of["queue and follower"] / of["activations"]
print(f"queue of 4,096 and follower: {of['queue and follower']:.0f} MiB, {share:.1%} of the rest")
check("The queue and the follower cost next to nothing", share < 0.05)
check(
    "MoCo with 128 a batch takes hardly more than SimCLR with 64: within 5 %",
    large.iloc[0] < 1.05 * small.iloc[0],
)
check("At this memory and budget SimCLR still finds more", small.iloc[1] > large.iloc[1])

# %% [markdown]
# So a queue is nearly free, and yet it does not win here, nor does a longer one find more ({{results:without_labels.queue.queue 128.test.drawings.mean:.2f}}, {{results:without_labels.queue.queue 1024.test.drawings.mean:.2f}}, {{results:without_labels.queue.queue 4096.test.drawings.mean:.2f}}; one run each). None of them reaches what the network found before training ({{results:without_labels.baselines.untrained.drawings.mean:.2f}}), so they do not tell which length is best. Why is not measured. For the same pictures a batch of 128 takes half the steps that one of 64 takes, and the learner sees gradients of one view, where SimCLR's sees two: that alone may explain it. The follower may lag (we tried one *m*, .99); batch normalisation may betray which key is of the same batch, against which He et al. shuffle (section 3.3) and we do nothing; some keys show the query's own thing; and more wrong answers were no help to SimCLR either. He et al. train for days on pictures of 224×224, where eight GPUs hold a batch of at most 1,024, and a queue 65,536 wrong answers: that is when a queue beats a bigger batch. (MoCo v2 took over SimCLR's head and blur; v3, with large batches, dropped the queue.)
#
# ## 5 · The head that is dropped
# SimCLR puts two more layers, the **projection head**, between the network and its loss, and throws them away after training. *Why build what we throw away?*

# %%
head = record["head"]
ways = {
    "with head, before it": head["with head"]["test"]["drawings"],
    "with head, after it": head["with head"]["after the head"]["test"]["drawings"],
    "trained without": head["no head"]["test"]["drawings"],
}
show_bars(
    {name: run["mean"] for name, run in ways.items()},
    unit="recall@1, drawings of unseen things",
    intervals={name: (run["low"], run["high"]) for name, run in ways.items()},
    title=f"Before the head {ways['with head, before it']['mean']:.2f}, after it {ways['with head, after it']['mean']:.2f}",
)

# %%
before, after, without = (run["mean"] for run in ways.values())
check("The layer before the head finds more than the head's answer", before > after)
check("… and more than a network trained without", before > without)

# %% [markdown]
# Chen et al. (section 4.2) suppose: the loss asks for vectors that do not change with colour and place; the head learns to throw that away, and the layer before it need not. The head takes the harm. (That is on drawings. On scenes, where the background leads them all astray, the three are alike: {{results:without_labels.head.with head.test.scenes.mean:.3f}}, {{results:without_labels.head.with head.after the head.test.scenes.mean:.3f}}, {{results:without_labels.head.no head.test.scenes.mean:.3f}}.)
#
# ## 6 · Train one
# All together: a small network with random weights, scenes without their labels but with their masks, the second view before another background, half a minute of two cores. The weights that find most scenes of validation things are kept, so there labels do help; scenes of test things, which it never sees, only report.

# %%
from utils.contrast import TwoViews, ViewPairs, with_projection
from utils.embedder import PHOTO_MEAN, PHOTO_STD, Embedder, Preprocess
from utils.metrics import recall_at_k
from utils.triplet import train

unlabelled, elsewhere = (torch.from_numpy(images) for images in twice("train"))
validation, unseen = load_images("scenes", "validation"), load_images("scenes", "test")


def fresh(widths=(16, 32, 64), pictures=unlabelled):
    """A compact CNN with random weights and no head."""
    torch.manual_seed(0)
    module, preprocess = CompactCNN(None, widths), Preprocess(32, PHOTO_MEAN, PHOTO_STD)
    module.whiten_from(preprocess(pictures[:1000]))
    return Embedder("fresh", module.dim, "random", preprocess, module.eval())


# %%
model = fresh()
begun = recall_at_k(embed(model, unseen, cache=False), unseen.labels)
sampler = shuffled(len(unlabelled), 64)
draw = ViewPairs(unlabelled, Views(crop=0.5, blur=0), sampler, others=elsewhere)
history = train(with_projection(model), draw, TwoViews(0.2), steps=700, held_out=validation)

# %%
from utils.plots.training import training_figure

found = recall_at_k(embed(model, unseen, cache=False), unseen.labels)
print(f"recall@1 on scenes of unseen things: {begun:.3f} → {found:.3f}")
training_figure(history, 700)

# %%
check("Half a minute without labels finds more scenes of unseen things", found > begun)

# %% [markdown]
# ### And against labels?
# Our recipe gave every way the same network from random weights, the same scenes and the same {{results:without_labels.main.simclr.steps:d}} steps; then {{results:without_labels.longer.simclr.steps:,d}}. (Whiskers, here and above: the lowest and the highest of two or three seeds; the long MoCo and the queues are one run each.)

# %%
ways = {"pixels": record["baselines"]["pixels"]["drawings"], "untrained": untrained["mean"]}
ranges = {"untrained": (untrained["low"], untrained["high"])}
for group in ("main", "longer"):
    by_way, spans = recorded(group)
    steps = record[group]["simclr"]["steps"]
    ways |= {f"{name}, {steps:,} steps": mean for name, mean in by_way.items()}
    ranges |= {f"{name}, {steps:,} steps": span for name, span in spans.items()}
longer = record["longer"]
gap = longer["supervised"]["test"]["drawings"]["mean"], longer["simclr"]["test"]["drawings"]["mean"]
show_bars(
    ways,
    unit="recall@1, drawings of unseen things",
    intervals=ranges,
    title=f"Labels find {gap[0]:.2f}, SimCLR without one {gap[1]:.2f}, no training {untrained['mean']:.2f}",
)

# %% [markdown]
# SimCLR runs here with the settings that we began with: τ = .2, 256 a batch, all four changes. Sections 2 and 3 found better ones, so the gap to labels is at most this.

# %%
check("Without labels more is found than without training", gap[1] > untrained["mean"])
check("… and less than with labels", gap[1] < gap[0])
check(
    "Only after a thousand steps SimCLR finds more than pixels",
    record["main"]["simclr"]["test"]["drawings"]["high"] < ways["pixels"]
    and ways["pixels"] < longer["simclr"]["test"]["drawings"]["low"],
)
early = record["main"]["moco"]["test"]["drawings"]
check("MoCo's first steps find less than no training", early["high"] < untrained["low"])

# %% [markdown]
# A second usual test is the **linear probe**: freeze the network, fit one linear layer on its vectors with labels, and see what can be read. Here the five categories, by scenes of things that neither network nor probe saw.

# %%
probes = {"always the commonest": record["baselines"]["most frequent"]["probe"]}
probes["colour histogram"] = record["baselines"]["colour histogram"]["probe"]
probes["untrained"] = record["baselines"]["untrained"]["probe"]["mean"]
read, ranges = recorded("longer", "probe")
probes |= read
before = record["baselines"]["untrained"]["probe"]
show_bars(
    probes,
    unit="accuracy of a linear probe, category of unseen things",
    intervals=ranges | {"untrained": (before["low"], before["high"])},
    title=f"What a probe reads: {probes['untrained']:.2f} untrained, {probes['simclr']:.2f} from SimCLR, {probes['supervised']:.2f} from labels",
)

# %%
check(
    "After a thousand steps a probe reads more from SimCLR than from the untrained network",
    probes["simclr"] > probes["untrained"],
)

# %% [markdown]
# After {{results:without_labels.main.simclr.steps:d}} steps it read less ({{results:without_labels.main.simclr.test.probe.mean:.2f}}), and from MoCo hardly more than the commonest even now.
#
# ### On photographs
# CIFAR-10 (JPEG), {{results:without_labels_cifar10.minutes:.1f}} minutes of one GPU and {{results:without_labels_cifar10.epochs:.0f}} epochs, without a label. (One seed; `cnn-photos` had labels *and* {{results:cnn_photos.epochs:d}} epochs.) Photographs have no background pasted behind them: what surrounds a ship tells of the ship.

# %%
cifar, taught = measured("without_labels_cifar10"), measured("cnn_photos")
ways = {
    "pixels": taught["pixels"]["recall_at_1"],
    "untrained": cifar["untrained"]["recall_at_1"],
    "SimCLR, no labels": cifar["neighbours"]["recall_at_1"],
    "cnn-photos, 48,000 labels": taught["cnn-photos"]["recall_at_1"],
}
show_bars(
    ways,
    unit="leave-one-out top-1, CIFAR-10 (JPEG)",
    title=f"From {ways['untrained']:.2f} to {ways['SimCLR, no labels']:.2f} without a label",
)

# %%
check("On photographs, too, it helps", ways["SimCLR, no labels"] > 1.3 * ways["untrained"])

# %% [markdown]
# ## 7 · Collapse, and its cure
# Why all the wrong answers? Let us leave them out: the loss is 1 − cosine of the two views, nothing else. *What is the cheapest way to make all pairs alike?*

# %%
from utils.contrast import alike


def attraction(vectors, labels):
    return alike(*vectors.chunk(2))


fallen, cured = fresh((8, 16, 32)), fresh((8, 16, 32))
small = ViewPairs(unlabelled, Views(), shuffled(len(unlabelled), 48))
down = train(with_projection(fallen), small, attraction, steps=60, every=4)
up = train(with_projection(cured), small, TwoViews(0.2), steps=60, every=4)
show_curve(
    down.step,
    {"attraction only": down.cosine, "with wrong answers": up.cosine},
    xlabel="step",
    ylabel="mean cosine of all pairs, after the head",
    title=f"Attraction alone ends in one point: mean cosine {down.cosine[-1]:.2f}",
)

# %%
check("With attraction alone all the head's answers become one", down.cosine[-1] > 0.95)
check("Its loss looks perfect all the same", down.loss[-1] < 0.05)
check("With wrong answers they end farther apart", up.cosine[-1] < down.cosine[-1] - 0.2)

# %% [markdown]
# The head hides it: in our recipe's runs what we keep, the layer before, has a mean cosine of {{results:without_labels.collapse.attraction only.test.cosine.mean:.2f}}, less than before training ({{results:without_labels.baselines.untrained.cosine.mean:.2f}}), and yet it finds only {{results:without_labels.collapse.attraction only.test.drawings.mean:.2f}} of the drawings, untrained {{results:without_labels.baselines.untrained.drawings.mean:.2f}}. So watch the cosine of **what the loss sees**; and a low one is no all-clear. Vectors can fall into a few directions without becoming one (*dimensional collapse*, Jing et al. 2022): that is seen in how many directions hold their variance (lesson 07 counts them), not in a mean cosine.
#
# The wrong answers are the cure here. There are others: a predictor on one side and no gradient on the other (BYOL with a follower, SimSiam without one), or a loss that asks the coordinates to vary (VICReg). DINO and DINOv2, the usual choice today for search without labels (lesson 02 names them), learn without wrong answers, too.
#
# ## Exercises
# ### Exercise 08.1 · Who finds its other half?
# Write `other_half(cosines)`: of a 2N×2N NumPy matrix of cosines, rows i and i + N being two views of a picture, the share of views whose nearest *other* view is the right one.


# %% tags=["solution"] id="ex-08-1"
def other_half(cosines):
    """Share of the 2N views whose nearest other view is of the same picture."""
    n = len(cosines) // 2
    scores = np.where(np.eye(2 * n, dtype=bool), -np.inf, cosines)
    return (scores.argmax(axis=1) == np.roll(np.arange(2 * n), n)).mean()


# %% tags=["grader"] id="grade-08-1"
from utils.course import exercise, progress

exercise("08.1", other_half)

# %% [markdown]
# ### Exercise 08.2 · A queue of your own
# Write `step(queue, keys, size)`: the queue after a batch, newest batch in front, at most `size` keys. Do not change the queue that was given: its vectors are still in use.


# %% tags=["solution"] id="ex-08-2"
def step(queue, keys, size):
    """The last `size` keys, the newest in front: tensors K×D and N×D → at most size×D."""
    return torch.cat([keys, queue])[:size]


# %% tags=["grader"] id="grade-08-2"
exercise("08.2", step)

# %% [markdown]
# ### Exercise 08.3 · Photos without labels (a GPU pays)
# Write `recipe(images, epochs)`: `images` is a uint8 tensor N×H×W×3. Return an `Embedder` whose network learned from views of them for so many epochs, without its head. Everything is in section 6. On Colab choose a GPU under Runtime and set `BIG = True`: then it learns from CIFAR-10. *Ours reaches {{results:without_labels_cifar10.neighbours.recall_at_1:.2f}} on the JPEG version in {{results:without_labels_cifar10.epochs:.0f}} epochs* (among 10,000 test photos; the race asks 5,000 others, in their original pixels, after 60 epochs: not the same number). Which views suit photographs?

# %%
device = "cuda" if torch.cuda.is_available() else "cpu"
widths = (64, 256, 256) if device == "cuda" else (16, 32, 48)


# %% tags=["solution"] id="ex-08-3"
def recipe(images, epochs):
    """Teach a compact CNN by pairs of views: an Embedder without its head."""
    model, size = fresh(widths, images), min(512, len(images) // 4)
    model.module.to(device)
    draw = ViewPairs(images.to(device), Views(), shuffled(len(images), size))
    train(with_projection(model), draw, TwoViews(0.2), steps=epochs * (len(images) // size))
    model.module.eval()
    return model


# %% tags=["grader"] id="grade-08-3"
exercise("08.3", recipe)


# %%
def race(recipe, epochs):
    """Teach by a recipe, then count right first neighbours among held-out pictures."""
    pictures = load_images("cifar10", "train", download=True) if BIG else scenes[:400]
    asked = np.arange(len(pictures)) // 10 % 10 == 0  # held out
    model = recipe(torch.from_numpy(pictures[~asked].images), epochs)
    if model is None:
        return print("No recipe yet: this cell races it once exercise 08.3 is done.")
    held_out = pictures[asked]
    top1 = recall_at_k(embed(model, held_out, cache=False), held_out.labels)
    print(f"top-1 {top1:.4f} on {len(held_out):,} of {pictures.name}, without labels")


race(recipe, epochs=60 if BIG else 1)

# %%
progress()

# %% [markdown]
# ## Quiz
# **1. Two pictures of the same thing are in one batch. What does NT-Xent do to them?**
# <details><summary>Answer</summary>It pushes them apart, as a wrong answer: it knows no things. With many things that is rare; with ten classes a tenth of all wrong answers is wrong to be called so. Where labels are known, the supervised contrastive loss of lesson 03 mends it.</details>
#
# **2. Your network is to tell ripe from unripe tomatoes. Which change must not be among the views?**
# <details><summary>Answer</summary>Colour. What views change, the network learns to ignore.</details>
#
# **3. The loss of a training without wrong answers falls to 0 within a minute. Good news?**
# <details><summary>Answer</summary>Hardly: look at the mean cosine of all pairs that the loss sees. Where that is near 1 as well, everything has become one point.</details>
#
# **4. Why does MoCo not send the gradient into the keys of its queue?**
# <details><summary>Answer</summary>They are vectors of networks that are no more. What made them was not kept, and that is why they cost so little.</details>
#
# **5. All your photos of shoes are taken on the same table, those of bags on a bed. What will learning without labels make of that?**
# <details><summary>Answer</summary>Table and bed are in both views, so they are as good a mark as the thing. Take the background away first (lesson 02), or put new ones behind.</details>

# %% [markdown]
# ## In one paragraph
# Two views of a picture are alike, all others are not: a cross-entropy over cosines says so, and needs no label. What the views change is ignored, what they share is learned, wanted or not: here the background. A low temperature aims at the hardest wrong answers; a queue gives thousands of them for the memory of a few pictures, with a slow follower to keep them comparable. The head takes the harm of the loss and is dropped. Without wrong answers, or another cure, all becomes one point. After a thousand steps SimCLR finds more drawings than pixels do, and fewer than a network with labels; MoCo is slower to start; what it can do with a million pictures and days is another matter.
#
# ## Go further
# - Chen et al., *A Simple Framework for Contrastive Learning of Visual Representations* (2020): SimCLR; its figure 5 asks what our section 3 asks.
# - He et al., *Momentum Contrast for Unsupervised Visual Representation Learning* (2020): MoCo.
# - Wang & Isola, *Understanding Contrastive Representation Learning through Alignment and Uniformity on the Hypersphere* (2020): what the two halves of the loss do.
# - Grill et al., *Bootstrap Your Own Latent* (2020), and Chen & He, *Exploring Simple Siamese Representation Learning* (2021): no wrong answers, and yet no collapse.
# - Caron et al., *Emerging Properties in Self-Supervised Vision Transformers* (2021): DINO; Oquab et al., *DINOv2* (2023).
# - Bardes, Ponce & LeCun, *VICReg* (2022): a cure by variance.
# - Khosla et al., *Supervised Contrastive Learning* (2020): the same loss where labels are known.
