"""--config FILE: the options of a command from a file; --show-config: the options of this run as such a file.

    [matrix]                 # without tables, what is there is for the command that the file is given to
    data = ["digits.csv"]
    corrupt-party = 2

    [leak.row]
    seed = 7

@configured() gives a command both options, and as its parameter `configuration` what a record keeps: the options that
determine the result, in the form of such a file, defaults filled in. What has no value is left out. A record is taken
for a file as well: mpc-tamper leak row --config results/leak-row.json repeats the run that wrote it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import typer

from mpc_tamper.cli import console
from mpc_tamper.core.errors import UsageError

CONFIGURATION = "configuration"
APART = frozenset({"config", "show-config", "help", "out", "quiet", "jobs", "scheduler", "download"})  # of the result
_NOT_IN_FILES = ("config", "show-config", "help")
_ID = "#"  # between a record and which of its configurations is meant
_LINES = ".jsonl"

ShowConfigOption = Annotated[
    bool, typer.Option("--show-config", help="Print the options of this run as a file for --config, and run nothing.")
]


def configured(*counted: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """For a command that writes a record and has a keyword parameter `configuration` for it.

    counted: of the options APART, those that determine the result of this command.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def called(ctx: typer.Context, config: Path | None, show_config: bool, **values: Any) -> None:
            found = _nested(_command(ctx), dict(_effective(ctx, values, APART - set(counted))))
            if show_config:
                import tomli_w

                console.say(tomli_w.dumps(found).rstrip("\n"))
                return
            command(**values, configuration=found)

        own = [each for name, each in _parameters(command).items() if name != CONFIGURATION]
        types = {each.name: _in_toml(each.annotation) for each in own}

        def take(ctx: typer.Context, value: Path | None) -> Path | None:
            """The options of the file become defaults, so that those on the command line override them."""
            if value is not None and not ctx.resilient_parsing:
                given = _of_command(ctx, value, _read(value))
                ctx.default_map = dict(ctx.default_map or {}) | dict(_defaults(ctx, value, given, types))
            return value

        added = [
            inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
            inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_config_option(take)),
            inspect.Parameter(
                "show_config", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=ShowConfigOption
            ),
        ]
        in_order = [*(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own), *added]
        called.__signature__ = inspect.Signature(in_order)  # type: ignore[attr-defined]
        return called

    return decorate


def _parameters(command: Callable[..., None]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(command, eval_str=True).parameters


def _config_option(take: Callable[..., Path | None]) -> Any:
    return Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            is_eager=True,
            callback=take,
            help="Take options from a TOML file, or from the record of a run; those given here override them.",
        ),
    ]


def _in_toml(kind: Any) -> Any:
    """What TOML has for a type of an option. Which texts and numbers are taken is checked as on the command line."""
    of = [each for each in get_args(kind) if each is not NoneType]
    if get_origin(kind) is list:
        return list[_in_toml(of[0])]  # type: ignore[misc]
    if of:
        return _in_toml(of[0])  # of an option that may be left out
    return str if issubclass(kind, Path | Enum) else kind


def _effective(ctx: typer.Context, values: Mapping[str, Any], apart: frozenset[str]) -> Iterator[tuple[str, Any]]:
    for key, param in _options(ctx).items():
        value = values.get(param.name)
        if key not in apart and value is not None and value != []:
            yield key, _plain(value)


def _plain(value: Any) -> Any:
    """As TOML has it: paths as they were given."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


def _defaults(
    ctx: typer.Context, file: Path, given: Mapping[str, Any], types: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    import msgspec

    from mpc_tamper.records.schema import in_words

    options = {name: param for name, param in _options(ctx).items() if name not in _NOT_IN_FILES}
    seen: set[str] = set()
    for key, value in given.items():
        name = key.replace("_", "-")
        if name not in options or name in ("config", "show-config", "help"):
            possible = ", ".join(each for each in options if each not in ("config", "show-config", "help"))
            raise UsageError(
                f"{file}: {key}: expected an option of {' '.join(_command(ctx))}, got none; use {possible}"
            )
        if name in seen:
            raise UsageError(f"{file}: {key}: expected each option once, got it twice; leave one out")
        seen.add(name)
        param = options[name]
        try:
            msgspec.convert(value, types[param.name])
            param.process_value(ctx, value)
        except msgspec.ValidationError as exc:
            raise UsageError(f"{file}: {key}: {in_words(str(exc))}; write it so") from exc
        except typer.BadParameter as exc:
            raise UsageError(f"{file}: {key}: expected a value for --{name}, got {value!r}: {exc.message}") from exc
        yield param.name, value


def _options(ctx: typer.Context) -> dict[str, Any]:
    """Parameters of the command by what they are called in a file."""
    found = {}
    for param in ctx.command.params:
        names = [name for name in param.opts if name.startswith("--")] or [param.name or ""]
        found[names[0].removeprefix("--").replace("_", "-")] = param
    return found


def _command(ctx: typer.Context) -> tuple[str, ...]:
    """('leak', 'row')"""
    names: list[str] = []
    here: Any = ctx
    while here.parent is not None:
        names.insert(0, here.info_name or "")
        here = here.parent
    return tuple(names)


def _nested(path: tuple[str, ...], options: dict[str, Any]) -> dict[str, Any]:
    found = options
    for name in reversed(path):
        found = {name: found}
    return found


def _of_command(ctx: typer.Context, file: Path, content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The file's options for this command: its table, or all of a file without tables."""
    options = [key for key, value in content.items() if not isinstance(value, dict)]
    if len(options) == len(content):
        return content
    if options:
        raise UsageError(
            f"{file}: {options[0]}: expected options in tables or no tables, got both; put it into a table"
        )
    possible, command = set(_configurable(ctx.find_root().command)), _command(ctx)
    tables = dict(_tables(file, content, possible))
    if command not in tables:
        raise UsageError(f"{file}: expected a table {_header(command)}, got {', '.join(map(_header, tables))}; add one")
    return tables[command]


def _tables(
    file: Path, content: Mapping[str, Any], possible: set[tuple[str, ...]], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    for name, value in content.items():
        inner = (*path, name)
        if inner in possible and isinstance(value, dict):
            yield inner, value
        elif isinstance(value, dict) and any(each[: len(inner)] == inner for each in possible):
            yield from _tables(file, value, possible, inner)
        else:
            listed = ", ".join(map(_header, sorted(possible)))
            raise UsageError(f"{file}: {_header(inner)}: expected a table of a command, got none; use {listed}")


def _configurable(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Commands that take --config."""
    for name, each in getattr(command, "commands", {}).items():
        yield from _configurable(each, (*path, name))
    if any(param.name == "config" for param in command.params):
        yield path


def _header(path: tuple[str, ...]) -> str:
    return f"[{'.'.join(path)}]"


def _read(file: Path) -> Mapping[str, Any]:
    """Of TOML, or the configuration of a record; of a record of many, the one that a # and its id behind the
    name stand for."""
    import tomllib

    from mpc_tamper.core.files import read_text_file
    from mpc_tamper.records.registry import read_record

    name, _, identity = str(file).partition(_ID)
    path = Path(name)
    if path.suffix not in (".json", _LINES):
        try:
            return tomllib.loads(read_text_file(file, "a configuration in TOML", error=UsageError))
        except tomllib.TOMLDecodeError as exc:
            raise UsageError(f"{file}: expected a configuration in TOML, got none: {exc}; correct it") from exc
    record = read_record(path)
    lines = record if isinstance(record, list) else [record]
    found = dict(_configurations(lines))
    wanted = [options for each, options in found.items() if identity in ("", each)]
    if not wanted or any(options != wanted[0] for options in wanted):
        got = "none" if not found else f"{len(found)}; choose one, as {path}{_ID}{next(iter(found))}"
        raise UsageError(f"{file}: expected a record with the configuration of one run, got {got}")
    return wanted[0]


def _configurations(lines: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each with its id, or, where a line holds the options themselves, with the number of the line."""
    for number, line in enumerate(lines, start=1):
        value = line.get(CONFIGURATION)
        if isinstance(value, Mapping):
            yield str(number), value
        elif value is not None and line.get("kind") != "cell":
            yield value, line["options"]
