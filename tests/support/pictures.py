"""Documents of tests, kept to be looked at."""

import os
import re
from pathlib import Path

FOLDER = os.environ.get("KEEP_PDFS", "")
"""Where to keep them. Nothing is kept without it."""


def keep_pictures(name, content):
    """Keep a PDF under a name. `pdftoppm` makes pictures of it."""
    if FOLDER:
        (Path(FOLDER) / f"{re.sub('[^A-Za-z0-9-]', '_', name)}.pdf").write_bytes(content)
