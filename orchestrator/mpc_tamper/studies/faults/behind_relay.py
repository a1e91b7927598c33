"""mpc-tamper with a relay between the parties of rep3 that interferes once.

python -m mpc_tamper.studies.faults.behind_relay INTERFERENCE run PROGRAM.mpc ...
"""

from __future__ import annotations

import functools
import runpy
import sys

from mpc_tamper.engines import registry
from mpc_tamper.engines.base import Engine
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.studies.faults.relay import Interference, interfering


def main(interference: str, *words: str) -> None:
    route = functools.partial(interfering, *Interference.read(interference))
    plain = registry.get_engine

    def routed(name: EngineName) -> Engine:
        return plain(name).routed(route)

    registry.get_engine = routed
    sys.argv = ["mpc-tamper", *words]
    runpy.run_module("mpc_tamper.cli.main", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
