"""The page of many calls: how many ended how, and one row for each, newest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from urllib.parse import quote

from V3.calls.report import CallReport
from V3.masking import mask_number
from V3.picture.facts import stopped_ms
from V3.picture.page import document, table, text

__all__ = ["index_page"]

_HEADS = ("began", "number", "disposition", "verdict", "after", "outcome", "length", "speech to silence", "errors")


def index_page(reports: Sequence[CallReport], pages: Mapping[str, str], *, mask: bool = True) -> str:
    """``pages`` are the file names of the calls' own pages, by call id; a call without one has no link."""
    title = f"{len(reports)} calls"
    newest = sorted(reports, key=lambda report: report.started_at, reverse=True)
    rows = "".join(_row(report, pages.get(report.call_id, ""), mask=mask) for report in newest)
    heads = "".join(f"<th>{head}</th>" for head in _HEADS)
    body = f"<h1>{title}</h1>{_counts(reports)}<h2>Calls</h2>"
    body += f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return document(title, body)


def _counts(reports: Sequence[CallReport]) -> str:
    labels = sorted({report.label or "no verdict" for report in reports})
    found = Counter((report.disposition, report.label or "no verdict") for report in reports)
    totals = Counter(report.disposition for report in reports)
    rows = [(name, count, *(found[name, label] or "" for label in labels)) for name, count in totals.most_common()]
    return table("By disposition and verdict", ("disposition", "calls", *labels), rows)


def _row(report: CallReport, page: str, *, mask: bool) -> str:
    verdict = report.verdict
    number = mask_number(report.number) if mask else report.number
    stops = [took for barge_in in report.barge_ins if (took := stopped_ms(barge_in)) is not None]
    began = text(report.started_at[:19].replace("T", " "))
    cells = [
        f'<a href="{text(quote(PurePosixPath(page).name))}">{began}</a>' if page else began,
        text(number),
        text(report.disposition),
        text(f"{verdict.label} ({verdict.kind})" if verdict else ""),
        f"{verdict.at_ms} ms" if verdict else "",
        text(report.outcome),
        f"{report.duration_ms / 1000:.1f} s" if report.duration_ms else "",
        ", ".join(f"{took} ms" for took in stops),
        text("; ".join(report.errors)),
    ]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
