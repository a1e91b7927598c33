"""What a run cost, as tables on standard error and as a record for machines."""

from __future__ import annotations

from typing import Any

from mpc_tamper.cli import console
from mpc_tamper.records.trainings import RUN
from mpc_tamper.runs.network import Network, network_record
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.runs.result import Cost, PartyReport, RunResult


def record(result: RunResult, engine: EngineName, network: Network | None = None) -> dict[str, Any]:
    """The run as JSON takes it: what it printed and opened, and each party's cost by step."""
    spec = result.spec
    return {
        "program": str(spec.program),
        "args": list(spec.args),
        "engine": str(engine),
        "protocol": str(spec.protocol),
        "run_dir": str(spec.run_dir),
        "corrupt_party": None if spec.corruption is None else spec.corruption.party,
        "plan_sha256": None if spec.corruption is None else spec.corruption.plan.sha256(),
        "lines": list(result.lines),
        "binary_output": list(result.binary_output),
        "seconds": result.seconds,
        "bytes_per_party": result.bytes_per_party,
        "rounds": result.rounds,
        "parties": [
            {
                "party_id": party.party_id,
                **_fields(party.cost),
                "peak_rss_bytes": party.peak_rss_bytes,
                **({} if party.batches is None else proofs_record(party)),
                "steps": {
                    site: {"occurrences": count, **_fields(cost)} for site, (count, cost) in by_site(party).items()
                },
            }
            for party in result.parties
        ],
        **network_record(network),
    }


def proofs_record(party: PartyReport) -> dict[str, Any]:
    """Of an active run of rep3."""
    return {"soundness_error": party.soundness_error, "batches": party.batches}


def by_site(party: PartyReport) -> dict[str, tuple[int, Cost]]:
    """Occurrences and total cost of each named step, in the order of their first occurrence."""
    totals: dict[str, tuple[int, Cost]] = {}
    for step in party.steps:
        count, cost = totals.get(step.site, (0, Cost()))
        totals[step.site] = (count + step.times, cost + step.cost)
    return totals


def print_tables(result: RunResult, engine: EngineName, network: Network | None = None) -> None:
    columns = ("party", "seconds", "bytes sent", "rounds", "peak memory, MB")
    over = "" if network is None else f", over {network}"
    rows = [
        (str(party.party_id), *_cells(party.cost), f"{party.peak_rss_bytes / 1e6:,.0f}") for party in result.parties
    ]
    console.note(console.table(f"{engine}, {result.spec.protocol}{over}: {result.spec.run_dir}", columns, rows))
    sites = by_site(result.parties[0])
    if sites:
        columns = ("step", "times", "seconds", "bytes sent", "rounds")
        steps = [(site, f"{count:,}", *_cells(cost)) for site, (count, cost) in sites.items()]
        console.note(console.table(f"steps of party {result.parties[0].party_id}", columns, steps))


def _fields(cost: Cost) -> dict[str, float | int]:
    return {"seconds": cost.seconds, "bytes_sent": cost.bytes_sent, "rounds": cost.rounds}


def _cells(cost: Cost) -> tuple[str, str, str]:
    return f"{cost.seconds:,.3f}", f"{cost.bytes_sent:,}", f"{cost.rounds:,}"


def print_result(result: RunResult, engine: EngineName, network: Network | None, *, as_json: bool, quiet: bool) -> None:
    """The program's lines, and the cost on standard error unless quiet; or all of it as JSON."""
    if as_json:
        console.say(RUN.text(record(result, engine, network), "record", indent=2).rstrip("\n"))
        return
    for line in result.lines:
        console.exactly(line)
    if not quiet:
        print_tables(result, engine, network)
