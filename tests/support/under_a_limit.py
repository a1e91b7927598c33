"""python -m tests.support.under_a_limit FOLDER PROTOCOL: products with rows whose shares are four times what the kernel
lets this process add to its data, by three parties in its threads; and the same without files."""

from __future__ import annotations

import functools
import resource
import sys
from pathlib import Path

import numpy as np

from mpc_tamper.engines.mapped import Storage
from mpc_tamper.engines.rep3.in_process import run_in_threads
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.inputs import share_input
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.share import public

LIMIT = 80 << 20
RECORD_BYTES = 4 << 20
ALL_SHARES = 34  # bytes of a word at three parties
COLUMNS = 400
ROWS = 4 * LIMIT // (ALL_SHARES * COLUMNS)


def words(start: int, count: int) -> np.ndarray:
    """Words of the matrix, from -50 to 49, the same whenever they are asked for."""
    return ((np.arange(start, start + count) * 2654435761 >> 7) % 100 - 50).view(np.uint64)


def program(party: Party, rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """X w and then X^T X w, of the first rows of X."""
    taken = 0

    def read(count: int) -> np.ndarray:
        nonlocal taken
        taken += count
        return words(taken - count, count)

    x = share_input(party, 0, (rows, COLUMNS), read)
    w = public(np.arange(COLUMNS, dtype=np.uint64).reshape(-1, 1), party.party_id)
    margin = passive.matmul(party, x, w)
    return open_to_all(party, margin), open_to_all(party, passive.trans_matmul(party, x, margin))


def expected() -> tuple[np.ndarray, np.ndarray]:
    w = np.arange(COLUMNS)
    margins, gradient = [], np.zeros(COLUMNS, np.int64)
    for start in range(0, ROWS, 1000):
        part = words(start * COLUMNS, min(1000, ROWS - start) * COLUMNS).view(np.int64).reshape(-1, COLUMNS)
        margins.append(part @ w)
        gradient += part.T @ margins[-1]
    return np.concatenate(margins), gradient


def main(folder: str, protocol: str) -> None:
    active = protocol == "mal-rep-ring"
    margins, gradient = expected()

    def right(storage: Storage) -> bool:
        found = run_in_threads(program, active=active, record_bytes=RECORD_BYTES, storage=storage, timeout_seconds=600)[
            0
        ]
        pairs = zip(found, (margins, gradient), strict=True)
        return all(np.array_equal(ours.reshape(-1).view(np.int64), theirs) for ours, theirs in pairs)

    run_in_threads(functools.partial(program, rows=8), active=active)  # what is loaded is loaded
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    limit = (int(status["VmData"].split()[0]) << 10) + LIMIT
    resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))
    print("with files:", "right" if right(Storage(Path(folder), LIMIT // 8)) else "wrong")
    try:
        right(Storage())
    except MemoryError:
        print("without: not enough memory")


if __name__ == "__main__":
    main(*sys.argv[1:])
