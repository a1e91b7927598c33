"""Every exception that this software raises on purpose.

    TamperError
      UsageError             a bad argument, file or parameter; nothing was started, but for the PlanError below
        ParameterError         a number out of range, or a public bound too wide for a primitive
        DataError              a data set or input file that is missing, malformed or mislabelled
        PlanError              an additive-error plan that cannot be read or names no such place; that no output was
                               met is known only at the end of a run, whose result is then withheld
        ShareFolderError       share files to start from that are missing or foreign, or others' in a folder to write to
        EngineUnavailable      an engine or optional package that is not installed
        PluginError            an attack, defence or model of another distribution that cannot be had
        PortInUse              a listening port that another process holds
      ProgramError           the .mpc program, with its file and line
        UnsupportedName        a name outside the part of the language that the embedded engine runs
        CompileTimeState       Python state changed, or a run-time value used, where MP-SPDZ compiles once
        ShapeError             operands of unequal or wrong shape
        ProgramCrash           the program called crash()
      PartyError             a run that had started
        PeerLost               a connection to another party closed, or the party died
        PeerTimeout            a party sent nothing for too long
        HandshakeError         wrong certificate, program, arguments, version or session
        FrameError             a frame that is truncated, oversized, out of order or wrongly tagged
        ProtocolAbort          a check of an active protocol failed: somebody deviated
          ProofRejected        a proof of what a party sent was not accepted
        OpeningError           the two copies of an opened component differ
        ShareFileError         a share file that is missing, foreign, too short or edited; ShareFolderError is one too

Every message says what was expected, what came, and what the user can do.
"""


class TamperError(Exception):
    """Base of all.

    lines: what a program had printed before this ended it. Empty where the protocol is active and a party deviated or
    was lost: then nothing of the run is to be believed.
    """

    lines: tuple[str, ...] = ()


class UsageError(TamperError):
    """A bad argument, file or parameter; nothing was started."""


class ParameterError(UsageError, ValueError):
    """A number out of range, or a public bound too wide for a primitive."""


class DataError(UsageError):
    """A data set or input file that is missing, malformed or mislabelled."""


class PlanError(UsageError):
    """An additive-error plan that cannot be read or names no such place, maybe known only at the end of the run."""


class EngineUnavailable(UsageError):
    """An engine or optional package that is not installed."""


class PluginError(UsageError):
    """An attack, defence or model of another distribution that does not load, or whose name somebody has."""


class PortInUse(UsageError):
    """A listening port that another process holds."""


class ProgramError(TamperError):
    """The .mpc program is at fault; the message carries its file and line."""


class UnsupportedName(ProgramError):
    """A name outside the part of the language that the embedded engine runs."""


class CompileTimeState(ProgramError):
    """Something that MP-SPDZ refuses, or compiles to other than eager Python would do."""


class ShapeError(ProgramError):
    """Operands of unequal or wrong shape."""


class ProgramCrash(ProgramError):
    """The program called crash()."""


class PartyError(TamperError):
    """A run that had started cannot go on. party: the id of the party at fault, where it is known."""

    def __init__(self, message: str, party: int | None = None) -> None:
        super().__init__(message)
        self.party = party


class PeerLost(PartyError):
    """A connection to another party closed, or the party died."""

    accuser: int | None = None  # the party that has said so, where it was another one that said it of `party`


class PeerTimeout(PartyError):
    """A party sent nothing for too long."""


class HandshakeError(PartyError):
    """Wrong certificate, program, arguments, version or session."""


class FrameError(PartyError):
    """A frame that is truncated, oversized, out of order or wrongly tagged.

    unread: bytes of its payload, as its header announces them, that have not been read.
    """

    unread: int = 0


class ProtocolAbort(PartyError):
    """A check of an active protocol failed: somebody deviated. Nothing of the batch was opened or kept."""


class ProofRejected(ProtocolAbort):
    """A proof of what a party sent was not accepted; the message names the check and the batch."""


class OpeningError(PartyError):
    """The two copies of an opened component differ."""


class ShareFileError(PartyError):
    """A share file that is missing, foreign, too short or edited."""


class ShareFolderError(UsageError, ShareFileError):
    """Before anything starts: share files that are missing or foreign, or another run's where this one would write."""
