"""Pseudorandom pads from keys that two parties share (Araki et al., CCS'16, https://eprint.iacr.org/2016/768).

Key kappa_i is known to parties i and i+1: party i holds kappa_i and kappa_{i-1}, and lacks kappa_{i+1}. Each purpose
has an AES-CTR stream of its own under a key derived from kappa by HKDF; the parties draw in lockstep, and a stream
only moves forward, so that no pad is used twice. The counter has 128 bits. AES is a permutation, whose outputs differ
from random ones: n blocks of a stream are told from random with probability at most n^2 / 2^129. A stream ends at 2^44.
"""

from __future__ import annotations

import math
from enum import Enum

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mpc_tamper.core.errors import ProtocolAbort
from mpc_tamper.engines.kernels.threads import ranges, together

KEY_BYTES = 32
_AES_BYTES = 16
_WORD_BYTES = 8
_WORTH = 1 << 18  # words that a thread has to make for it to pay
MAX_WORDS = 1 << 45  # of a stream
# Words made at a time, as small draws are frequent: each time twice as many, up to the last number. Of most streams
# that a challenge stands for, a few words are drawn.
_FIRST_AHEAD, _AHEAD = 1 << 7, 1 << 14
_ZEROS = memoryview(bytes(1 << 20))  # what is encrypted at a time
_CHALLENGE = b"challenges of proofs"


class Purpose(Enum):
    """One stream per purpose; the values enter the key derivation."""

    ZERO = b"zero share, Z_2^64"
    ZERO_BITS = b"zero share, GF(2)"
    INPUT = b"input mask"
    B2A = b"bit to arithmetic"
    RANDOM = b"random element of Z_2^64"  # component i of it, which party i - 1 lacks
    SHARE_CHECK = b"share agreement"
    PROOF_RIGHT = b"proof, shared with the next party"
    PROOF_LEFT = b"proof, shared with the previous party"


def derive_key(kappa: bytes, purpose: bytes, length: int) -> bytes:
    """A key for one purpose alone, from one that serves several."""
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=purpose).derive(kappa)


class Stream:
    """The pads of one key and purpose; what a challenge expands to has a purpose outside the list."""

    def __init__(self, kappa: bytes, purpose: Purpose | bytes, first_block: int = 0) -> None:
        """first_block: where the counter starts, for a simulated run that has gone on for long."""
        key = derive_key(kappa, purpose.value if isinstance(purpose, Purpose) else purpose, _AES_BYTES)
        self._key = algorithms.AES(key)
        self._made = first_block * _AES_BYTES // _WORD_BYTES  # words, counted from the first block of all
        self._encryptor = self._at(self._made)
        self._ahead = np.empty(0, np.uint64)
        self._next = _FIRST_AHEAD

    def draw(self, count: int) -> np.ndarray:
        """The next `count` words, uint64, writable. Each word is handed out once."""
        if count > _AHEAD:
            words, self._ahead = self._generate(self._ahead, count - self._ahead.size), np.empty(0, np.uint64)
            return words
        if count > self._ahead.size:
            self._ahead = self._generate(self._ahead, max(count, self._next))
            self._next = min(2 * self._next, _AHEAD)
        words, self._ahead = self._ahead[:count], self._ahead[count:]
        return words

    def _generate(self, rest: np.ndarray, count: int) -> np.ndarray:
        """What is left, and as many words after it."""
        if self._made + count > MAX_WORDS:
            raise ProtocolAbort(
                "expected at most 2^45 pads from one key, got more: beyond them they are less sure to look random; "
                "start a new run, which draws new keys"
            )
        # Counted before they are made: what a draw that fails may have made is never made again.
        begin, self._made = self._made, self._made + count
        try:
            return self._from(rest, begin, count)
        except BaseException:
            self._encryptor = self._at(self._made)
            raise

    def _from(self, rest: np.ndarray, begin: int, count: int) -> np.ndarray:
        room = np.empty((rest.size + count) * _WORD_BYTES + _AES_BYTES - 1, np.uint8)  # as the library asks for
        words = room[: 1 - _AES_BYTES].view(np.uint64)
        words[: rest.size] = rest
        out = room[rest.size * _WORD_BYTES :]
        parts = ranges(count, count // _WORTH)
        if len(parts) == 1:
            _encrypt(self._encryptor, out)
        else:
            calls = []
            for first, last in parts:  # the room behind a part is where the next one begins: nothing is written there
                places = slice(_WORD_BYTES * first, _WORD_BYTES * last + _AES_BYTES - 1)
                calls.append((self._at(begin + first), out[places]))
            together(_encrypt, calls)
            self._encryptor = self._at(begin + count)
        return words

    def _at(self, word: int) -> CipherContext:
        """What makes the stream from this word on. A block of the cipher is two words, the counter that of blocks."""
        block, behind = divmod(word * _WORD_BYTES, _AES_BYTES)
        encryptor = Cipher(self._key, modes.CTR(block.to_bytes(_AES_BYTES, "big"))).encryptor()
        encryptor.update(bytes(behind))
        return encryptor


def _encrypt(encryptor: CipherContext, out: np.ndarray) -> None:
    """Zeros, into all bytes but the last ones, which are room that the library asks for."""
    count, places = out.size - _AES_BYTES + 1, out.data
    for start in range(0, count, len(_ZEROS)):
        size = min(len(_ZEROS), count - start)
        encryptor.update_into(_ZEROS[:size], places[start : start + size + _AES_BYTES - 1])


class Prss:
    """Party i's streams from kappa_i (own) and kappa_{i-1} (previous).  first_block: of each, see Stream."""

    def __init__(self, own_key: bytes, previous_key: bytes, first_block: int = 0) -> None:
        self.own = {purpose: Stream(own_key, purpose, first_block) for purpose in Purpose}
        self.previous = {purpose: Stream(previous_key, purpose, first_block) for purpose in Purpose}
        self.own_challenge_key = derive_key(own_key, _CHALLENGE, KEY_BYTES)
        self.previous_challenge_key = derive_key(previous_key, _CHALLENGE, KEY_BYTES)

    def pads(self, purpose: Purpose, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """The next pads of both streams: F(kappa_i), F(kappa_{i-1})."""
        count = math.prod(shape)
        return self.own[purpose].draw(count).reshape(shape), self.previous[purpose].draw(count).reshape(shape)

    def zero_share(self, shape: tuple[int, ...]) -> np.ndarray:
        """alpha_i = F(kappa_i) - F(kappa_{i-1}): an additive sharing of zero, uniform to each other party."""
        own, previous = self.pads(Purpose.ZERO, shape)
        own -= previous
        return own

    def zero_bits(self, shape: tuple[int, ...]) -> np.ndarray:
        """The same for bits packed in words: xor in place of addition."""
        own, previous = self.pads(Purpose.ZERO_BITS, shape)
        own ^= previous
        return own
