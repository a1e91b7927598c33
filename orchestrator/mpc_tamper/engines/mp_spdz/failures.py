"""Why a run ended badly: the first cause, as a typed error with that party's last words."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

from mpc_tamper.core.errors import (
    DataError,
    HandshakeError,
    PartyError,
    PeerLost,
    PeerTimeout,
    PlanError,
    PortInUse,
    ProgramCrash,
    ProtocolAbort,
    ShareFileError,
    TamperError,
)
from mpc_tamper.engines.mp_spdz.parties import PartyEnd

_ECHO = re.compile(r"Fatal error in communication|another party|closed_connection|connection closed", re.IGNORECASE)
_OTHER = re.compile(r"because party (\d) encountered a problem")
_CAUSES: tuple[tuple[re.Pattern[str], type[TamperError], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind, advice)
    for pattern, kind, advice in (
        (r"additive-error plan: (?!party \d+ adds)", PlanError, "check the plan's sites, occurrences and indices"),
        (
            r"hash mismatch|MacCheck Failure|Offline-Check-Error|inconsistent Shamir|mac_fail|consistency check",
            ProtocolAbort,
            "a check of the active protocol failed: a party deviated; nothing of this run was kept",
        ),
        (
            r"persistence file|Persistence/|Persistence not found|Got to EOF when reading from disk",
            ShareFileError,
            "give the run whose share files are read with --shares-from; check its protocol and number of shares",
        ),
        (r"Crash requested by program", ProgramCrash, "the program called crash()"),
        (r"Player-Data/Input|not enough inputs", DataError, "check the input file of this party"),
        (r"handshake with|SSL error|key values mismatch|Cannot access .*\.(pem|key)", HandshakeError, "certificates"),
        (r"cannot connect from", PeerTimeout, "the party named there did not come, or cannot be reached"),
        (r"Address already in use", PortInUse, "choose other ports with --port-base"),
    )
)


def first_cause(ends: Sequence[PartyEnd]) -> TamperError:
    """The cause, where not all parties ended well: one that was killed, else one with an error of its own, else any."""
    failed = [end for end in ends if end.returncode != 0 and not end.stopped_by_us]
    return min((_Explained(end) for end in failed), key=lambda explained: explained.rank).error


class _Explained:
    """rank: a plan that met no output, a killed process (0), other causes, anything else, what is said of another."""

    def __init__(self, end: PartyEnd) -> None:
        words = end.transcript.last_words()
        said = words + "".join(f"\n{line.text}" for line in end.transcript.output[-1:])
        if end.returncode < 0 and end.returncode != -signal.SIGABRT:
            name = signal.Signals(-end.returncode).name
            self.rank = 0
            self.error: TamperError = PeerLost(
                f"party {end.party_id} was killed by {name}; no result was written", end.party_id
            )
            return
        for rank, (pattern, kind, advice) in enumerate(_CAUSES, start=1):
            if pattern.search(said):
                message = f"party {end.party_id}: {advice}. Its last words: {words}"
                # A party that dies when the corrupt one has ended, which may be by SIGSEGV, is no cause.
                self.rank = -1 if kind is PlanError else rank
                self.error = kind(message, end.party_id) if issubclass(kind, PartyError) else kind(message)
                return
        other = _OTHER.search(words)
        kind = PeerLost if other or _ECHO.search(words) else PartyError
        self.rank = 101 if kind is PeerLost else 100
        said = f"party {end.party_id} ended with exit code {end.returncode}: {words}"
        self.error = kind(said, int(other[1]) if other else end.party_id)
