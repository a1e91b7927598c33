"""Options that have been renamed: their old names go on working, with a note that says the new one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from typer.core import TyperCommand

from mpc_tamper.cli import console

_END_OF_OPTIONS = "--"


def renamed(options: Mapping[str, str]) -> type[TyperCommand]:
    """The class of a command with such options.  options: the new name by the old one, dashes included."""

    class WithOldNames(TyperCommand):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            return super().parse_args(ctx, _with_new_names(args, options))

    return WithOldNames


def _with_new_names(args: list[str], options: Mapping[str, str]) -> list[str]:
    end = args.index(_END_OF_OPTIONS) if _END_OF_OPTIONS in args else len(args)
    words = []
    for word in args[:end]:
        name, equals, value = word.partition("=")
        if name in options:
            console.note(f"{name} is now called {options[name]}; the old name still works")
            word = options[name] + equals + value
        words.append(word)
    return words + args[end:]
