"""What is kept of people's calls, and for how long: old recordings, reports and their pages go when the robot starts.

Only files of ours: a call id for a name (a uuid) and the folder's own ending, plain files right in the folder. Nothing
else is touched, no link is followed, and a folder that is on another machine is left to that machine.
"""

from __future__ import annotations

import logging
import os
import re
import time
from pathlib import Path

from V3.config import RobotConfig

__all__ = ["forget_old_calls", "remove_old"]

log = logging.getLogger(__name__)

_CALL_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DAY_S = 86_400.0
_OF_A_REPORT = (".json", ".html", ".png", ".wav")  # itself, what `report` made of it, and a recording put beside it


def forget_old_calls(config: RobotConfig) -> None:
    """Remove recordings and reports older than ``recording.retention_days``; what cannot be is logged."""
    days = config.recording.retention_days
    if not days:
        return
    before_s = time.time() - days * _DAY_S
    for ending in _OF_A_REPORT:
        remove_old(Path(config.call.reports_dir), ending, before_s=before_s)
    if config.recording.folder:
        remove_old(Path(config.recording.folder), ".wav", before_s=before_s)


def remove_old(folder: Path, ending: str, *, before_s: float) -> int:
    """Remove the files of calls last written before ``before_s`` (seconds since 1970); how many there were."""
    removed = 0
    try:
        entries = os.scandir(folder)
    except OSError:  # not made yet, or on FreeSWITCH's machine
        return 0
    with entries:
        for entry in entries:
            if _is_ours(entry.name, ending):
                removed += _remove(entry, before_s)
    if removed:
        log.info("%d old files *%s were removed from %s", removed, ending, folder)
    return removed


def _is_ours(name: str, ending: str) -> bool:
    return name.endswith(ending) and _CALL_ID.fullmatch(name.removesuffix(ending)) is not None


def _remove(entry: os.DirEntry[str], before_s: float) -> bool:
    try:
        if not entry.is_file(follow_symlinks=False) or entry.stat(follow_symlinks=False).st_mtime >= before_s:
            return False
        os.unlink(entry.path)
    except OSError as exc:
        log.warning("%s is too old and could not be removed: %s", entry.path, exc)
        return False
    return True
