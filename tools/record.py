"""Writing down what was measured: results/*.json and the cards beside the weights."""

import datetime
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from utils import ROOT, replacing


def provenance() -> dict[str, Any]:
    """Commit, whether the code was as committed, day, machine and versions of this run."""
    import torch

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    code = ("utils", "recipes", "benchmarks", "service", "tools")
    return {
        "commit": git("rev-parse", "HEAD"),
        "tree_clean": not git("status", "--porcelain", "--", *code),
        "date": datetime.date.today().isoformat(),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {_accelerator()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _accelerator() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write `record` to `path` whole or not at all, numbers rounded to six digits."""

    def tidy(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: tidy(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [tidy(item) for item in value]
        return float(f"{value:.6g}") if isinstance(value, float) else value

    with replacing(path) as partial:
        partial.write_text(json.dumps(tidy(record), indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"wrote {path.relative_to(ROOT)}")
