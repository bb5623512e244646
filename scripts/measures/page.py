"""``bench.html``: all that was measured on one page, its pictures in the same file; and ``bench.json``."""

from __future__ import annotations

import base64
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from scripts.measures.running import Outcome
from scripts.measures.tables import shown
from V3 import __version__
from V3.picture.page import document, table, text
from V3.system.machine import cpu_name

__all__ = ["bench_page", "headline", "machine_facts", "write_bench"]

_PICTURE_PX: Final = 900
_CARDS_WITHIN_S: Final = 10.0


def machine_facts(model: str) -> dict[str, str]:
    """What the figures depend on. Never who the machine is: no host name, no user, no path."""
    return {
        "processor": f"{cpu_name()}, {os.cpu_count() or 1} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "GPU": _cards() or "none",
        "system": f"{platform.system()}, Python {platform.python_version()}",
        "CTranslate2": version("ctranslate2"),
        "V3": __version__,
        "model": Path(model).name,
        "load when begun": f"{os.getloadavg()[0]:.1f}",
    }


def _cards() -> str:
    """What the GPUs call themselves; empty without any."""
    ask = shutil.which("nvidia-smi")
    if ask is None:
        return ""
    command = [ask, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_CARDS_WITHIN_S)
    except (OSError, subprocess.SubprocessError):
        return ""
    return "; ".join(line.strip() for line in told.stdout.splitlines() if line.strip())


def headline(outcome: Outcome) -> str:
    """What came of it in a sentence; of one that has no figures, why."""
    sentence = _figures(outcome)[0]
    return "; ".join(filter(None, (outcome.reason, sentence)))


def write_bench(
    folder: Path, outcomes: Sequence[Outcome], facts: Mapping[str, str], *, began: str, quick: bool
) -> Path:
    """Write both files; the page's path."""
    measured = {
        outcome.measurement.name: {
            "state": outcome.state,
            "reason": outcome.reason,
            "took_s": outcome.took_s,
            "says": headline(outcome),
            "figures": outcome.figures,
        }
        for outcome in outcomes
    }
    whole = {"began": began, "quick": quick, "machine": dict(facts), "measurements": measured}
    written = json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
    (folder / "bench.json").write_text(written, encoding="utf-8")
    page = folder / "bench.html"
    page.write_text(bench_page(outcomes, facts, began=began, quick=quick), encoding="utf-8")
    return page


def bench_page(outcomes: Sequence[Outcome], facts: Mapping[str, str], *, began: str, quick: bool) -> str:
    """The page, which needs nothing beside it."""
    title = f"Bench of {facts['model']} on {facts['processor']}"
    size = "quick sizes: a first impression, with wide intervals" if quick else "full sizes"
    rows = [
        (outcome.measurement.title, outcome.state, f"{outcome.took_s:.0f} s", headline(outcome)) for outcome in outcomes
    ]
    failed = [outcome.state != "measured" for outcome in outcomes]
    body = [
        f"<h1>{text(title)}</h1>",
        f'<p class="dim">{text(began)}, {text(size)}</p>',
        table("What came of it", ("measurement", "state", "took", "in a sentence"), rows, marked=failed),
        table("Machine", ("what", "which"), list(facts.items())),
        *map(_section, outcomes),
    ]
    return document(title, "".join(body))


def _section(outcome: Outcome) -> str:
    measurement = outcome.measurement
    _, tables = _figures(outcome)
    parts = [f"<h1>{text(measurement.title)}</h1>", f'<p class="dim">{text(measurement.asks)}</p>']
    if outcome.state != "measured":
        parts.append(f'<p class="verdict">{text(outcome.state)}: {text(outcome.reason)}</p>')
    parts += [table(one.name, one.heads, one.rows) for one in tables]
    parts += [_picture(path, measurement.title) for path in outcome.pictures]
    return f"<section>{''.join(parts)}</section>"


def _figures(outcome: Outcome) -> tuple[str, list[Any]]:
    """Sentence and tables; nothing where a measurement that was cut short has not all of them."""
    try:
        return shown(outcome.measurement.name, outcome.figures) if outcome.figures else ("", [])
    except (KeyError, IndexError, TypeError, ValueError):
        if outcome.state == "measured":
            raise
        return "", []


def _picture(path: Path, title: str) -> str:
    content = base64.b64encode(path.read_bytes()).decode()
    name = f"{title}: {path.stem.replace('_', ' ')}"
    return f'<p class="scroll"><img width="{_PICTURE_PX}" alt="{text(name)}" src="data:image/png;base64,{content}"></p>'
