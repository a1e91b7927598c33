"""Markdown as HTML for the page: the README's own text, and the tables that report makes of records.

What comes from records may say anything. So in a table's text there are no links, images, emphasis or HTML, and all
that a record says is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

_SAFE_LINK = "https://"
_TO_A_FILE = re.compile(r"\[([^\]\n]*)\]\(\.\.?/[^)\s]*\)")
_NUMBERS = "text-align:right"  # how markdown-it marks a column of numbers


@dataclass(frozen=True)
class Piece:
    """A part of a page's text. kind: 'heading', 'table' or 'text'.  level: of a heading, from 1."""

    kind: str
    html: Markup
    level: int = 0


def prose(text: str) -> Markup:
    """Of our own pages. Links to files lead nowhere from a page that is carried elsewhere: their words alone stay."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    for token in tokens:
        token.children = _without_links(token.children or []) if token.type == "inline" else token.children
    return Markup(parser.renderer.render(tokens, parser.options, {}))


def tables(text: str, captions: Mapping[str, str], caption: str) -> Sequence[Piece]:
    """What report writes into results/*.md.

    captions: by the first head of a table that is not empty.  caption: of tables that have none there and stand below
    no heading.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["link", "image", "autolink"])
    parser.disable(["emphasis", "html_inline", "html_block", "entity", "reference"])
    parser.disable(["blockquote", "lheading", "hr"])
    pieces: list[Piece] = []
    tokens, start = parser.parse(_TO_A_FILE.sub(r"\1", text.replace("**", ""))), 0
    for at, token in enumerate(tokens):
        if token.level or token.nesting > 0:
            continue
        block, start = tokens[start : at + 1], at + 1
        if block[0].type == "heading_open":
            level = int(block[0].tag[1:])
            pieces.append(Piece("heading", escape(block[1].content), level))
            caption = block[1].content if level > 1 else caption
        elif block[0].type == "table_open":
            html = _table(parser, block, captions, caption)
            pieces.append(Piece("table", html))
        else:
            pieces.append(Piece("text", Markup(parser.renderer.render(block, parser.options, {}))))
    return pieces


def _table(parser: MarkdownIt, tokens: list[Token], captions: Mapping[str, str], caption: str) -> Markup:
    """Heads have a scope, the first cell of a row is its head, and numbers have a class instead of a style."""
    first = False
    heads = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "th_open"]
    named = next((head for head in heads if head), "")
    for at, token in enumerate(tokens):
        if token.type == "tr_open":
            first = True
        elif token.type in ("th_open", "th_close"):
            head = tokens[at + token.nesting].content
            token.tag = "th" if head else "td"  # an empty head heads nothing
            token.attrs = _marked(token, "col" if head else "")
        elif token.type == "td_open":
            text = tokens[at + 1].content
            token.attrs = _marked(token, "row" if first else "", numbers=not any(map(str.isalpha, text)))
            token.tag = "th" if first else "td"
        elif token.type == "td_close":
            token.tag, first = ("th" if first else "td"), False
    inner = Markup(parser.renderer.render(tokens[1:-1], parser.options, {}))
    return Markup("<table><caption>{}</caption>{}</table>").format(captions.get(named, caption), inner)


def _marked(token: Token, scope: str, *, numbers: bool = False) -> dict[str, str | int | float]:
    """numbers: whether the cell has nothing else, and stays in one line."""
    found: dict[str, str | int | float] = {"scope": scope} if scope else {}
    if token.attrs.get("style") == _NUMBERS:
        return found | {"class": "n"}
    return found | ({"class": "k"} if numbers else {})


def _without_links(tokens: Sequence[Token]) -> list[Token]:
    kept: list[Token] = []
    leads: list[bool] = []
    for token in tokens:
        if token.type == "link_open":
            leads.append(str(token.attrs.get("href", "")).startswith(_SAFE_LINK))
        if token.type == "image" or (token.type in ("link_open", "link_close") and not leads[-1]):
            pass
        else:
            kept.append(token)
        if token.type == "link_close":
            leads.pop()
    return kept
