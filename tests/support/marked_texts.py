"""Texts of pages and statements that are not marked for translation: in templates, and in what Python shows on pages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

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


DETAILS_OF = {"BillingError": 1, "PendingAct": 1, "Refusal": 1, "InTheWay": 2, "Collected": 3}
"""Where each of these has a detail among its arguments."""


NOT_OURS = {("billing_site/errors.py", "message"), ("invoices/services/planning/taxation.py", "error_msg")}
"""Details that are texts of others: of the tax engine, and of an event, which is in the words of then."""


def unmarked_details() -> list[str]:
    """Return each text of ours that is a detail of a refusal, but not a Detail. Doors for programs speak English."""
    return [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for source in SOURCES
        for path in sorted((ROOT / source).rglob("*.py"))
        if not NOT_PAGES.intersection(path.relative_to(ROOT).parts[1:-1]) and path != ROOT / "billing_site/api.py"
        for line, text in details_in(path.read_text(), may_make_words=path == ROOT / "billing_site/errors.py")
        if (str(path.relative_to(ROOT)), text) not in NOT_OURS
    ]


def details_in(source: str, *, may_make_words: bool = False) -> Iterator[tuple[int, str]]:
    tree = ast.parse(source)
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            yield from _details_of(function)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) == "Detail" and not may_make_words and not _is_whole(node):
            yield node.lineno, ast.unparse(node)


def _is_whole(detail: ast.Call) -> bool:
    """Whether the text of a Detail is a literal, and its values are those that the text has places for."""
    (text,) = detail.args
    places = {name for _before, name, _format, _conversion in Formatter().parse(_literal(text)) if name}
    return bool(_literal(text)) and places == {value.arg for value in detail.keywords}


def _details_of(function: ast.FunctionDef) -> Iterator[tuple[int, str]]:
    """Yield the texts that a function gives as details: at once, by a name of its own, or by a parameter that may be any
    text."""
    named = {
        target.id: node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    any_text = {one.arg for one in function.args.args if one.annotation is not None and ast.unparse(one.annotation) == "str"}
    for call in ast.walk(function):
        if not isinstance(call, ast.Call) or _name(call.func) not in DETAILS_OF:
            continue
        for detail in _given_details(call):
            value = named.get(detail.id, detail) if isinstance(detail, ast.Name) else detail
            if _is_text(value) or (isinstance(value, ast.Name) and value.id in any_text):
                yield call.lineno, ast.unparse(value)


def _given_details(call: ast.Call) -> Iterator[ast.expr]:
    yield from call.args[DETAILS_OF[_name(call.func)] :][:1]
    if _name(call.func) == "Refusal":
        yield from call.args[3:4]
        yield from (one.value for one in call.keywords if one.arg == "instead")


def _is_text(node: ast.expr) -> bool:
    """Whether a text of ours is among what an expression may be. Of a call only its own arguments know."""
    if isinstance(node, ast.IfExp):
        return _is_text(node.body) or _is_text(node.orelse)
    if isinstance(node, ast.BoolOp):
        return any(map(_is_text, node.values))
    if isinstance(node, ast.BinOp):
        return True
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and bool(node.value))


def marked_acts() -> set[str]:
    """Return the acts of events that the services write: each text like invoice.approval_refused. Types are no acts."""
    acts: set[str] = set()
    for path in Path(ROOT).glob("*/**/*.py"):
        if path.parts[len(ROOT.parts)] in SOURCES and "migrations" not in path.parts and path.name != "event_types.py":
            acts.update(
                re.findall(
                    r"\"([a-z_]+\.(?:[a-z_]*refused|added|voided|generated|approved|discarded|remarked))\"", path.read_text()
                )
            )
    return acts
