"""One of three parties of SecretFlow-SPU, ABY3 over FM64: a script of its own, for bench_spu.py.

    python spu_party.py RANK PORT0 PORT1 PORT2 FOLDER JOB      writes a line of JSON

SPU brings JAX and an older NumPy, so it may have a Python of its own: nothing of this package is imported here. The
steps are those of svm_train.mpc and mlp_train.mpc in SPU's fixed point, where each product is truncated with a random
last place; rep3 has exact integers, and divides once a step. Rows, labels and weights are secret; the SVM's rows have
their labels in them. Links are plain TCP, without TLS.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

RATE, DECAY, CAP = 0.1, 1e-4, 2.0


def svm_step(x: Any, w: Any) -> Any:
    active = (x @ w < 1.0).astype(np.float32)
    return w - RATE * (2 * DECAY * w - active @ x / x.shape[0])


def network_step(x: Any, y: Any, w1: Any, w2: Any) -> Any:
    import jax.numpy as jnp

    z = x @ w1
    above, beyond = z > 0, z > CAP
    a = jnp.where(above, z, 0.0) - jnp.where(beyond, z - CAP, 0.0)
    e = jnp.where(1.0 - y * (a @ w2) > 0, y, 0.0)
    back = e @ w2.T
    d = jnp.where(above, back, 0.0) - jnp.where(beyond, back, 0.0)
    return w1 + RATE / x.shape[0] * (x.T @ d), w2 + RATE / x.shape[0] * (a.T @ e)


def inputs(job: Mapping[str, int]) -> tuple[Callable[..., Any], dict[str, np.ndarray]]:
    """The step, and arrays of its sizes."""
    rng = np.random.default_rng(0)
    rows, columns, hidden, outputs = (job[key] for key in ("rows", "columns", "hidden", "outputs"))
    x = (rng.integers(0, 256, (rows, columns)) / 256).astype(np.float32)
    if not hidden:
        labels = rng.choice([-1, 1], (rows, 1)).astype(np.float32)
        return svm_step, {"x": x * labels, "w": np.zeros(columns, np.float32)}
    y = np.where(np.arange(outputs) == rng.integers(0, outputs, (rows, 1)), 1, -1).astype(np.float32)
    w1, w2 = (rng.normal(0, 0.05, shape).astype(np.float32) for shape in ((columns, hidden), (hidden, outputs)))
    return network_step, {"x": x, "y": y, "w1": w1, "w2": w2}


def main(rank: int, ports: list[str], folder: Path, job: Mapping[str, int]) -> dict[str, Any]:
    from spu import api, libspu
    from spu.utils import frontend

    link = libspu.link.Desc()
    for party, port in enumerate(ports):
        link.add_party(f"P{party}", f"127.0.0.1:{port}")
    context = libspu.link.create_brpc(link, rank)
    config = libspu.RuntimeConfig(protocol=libspu.ProtocolKind.ABY3, field=libspu.FieldType.FM64)
    step, given = inputs(job)
    secret = libspu.Visibility.VIS_SECRET
    weights = [name for name in given if name.startswith("w")]  # what a step gives is what the next one takes
    executable, _ = frontend.compile(
        frontend.Kind.JAX, step, tuple(given.values()), {}, list(given), [secret] * len(given), lambda outputs: weights
    )
    if rank == 0:  # a dealer of shares, which the times leave out
        io = api.Io(3, config)
        for name, value in given.items():
            for party, share in enumerate(io.make_shares(value, secret)):
                for number, part in enumerate((share.meta, *share.share_chunks)):
                    (folder / f"{name}-{party}-{number:04}").write_bytes(part)
    context.barrier()
    runtime = api.Runtime(context, config)
    for name in given:
        share = libspu.Share()
        share.meta, *share.share_chunks = (p.read_bytes() for p in sorted(folder.glob(f"{name}-{rank}-*")))
        runtime.set_var(name, share)
    context.barrier()
    seconds, begin = [], time.process_time()
    for _ in range(job["steps"]):
        start = time.perf_counter()
        runtime.run(executable)
        seconds.append(time.perf_counter() - start)
    cpu = time.process_time() - begin
    context.barrier()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    context.stop_link()
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_rss_bytes": peak}


if __name__ == "__main__":
    found = main(int(sys.argv[1]), sys.argv[2:5], Path(sys.argv[5]), json.loads(sys.argv[6]))
    sys.stdout.write(json.dumps(found) + "\n")
