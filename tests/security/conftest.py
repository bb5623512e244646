"""Attacks use the rigs of the rooms they attack."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path += [str(Path(__file__).resolve().parents[1] / room) for room in ("system", "simulator", "telephony")]
