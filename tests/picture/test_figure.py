"""The picture: that it is one, shows what it should, and takes what anybody may have said."""

from __future__ import annotations

import builtins
import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from picture_cases import HOSTILE, full_report

from V3.calls.report import CallReport
from V3.errors import ConfigError
from V3.picture.figure import Picture, draw_call
from V3.picture.sides import Sides
from V3.picture.style import COLORS, drawable

plt = pytest.importorskip("matplotlib.image")
Pixels = npt.NDArray[np.float32]


def pixels(picture: Picture) -> Pixels:
    found: Pixels = plt.imread(io.BytesIO(picture.png), format="png")[:, :, :3]
    return found


def share_of(color: str, image: Pixels) -> float:
    wanted = np.array([int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)])
    return float((np.abs(image - wanted).max(axis=2) < 0.02).mean())


def sound(level: int, *, seconds: float = 9.0) -> Sides:
    samples = (level * np.sin(np.arange(int(8000 * seconds)) / 5)).astype(np.int16)
    return Sides(samples, samples, 8000, 12)


def test_it_is_a_png_whose_time_runs_where_it_says() -> None:
    picture = draw_call(full_report(), sound(9000))
    image = pixels(picture)
    assert image.shape[1] == picture.width_px
    assert (picture.from_ms < 0, picture.until_ms > 9100) == (True, True)
    hangup = picture.left + (9100 - picture.from_ms) / (picture.until_ms - picture.from_ms) * (
        picture.right - picture.left
    )
    column = image[:, round(hangup * picture.width_px) - 1 : round(hangup * picture.width_px) + 2]
    assert (column.min(axis=(1, 2)) < 0.4).sum() > image.shape[0] / 6  # the dashed line of the hang-up


def test_sound_is_drawn_where_there_is_any() -> None:
    report = full_report()
    with_sound, without = (pixels(draw_call(report, sides)) for sides in (sound(9000), None))
    assert with_sound.shape[0] > without.shape[0]
    assert share_of(COLORS["callee"], with_sound) > 5 * share_of(COLORS["callee"], without)


def test_a_line_that_is_silent_is_not_drawn_as_loud() -> None:
    report = full_report()
    quiet, loud = (share_of(COLORS["robot"], pixels(draw_call(report, sound(level)))) for level in (3, 9000))
    assert quiet < loud / 3


def test_what_anybody_says_is_drawn_as_letters() -> None:
    image = pixels(draw_call(full_report(HOSTILE), sound(100)))
    assert image.std() > 0.05
    assert drawable("a\n\t b\x1b漢") == "a b□□"
    assert drawable("Ça, « déjà » — 1 $ x $") == "Ça, « déjà » — 1 $ x $"


def test_a_call_that_nobody_answered_is_its_head_alone() -> None:
    report = CallReport(call_id="c", number="0199001206", started_at="now", disposition="BUSY")
    assert pixels(draw_call(report, None)).shape[0] < 150


@pytest.mark.parametrize("hours", [0.1, 3])
def test_a_long_call_is_a_picture_too(hours: float) -> None:
    long_ms = int(hours * 3_600_000)
    report = full_report(duration_ms=long_ms)
    report.moments["hangup"] = long_ms
    assert pixels(draw_call(report, None)).shape[1] <= 60 * 110


def test_where_matplotlib_is_missing_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r'pip install "V3\[report\]"'):
        draw_call(full_report(), None)
