"""PURE: countries and regions as people write them, and the codes by which they are stored and compared.

A country is an ISO 3166-1 alpha-2 code. A region is a code in the United States and Canada; in other countries it is stored as
written. Country names are CLDR's, in the languages of the pages. No database.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from babel import Locale
from babel.core import get_global

from billing_site.common.languages import ENGLISH, Language

MOST_KEPT = 10_000
"""Size of the cache. Callers choose the texts, so their number is unlimited."""
NOT_COUNTRIES = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})
"""CLDR codes that are groups of countries, or no place at all."""

OTHER_NAMES = {
    "america": "US",
    "britain": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "northern ireland": "GB",
    "uk": "GB",
    "bolivia plurinational state of": "BO",
    "brunei darussalam": "BN",
    "burma": "MM",
    "cabo verde": "CV",
    "czech republic": "CZ",
    "east timor": "TL",
    "great britain": "GB",
    "holland": "NL",
    "hong kong": "HK",
    "iran islamic republic of": "IR",
    "ivory coast": "CI",
    "korea republic of": "KR",
    "lao peoples democratic republic": "LA",
    "macao": "MO",
    "macedonia": "MK",
    "moldova republic of": "MD",
    "palestine": "PS",
    "republic of korea": "KR",
    "russian federation": "RU",
    "slovak republic": "SK",
    "swaziland": "SZ",
    "syrian arab republic": "SY",
    "taiwan province of china": "TW",
    "tanzania united republic of": "TZ",
    "turkey": "TR",
    "united kingdom of great britain and northern ireland": "GB",
    "united states of america": "US",
    "vatican": "VA",
    "venezuela bolivarian republic of": "VE",
    "viet nam": "VN",
}
"""Names in use besides CLDR's: those of ISO 3166, and older ones."""

REGIONS: Mapping[str, Mapping[str, str]] = {
    "US": {
        "AL": "Alabama",
        "AK": "Alaska",
        "AZ": "Arizona",
        "AR": "Arkansas",
        "CA": "California",
        "CO": "Colorado",
        "CT": "Connecticut",
        "DE": "Delaware",
        "DC": "District of Columbia",
        "FL": "Florida",
        "GA": "Georgia",
        "HI": "Hawaii",
        "ID": "Idaho",
        "IL": "Illinois",
        "IN": "Indiana",
        "IA": "Iowa",
        "KS": "Kansas",
        "KY": "Kentucky",
        "LA": "Louisiana",
        "ME": "Maine",
        "MD": "Maryland",
        "MA": "Massachusetts",
        "MI": "Michigan",
        "MN": "Minnesota",
        "MS": "Mississippi",
        "MO": "Missouri",
        "MT": "Montana",
        "NE": "Nebraska",
        "NV": "Nevada",
        "NH": "New Hampshire",
        "NJ": "New Jersey",
        "NM": "New Mexico",
        "NY": "New York",
        "NC": "North Carolina",
        "ND": "North Dakota",
        "OH": "Ohio",
        "OK": "Oklahoma",
        "OR": "Oregon",
        "PA": "Pennsylvania",
        "RI": "Rhode Island",
        "SC": "South Carolina",
        "SD": "South Dakota",
        "TN": "Tennessee",
        "TX": "Texas",
        "UT": "Utah",
        "VT": "Vermont",
        "VA": "Virginia",
        "WA": "Washington",
        "WV": "West Virginia",
        "WI": "Wisconsin",
        "WY": "Wyoming",
        "AS": "American Samoa",
        "GU": "Guam",
        "MP": "Northern Mariana Islands",
        "PR": "Puerto Rico",
        "VI": "Virgin Islands",
        "UM": "Minor Outlying Islands",
        "FM": "Micronesia",
        "MH": "Marshall Islands",
        "PW": "Palau",
        "AA": "Armed Forces Americas",
        "AE": "Armed Forces Europe",
        "AP": "Armed Forces Pacific",
    },
    "CA": {
        "AB": "Alberta",
        "BC": "British Columbia",
        "MB": "Manitoba",
        "NB": "New Brunswick",
        "NL": "Newfoundland and Labrador",
        "NS": "Nova Scotia",
        "NT": "Northwest Territories",
        "NU": "Nunavut",
        "ON": "Ontario",
        "PE": "Prince Edward Island",
        "QC": "Quebec",
        "SK": "Saskatchewan",
        "YT": "Yukon",
    },
}
"""Regions with codes, by country: all that addresses in the United States and Canada have, with those of the armed forces."""

OTHER_REGION_NAMES: Mapping[str, Mapping[str, str]] = {
    "US": {
        "washington dc": "DC",
        "us virgin islands": "VI",
        "virgin islands us": "VI",
        "federated states of micronesia": "FM",
    },
    "CA": {"newfoundland": "NL", "nf": "NL", "labrador": "NL", "pei": "PE", "pq": "QC", "yukon territory": "YT"},
}
"""Names in use besides those, and older codes."""


class Place(NamedTuple):
    """A country and region in the form in which places are compared."""

    country: str
    region: str


@lru_cache(maxsize=MOST_KEPT)
def country_code(text: str) -> str:
    """Return the alpha-2 code of a country given as code (US, USA, 840) or name, in any case, or "" if unknown."""
    plain = _plain(text)
    return _countries().get(plain) or _countries().get(plain.removeprefix("the ")) or ""


@lru_cache(maxsize=MOST_KEPT)
def region_code(country: str, text: str) -> str:
    """Return a region as it is stored: as code if its country has codes, else as written, without surrounding spaces.

    `country` is a code. ISO 3166-2 (US-CA) is accepted too.
    """
    written = " ".join(text.split())
    prefix, _, rest = written.partition("-")
    short = rest.strip() if rest and country and prefix.strip().upper() == country else written
    return _regions(country).get(_plain(short)) or short


def is_region(country: str, text: str) -> bool:
    """Whether a country, given by its code, may have the region. Only of countries in REGIONS all regions are known."""
    return country not in REGIONS or not text.strip() or region_code(country, text) in REGIONS[country]


@lru_cache(maxsize=MOST_KEPT)
def place_of(country: str, region: str) -> Place:
    """Return the value by which two places are compared: equal for `us`, `california` and `US`, `CA`."""
    code = country_code(country) or _plain(country)
    return Place(code, _plain(region_code(code, region)))


@cache
def _countries() -> Mapping[str, str]:
    names = _country_names(ENGLISH)
    codes = {code for code in names if re.fullmatch(r"[A-Z]{2}", code) and code not in NOT_COUNTRIES}
    aliases = get_global("territory_aliases")
    other = {old: new[0] for old, new in aliases.items() if len(new) == 1 and new[0] in codes}
    found = {_plain(name): code for name, code in OTHER_NAMES.items()}
    found |= {_plain(code): target for code, target in other.items()}
    for one in (*Language.values, ENGLISH):
        found |= {_plain(name): code for code, name in _country_names(one).items() if code in codes}
    return found | {_plain(code): code for code in codes}


def _country_names(language: str) -> dict[str, str]:
    return {str(code): str(name) for code, name in Locale(language).territories.items()}


@cache
def _regions(country: str) -> Mapping[str, str]:
    regions = REGIONS.get(country, {})
    found = {**OTHER_REGION_NAMES.get(country, {})} | {_plain(name): code for code, name in regions.items()}
    return found | {_plain(code): code for code in regions}


def _plain(text: str) -> str:
    """Return a text without case, accents, points and double spaces: `Québec` is `quebec`, `U.S.` is `us`."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(one for one in decomposed if not unicodedata.combining(one))
    return " ".join(re.sub(r"[.,'’()]", "", letters.replace("&", " and ").replace("-", " ")).split())
