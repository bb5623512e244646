"""A certificate for localhost that signed itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["certificate", "needs_openssl"]

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")


def certificate(folder: Path) -> dict[str, str]:
    """Files of the certificate and its key, named as the settings are."""
    made = {"certificate": str(folder / "cert.pem"), "key": str(folder / "key.pem")}
    ask = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    ask += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    ask += ["-out", made["certificate"], "-keyout", made["key"]]
    subprocess.run(ask, check=True, capture_output=True)
    return made
