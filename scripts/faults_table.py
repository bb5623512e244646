"""The table of docs/faults.md, out of what the tests in tests/faults say of themselves: ``--check`` only compares.

    python scripts/faults_table.py

A test says what broke in the first paragraph of its docstring, then ``Sees:``, ``Kept:`` and ``Normal:``.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- made by scripts/faults_table.py -->\n", "<!-- end -->\n"
_PARTS: Final = re.compile(r"(.+?)\s+Sees: (.+?)\s+Kept: (.+?)\s+Normal: (.+)", re.DOTALL)


def tables() -> str:
    """One table for each file of tests, by the file's first line."""
    return "\n".join(
        _table(path) for path in sorted((ROOT / "tests" / "faults").glob("test_*.py")) if list(_rows(path))
    )


def _table(path: Path) -> str:
    title = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
    head = f"### {title}\n\n`{path.relative_to(ROOT).as_posix()}`\n\n"
    rows = "".join(f"| {' | '.join(row)} |\n" for row in _rows(path))
    return f"{head}| fault | what the user sees | what is kept | normal again |\n| --- | --- | --- | --- |\n{rows}"


def _rows(path: Path) -> Iterator[list[str]]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and (parts := _PARTS.fullmatch(ast.get_docstring(node) or "")):
            yield [" ".join(part.split()).rstrip(".").replace("|", "\\|") for part in parts.groups()]


def page_with(text: str, table: str) -> str:
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}"


def main() -> int:
    text = PAGE.read_text(encoding="utf-8")
    new = page_with(text, tables())
    if new == text:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"{PAGE.relative_to(ROOT)} is not what the tests say: python scripts/faults_table.py")
        return 1
    PAGE.write_text(new, encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} was written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
