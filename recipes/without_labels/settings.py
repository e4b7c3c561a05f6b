"""What is tried: one setting a run, each named, and the groups that are compared."""

from dataclasses import dataclass, field, replace

from utils.contrast import Views

SHORT, LONG = 300, 1000  # steps: minutes of two cores; and what ships
SEEDS = 3
WIDTHS = (64, 128, 256)


@dataclass(frozen=True)
class Setting:
    """How a network is taught.

    method : "simclr", "moco", "supervised", "attraction" (no negatives), or "new background"
        (SimCLR, with the second view before another background: masks known, labels not).
    batch : pictures a step, two views of each. queue, momentum : MoCo's. head : length of the
        projection, None for none.
    """

    method: str = "simclr"
    steps: int = SHORT
    batch: int = 256
    temperature: float = 0.2
    queue: int = 4096
    momentum: float = 0.99
    head: int | None = 64
    views: Views = field(default_factory=Views)


def views(
    crop: bool = False, flip: bool = False, colour: bool = False, blur: bool = False
) -> Views:
    """Only what is named; colour and blur come without a crop."""
    full = Views()
    return Views(
        full.crop if crop else None, flip, full.colour if colour else 0, full.blur if blur else 0
    )


PARTS = ("crop", "flip", "colour", "blur")
ALL = dict.fromkeys(PARTS, True)
simclr, moco = Setting(), Setting("moco")

METHODS = "simclr", "moco", "supervised"
MAIN = {method: Setting(method) for method in METHODS}
LONGER = {method: Setting(method, LONG) for method in METHODS}
AUGMENTATION = {
    "all": simclr,
    "and new background": Setting("new background"),
    "none": replace(simclr, views=views()),
    **{f"only {part}": replace(simclr, views=views(**{part: True})) for part in PARTS},
    **{f"without {part}": replace(simclr, views=views(**ALL | {part: False})) for part in PARTS},
}
TEMPERATURE = {
    f"temperature {t}".replace(".", "_"): replace(simclr, temperature=t)
    for t in (0.05, 0.1, 0.2, 0.5, 1.0)
}
# the same number of pictures seen
BATCH = {
    f"batch {size}": replace(simclr, batch=size, steps=SHORT * 256 // size)
    for size in (64, 128, 256, 512)
}
QUEUE = {
    f"queue {size}": replace(moco, batch=128, queue=size, steps=SHORT * 2)
    for size in (128, 1024, 4096)
}
HEAD = {"with head": simclr, "no head": replace(simclr, head=None)}
COLLAPSE = {
    "attraction only": Setting("attraction"),
    "with repulsion": simclr,
}
GROUPS = {
    "main": MAIN,
    "longer": LONGER,
    "augmentation": AUGMENTATION,
    "temperature": TEMPERATURE,
    "batch": BATCH,
    "queue": QUEUE,
    "head": HEAD,
    "collapse": COLLAPSE,
}


def runs() -> list[tuple[Setting, int]]:
    """Every setting once a seed, the first seeds of all before the second ones."""
    settings = dict.fromkeys(setting for group in GROUPS.values() for setting in group.values())
    return [(setting, seed) for seed in range(SEEDS) for setting in settings]
