"""Attacks, defences and models of other distributions: what they name in entry points, beside what is bundled.

    [project.entry-points."mpc_tamper.attacks"]
    bias_shift = "my_attacks.bias_shift:BiasShift"

A table is a mapping by name. What is bundled comes first; what others name is imported when it is asked for. A plug-in
that does not load, or that takes a name which somebody has, is left out where the table is gone through, and refused
in one line that names its distribution where it is asked for by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from mpc_tamper.core.errors import PluginError

T = TypeVar("T")

ATTACKS, DEFENCES, MODELS = "mpc_tamper.attacks", "mpc_tamper.defences", "mpc_tamper.models"


class Table(Mapping[str, T], Generic[T]):
    """What is bundled and what others name in a group of entry points.

    kind: what one of them is called in messages.  accept: makes one of what an entry point names, or raises TypeError
    that says what it is instead.
    """

    def __init__(self, kind: str, group: str, bundled: Mapping[str, T], accept: Callable[[str, object], T]) -> None:
        self.kind, self.group, self.bundled = kind, group, bundled
        self._accept = accept
        self._found: dict[str, list[EntryPoint]] | None = None
        self._loaded: dict[str, T | PluginError] = {}

    def __getitem__(self, name: str) -> T:
        """Raises KeyError for a name that nobody has, PluginError for a plug-in that cannot be had."""
        if name in self.bundled:
            return self.bundled[name]
        loaded = self._load(name)
        if isinstance(loaded, PluginError):
            raise loaded
        return loaded

    def __iter__(self) -> Iterator[str]:
        yield from self.bundled
        for name in self._plugins():
            if name not in self.bundled and not isinstance(self._load(name), PluginError):
                yield name

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in self.bundled or name in self._plugins()

    def added(self) -> list[str]:
        """The names of others that are not bundled."""
        return [name for name in self._plugins() if name not in self.bundled]

    def problems(self) -> list[str]:
        """A line for each plug-in that does not load or whose name is taken."""
        lines = []
        for name, points in self._plugins().items():
            if name in self.bundled:
                lines += [f"{_whose(point)}: {self._taken(name, 'mpc-tamper')}" for point in points]
            elif isinstance(loaded := self._load(name), PluginError):
                lines.append(str(loaded))
        return lines

    def origin(self, name: str) -> str | None:
        """The distribution that a plug-in came with; None for what is bundled."""
        return None if name in self.bundled else _whose(self._plugins()[name][0])

    def forget(self) -> None:
        """Look again for plug-ins, such as after an installation."""
        self._found = None
        self._loaded.clear()

    def _plugins(self) -> dict[str, list[EntryPoint]]:
        if self._found is None:
            self._found = {}
            for point in sorted(entry_points(group=self.group), key=lambda each: (each.name, _whose(each))):
                self._found.setdefault(point.name, []).append(point)
        return self._found

    def _load(self, name: str) -> T | PluginError:
        if name not in self._loaded:
            points = self._plugins()[name]
            if len(points) > 1:
                both = " and ".join(_whose(point) for point in points)
                self._loaded[name] = PluginError(f"{both}: {self._taken(name, 'the other')}")
            else:
                self._loaded[name] = self._from(points[0])
        return self._loaded[name]

    def _from(self, point: EntryPoint) -> T | PluginError:
        try:
            return self._accept(point.name, point.load())
        except (Exception, SystemExit) as exc:  # whatever somebody else's module raises as it is imported
            said = " ".join(str(exc).split())[:200]
            return PluginError(
                f"{_whose(point)}: expected {self.kind} {point.name!r} in {point.value}, got {type(exc).__name__}: "
                f"{said}; update this distribution, or uninstall it"
            )

    def _taken(self, name: str, whose: str) -> str:
        return (
            f"expected a name of its own for {self.kind} {name!r}, got one that {whose} has; uninstall this "
            "distribution, or ask its author for another name"
        )


def _whose(point: EntryPoint) -> str:
    return "an unknown distribution" if point.dist is None else f"{point.dist.name} {point.dist.version}"
