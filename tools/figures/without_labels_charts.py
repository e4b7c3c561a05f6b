"""The charts of the deck of lesson 08: what the recipe found."""

from functools import cache

from matplotlib import rc_context

from tools.figures.shared import BIG, larger, save
from utils.course import measured
from utils.plots import show_bars, show_curve
from utils.plots.style import COLOURS, Shown

DRAWINGS = "recall@1, drawings of unseen things; lines: lowest to highest seed"


@cache
def results() -> dict:
    return measured("without_labels")


def recorded(group: str, score: str = "drawings") -> tuple[dict, dict]:
    """Means over seeds by setting, and their lowest and highest."""
    runs = {name.replace("_", "."): run["test"][score] for name, run in results()[group].items()}
    means = {name: run["mean"] for name, run in runs.items()}
    return means, {name: (run["low"], run["high"]) for name, run in runs.items()}


def bars(name: str, values: dict, unit: str, title: str, spread: dict | None = None) -> None:
    figure = show_bars(values, unit=unit, intervals=spread, title=title)
    larger(figure, 1.15)
    save(figure, name, figure.alt)


def carries() -> None:
    means, spread = recorded("augmentation")
    names = ["none", "only crop", "only flip", "only colour", "only blur", "all"]
    plain = results()["baselines"]["untrained"]["drawings"]
    values = {"untrained": plain["mean"], **{name: means[name] for name in names}}
    spread = {"untrained": (plain["low"], plain["high"]), **{n: spread[n] for n in names}}
    singles = {name: values[name] for name in names[1:5]}
    most, least = max(singles, key=singles.get), min(singles, key=singles.get)
    title = f"{most.capitalize()} finds {singles[most]:.2f}, {least} {singles[least]:.2f}"
    bars("carries", values, DRAWINGS, title, spread)


def new_background() -> None:
    runs = {"usual views": "all", "another background": "and new background"}
    values, spread = {}, {}
    for kind in ("scenes", "drawings"):
        for told, key in runs.items():
            run = results()["augmentation"][key]["test"][kind]
            values[f"{kind}: {told}"] = run["mean"]
            spread[f"{kind}: {told}"] = run["low"], run["high"]
    times = values["scenes: another background"] / values["scenes: usual views"]
    title = f"On scenes it finds {times:.1f} times as much"
    unit = "recall@1, unseen things; lines: lowest to highest seed"
    bars("new_background", values, unit, title, spread)


def queue_or_batch() -> None:
    """What every batch and queue finds, over the memory of one step."""
    with rc_context(BIG):
        figure = Shown(figsize=(11, 5), layout="constrained")
        axes = figure.subplots()
        ways = {"batch": "SimCLR: a larger batch", "queue": "MoCo: batch 128, a longer queue"}
        for i, (group, told) in enumerate(ways.items()):
            runs = results()[group]
            found = [run["test"]["drawings"]["mean"] for run in runs.values()]
            needs = [sum(run["memory"].values()) for run in runs.values()]
            axes.plot(needs, found, "os"[i], color=COLOURS[i], markersize=13, label=told)
            for j, (name, x, y) in enumerate(zip(runs, needs, found, strict=True)):
                size = f"{int(name.split()[-1]):,}"
                aside = 11, (0, 11, -11)[j] if group == "queue" else 0  # they lie close together
                axes.annotate(size, (x, y), aside, textcoords="offset points", va="center")
        axes.set(xscale="log", xlabel="memory of a step, MiB", ylabel="recall@1, drawings")
        axes.set_xticks(ticks := [100, 200, 500, 1000], [f"{t:,}" for t in ticks])
        axes.set_ylim(0, 1.12 * axes.get_ylim()[1])
        axes.legend(loc="lower right")
    told = "recall@1 over the memory of a step, for batches and queues of several sizes"
    save(figure, "queue_or_batch", told)


def head_dropped() -> None:
    head = results()["head"]
    runs = {
        "with a head, before it": head["with head"]["test"]["drawings"],
        "with a head, after it": head["with head"]["after the head"]["test"]["drawings"],
        "trained without a head": head["no head"]["test"]["drawings"],
    }
    values = {name: run["mean"] for name, run in runs.items()}
    spread = {name: (run["low"], run["high"]) for name, run in runs.items()}
    first, second, _ = values.values()
    title = f"Before the head {first:.2f}, after it {second:.2f}"
    bars("head_dropped", values, DRAWINGS, title, spread)


def one_point() -> None:
    runs = {"attraction only": "attraction only", "with wrong answers": "with repulsion"}
    lines = {told: results()["collapse"][key]["curve"] for told, key in runs.items()}
    last = lines["attraction only"]["cosine"][-1]
    steps = lines["attraction only"]["step"]
    curves = {told: line["cosine"] for told, line in lines.items()}
    axis = {"xlabel": "step", "ylabel": "mean cosine of all pairs"}
    title = f"Without wrong answers the mean cosine of all pairs ends at {last:.2f}"
    figure = show_curve(steps, curves, **axis, title=title)
    larger(figure, 1.15)
    save(figure, "one_point", figure.alt)


def against_labels() -> None:
    """On our drawings and on photographs: without training, without labels, with them."""
    plain, cifar = results()["baselines"], measured("without_labels_cifar10")
    taught, steps = measured("cnn_photos"), results()["longer"]["simclr"]["steps"]
    means, ranges = recorded("longer")
    values = {"drawings: pixels": plain["pixels"]["drawings"]}
    values["drawings: untrained"] = plain["untrained"]["drawings"]["mean"]
    told = {"simclr": "SimCLR", "moco": "MoCo", "supervised": "with labels"}
    values |= {f"drawings: {name}": means[key] for key, name in told.items()}
    spread = {f"drawings: {name}": ranges[key] for key, name in told.items()}
    values |= {
        "photographs: pixels": taught["pixels"]["recall_at_1"],
        "photographs: untrained": cifar["untrained"]["recall_at_1"],
        "photographs: SimCLR": cifar["neighbours"]["recall_at_1"],
        "photographs: with labels": taught["cnn-photos"]["recall_at_1"],
    }
    unit = f"recall@1: drawings of unseen things after {steps:,} steps; CIFAR-10 (JPEG)"
    found = (values[f"{kind}: SimCLR"] for kind in ("drawings", "photographs"))
    title = "SimCLR, without a label: {:.2f} on drawings, {:.2f} on photographs".format(*found)
    bars("against_labels", values, unit, title, spread)


CHARTS = (carries, new_background, queue_or_batch, head_dropped, one_point, against_labels)
