"""The kinds of faults, in the order in which the campaign goes round."""

from __future__ import annotations

from mpc_tamper.studies.faults import network, signals, system
from mpc_tamper.studies.faults.fault import Fault

KINDS: tuple[type[Fault], ...] = (
    signals.KillParty,
    signals.KillForkServer,
    signals.KillCommand,
    signals.PauseParty,
    signals.PauseForkServer,
    signals.PauseCommand,
    signals.FreezeParty,
    signals.Interrupt,
    signals.InterruptTwice,
    signals.InterruptStuck,
    network.CutConnection,
    network.DelayMessages,
    network.StallConnection,
    network.FlipBit,
    network.DuplicateMessages,
    network.TruncateMessages,
    network.InsertBytes,
    network.SilentStrangers,
    system.FullDisk,
    system.FullTemporaryFolder,
    system.FileSizeLimit,
    system.ReadOnlyFolder,
    system.DescriptorLimit,
    system.MemoryLimit,
    system.ClockJump,
)
