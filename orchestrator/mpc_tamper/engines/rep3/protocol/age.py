"""A run as it would be after hours: each counter stands where the fastest machines could have taken it by then.

Nothing else of a run is limited by its length: messages and bytes of a link, pads of a key, batches of proofs. Each of
them has an error of its own where it ends (frame.py, channel.py, prss.py, transcript.py). A run that begins far from
zero shows that it does not meet these ends.
"""

from __future__ import annotations

from dataclasses import dataclass

# In a second; all more than Python, a network of 10 Gbit/s or AES in one thread achieve.
MESSAGES_PER_SECOND = 1 << 17
BATCHES_PER_SECOND = 1 << 17
BYTES_PER_SECOND = 1 << 30
BLOCKS_PER_SECOND = 1 << 26  # of AES for one stream of pads


@dataclass(frozen=True)
class Age:
    """messages: on each link and in each direction.  sent_bytes: by a party.  blocks: of each stream of pads.  batches:
    of proofs."""

    messages: int = 0
    sent_bytes: int = 0
    blocks: int = 0
    batches: int = 0

    @classmethod
    def after(cls, hours: float) -> Age:
        seconds = round(3600 * hours)
        return cls(
            seconds * MESSAGES_PER_SECOND,
            seconds * BYTES_PER_SECOND,
            seconds * BLOCKS_PER_SECOND,
            seconds * BATCHES_PER_SECOND,
        )
