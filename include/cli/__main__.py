"""``python -m include.cli`` is ``krxw``."""

from include.cli.main import app

app()
