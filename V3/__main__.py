"""``python -m V3``: the command line."""

from V3.cli import app

if __name__ == "__main__":
    app()
