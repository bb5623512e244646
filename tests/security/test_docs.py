"""docs/security.md says nothing that no test shows, and leaves no line of the list out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (?P<threat>[^|]+) \| (?P<stands>[^|]+) \| (?P<tests>[^|]*::[^|]*) \|$", re.MULTILINE)
ROWS = {row["threat"]: row for row in ROW.finditer((ROOT / "docs" / "security.md").read_text(encoding="utf-8"))}
LIST = (
    "a socket open to the world",
    "tokens guessed",
    "words and tokens read on the way",
    "many connections",
    "large messages",
    "large headers",
    "slow-loris",
    "a foreign page's WebSocket",
    "paths out of the static files",
    "paths out of the prompts",
    "prompts from elsewhere",
    "ESL injection: numbers",
    "ESL injection: names",
    "ESL injection: metadata",
    "ESL injection: transcripts",
    "YAML that makes objects",
    "pickle in `.npy` and models",
    "decompression bombs: deflate",
    "decompression bombs: WebM and MP4",
    "WAV header lies",
    "decoders nobody needs",
    "secrets in logs",
    "numbers in logs",
    "words on disk",
    "recordings on disk",
    "data kept for ever",
    "known advisories",
    "a service that is taken over",
)


def named_in(path: Path) -> set[str]:
    """Names of the tests in a file, those of a class with its name before."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        found |= {prefix + each.name for each in inner if isinstance(each, ast.FunctionDef)}
    return {name for name in found if name.rpartition("::")[2].startswith("test_")}


@pytest.mark.parametrize("threat", LIST)
def test_every_line_of_the_list_is_in_the_table(threat: str) -> None:
    assert threat in ROWS


@pytest.mark.parametrize("threat", ROWS)
def test_every_test_that_is_named_exists(threat: str) -> None:
    named = re.findall(r"`([\w/]+\.py)::([\w:]+)`", ROWS[threat]["tests"])
    assert named
    assert len(named) == ROWS[threat]["tests"].count("::")
    for file, test in named:
        assert test in named_in(ROOT / "tests" / file), f"{file}::{test}"


def test_every_attack_is_in_the_table() -> None:
    """A file of attacks that the table does not name would be forgotten with its threat."""
    told = "".join(row["tests"] for row in ROWS.values())
    for path in sorted((ROOT / "tests" / "security").glob("test_*.py")):
        assert path == Path(__file__) or f"security/{path.name}::" in told, path.name
