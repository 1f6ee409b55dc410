"""Licences of what the program needs: none forbids its use, or asks for more than to name it."""

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = re.compile(
    r"\b(MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla Public|LGPL|Lesser General Public|HPND|Unlicense"
    r"|Public Domain|CC0|OFL|Zlib|0BSD)\b",
    re.IGNORECASE,
)
FORBIDDEN = re.compile(r"\b(AGPL|Affero|SSPL|Server Side Public|Commons Clause|Non-?Commercial|Proprietary)\b", re.IGNORECASE)
GPL = re.compile(r"(?<!L)(?<!Lesser )\b(GPL|GNU General Public)", re.IGNORECASE)
BY_HAND: dict[str, str] = {}
"""Packages whose metadata name no licence, and what their licence file says."""


def needed():
    """Return the packages that the program and its extras for production install here."""
    names = set()
    for file in ("base", "celery", "stripe", "mail"):
        for line in re.findall(r"^([A-Za-z0-9._-]+==[^\\\n]+)", (ROOT / f"requirements/{file}.txt").read_text(), re.MULTILINE):
            requirement = Requirement(line.strip())
            if requirement.marker is None or requirement.marker.evaluate():
                names.add(requirement.name)
    return sorted(names)


def licence_of(name):
    """Return what a package says of its licence: the expression, else the classifiers, else the first line of the text."""
    metadata = distribution(name).metadata
    classifiers = [one.rpartition(" :: ")[2] for one in metadata.get_all("Classifier", []) if one.startswith("License ::")]
    texts = (metadata.get("License-Expression"), " or ".join(classifiers), (metadata.get("License") or "").split("\n")[0])
    return next((text for text in texts if text), BY_HAND.get(name, ""))


def test_no_dependency_has_a_licence_that_forbids_our_use():
    wrong = {}
    for name in needed():
        try:
            licence = licence_of(name)
        except PackageNotFoundError:
            continue  # An extra that is not installed here.
        choices = re.split(r"\s+or\s+", licence, flags=re.IGNORECASE)
        if not any(ALLOWED.search(one) and not FORBIDDEN.search(one) and not GPL.search(one) for one in choices):
            wrong[name] = licence
    assert wrong == {}


def test_what_counts_as_allowed():
    for licence in ("AGPL-3.0-only", "GNU General Public License v3 (GPLv3)", "GPL-2.0-or-later", "Proprietary", "SSPL-1.0"):
        assert not ALLOWED.search(licence) or FORBIDDEN.search(licence) or GPL.search(licence), licence
    for licence in ("MIT", "BSD-3-Clause", "Apache-2.0", "LGPL-3.0-only", "GNU Lesser General Public License v3 (LGPLv3)"):
        assert ALLOWED.search(licence) and not FORBIDDEN.search(licence) and not GPL.search(licence), licence
