"""A hook of MkDocs: the built site loads nothing from the network."""

import re
from pathlib import Path
from typing import Any

ELSEWHERE = r'"(?:https?:)?//[^"]+"'
LOADED = re.compile(
    rf"""<(?:script|img|iframe|source)\b[^>]*\ssrc={ELSEWHERE}|<link\b(?![^>]*rel="canonical")[^>]*\shref={ELSEWHERE}"""
    r"""|@import\s+url\(["']?(?:https?:)?//"""
)


def on_post_build(config: Any, **_: Any) -> None:
    """Stop with an error that names each file of the site that would load something from elsewhere."""
    found = [
        f"{file.relative_to(config.site_dir)}: {loaded[0]}"
        for file in Path(config.site_dir).rglob("*")
        if file.suffix in {".html", ".css"}
        for loaded in LOADED.finditer(file.read_text())
    ]
    if found:
        raise SystemExit("The site loads from the network:\n" + "\n".join(found))
