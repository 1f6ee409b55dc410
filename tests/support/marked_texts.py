"""Texts of pages and statements that are not marked for translation: in templates, and in what Python shows on pages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.template.base import Lexer, TokenType

from billing_site.catalogues import ROOT, SOURCES

SHOWN = {
    "button",
    "description",
    "empty_label",
    "help_text",
    "hint",
    "label",
    "placeholder",
    "question",
    "short_description",
    "title",
    "verbose_name",
    "verbose_name_plural",
    "words",
}
"""Names of arguments and attributes that pages show."""
SHOWN_BY = {"PermissionDenied", "SafeString", "ValidationError", "error", "format_html", "info", "success", "warning"}
"""Functions whose texts pages show."""
NOT_PAGES = {"aria", "api", "examples.py", "management", "migrations", "schema.py"}
"""For programs, and for whoever runs commands: in English."""
SHOWN_ATTRIBUTES = re.compile(r"\b(?:alt|aria-label|placeholder|title)=\"([^\"]*)\"")
NOT_TEXT = re.compile(r"<(style|script)\b.*?</\1>|<!--.*?-->|<[^>]*>", re.S)
A_WORD = re.compile(r"[A-Za-z]{2}")


def unmarked_in_templates() -> list[str]:
    """Return each text between the tags of the templates, and of the attributes that are read out or shown."""
    return [
        f"{path.relative_to(ROOT)}: {text}"
        for path in sorted((ROOT / "templates").rglob("*.*"))
        for text in unmarked_in_template(path.read_text(), is_html=path.suffix == ".html")
    ]


def unmarked_in_template(source: str, *, is_html: bool = True) -> list[str]:
    kept, is_marked = [], False
    for token in Lexer(source).tokenize():
        if token.token_type == TokenType.TEXT and not is_marked:
            kept.append(token.contents)
            continue
        kept.append("\0")
        if token.token_type == TokenType.BLOCK:
            is_marked = token.contents.startswith("blocktrans") or (
                is_marked and not token.contents.startswith("endblocktrans")
            )
    html = "".join(kept)
    texts = SHOWN_ATTRIBUTES.findall(html) + re.split(r"[\0\n]|&\w+;", NOT_TEXT.sub(" ", html) if is_html else html)
    return [text.strip() for text in texts if A_WORD.search(text)]


def unmarked_in_python() -> list[str]:
    """Return each literal that is given to what pages show."""
    return [
        f"{path.relative_to(ROOT)}: {text}"
        for source in SOURCES
        for path in sorted((ROOT / source).rglob("*.py"))
        if not NOT_PAGES.intersection(path.parts)
        for text in unmarked_in_module(path.read_text())
    ]


def unmarked_in_module(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        yield from filter(_is_sentence, map(_literal, _shown(node)))


def _shown(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call):
        yield from (keyword.value for keyword in node.keywords if keyword.arg in SHOWN)
        if _name(node.func) in SHOWN_BY and "logger" not in ast.dump(node.func):
            yield from node.args
    elif isinstance(node, ast.Assign) and SHOWN.intersection(map(_name, node.targets)):
        yield node.value
    elif isinstance(node, ast.FunctionDef) and node.name == "__str__":
        yield from (one.value for one in ast.walk(node) if isinstance(one, ast.Return) and isinstance(one.value, ast.JoinedStr))


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _literal(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else " " for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _is_sentence(text: str) -> bool:
    """Neither a name of the code nor only HTML."""
    words = re.sub(r"&\w+;|\{\}", " ", NOT_TEXT.sub(" ", text)).strip()
    return bool(A_WORD.search(words)) and (" " in text or text[:1].isupper())


def marked_acts() -> set[str]:
    """Return the acts of events that the services write: each text like invoice.approval_refused."""
    acts: set[str] = set()
    for path in Path(ROOT).glob("*/**/*.py"):
        if path.parts[len(ROOT.parts)] in SOURCES and "migrations" not in path.parts:
            acts.update(
                re.findall(
                    r"\"([a-z_]+\.(?:[a-z_]*refused|added|voided|generated|approved|discarded|remarked))\"", path.read_text()
                )
            )
    return acts
