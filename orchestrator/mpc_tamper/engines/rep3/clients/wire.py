"""What a client and a server say to each other, in the frames of transport/frame.py.

    client -> server   hello      wire version (8 bytes), token (32): random, the same at all three servers
    server -> client   accepted   a code: it is this client's turn
    client -> server   input      x_i, then x_{i-1}: what server i holds of a sharing of the client's values
    server -> client   input ok   a code: the holders of each component have the same
    client -> server   public     values that everybody may know, the same to all three servers
    server -> client   public ok  a code: all three have the same
    server -> client   public     values that everybody may know, the same from all three servers
    server -> client   answer     x_i, then x_{i-1} of what is revealed to the client

Codes are 8 bytes; lengths of inputs and answers are known to both ends beforehand. Numbers are little-endian.
"""

from __future__ import annotations

from enum import IntEnum

CLIENT = 3  # the client's place among the party ids of a frame or channel
VERSION = 3
TOKEN_BYTES = 32
CODE_BYTES = 8
SECONDS_BYTES = 8
HELLO, ACCEPTED, INPUT, INPUT_OK, ANSWER, PUBLIC_INPUT, PUBLIC_OK, PUBLIC_ANSWER = (
    "client/hello",
    "client/accepted",
    "client/input",
    "client/input ok",
    "client/answer",
    "client/public",
    "client/public ok",
    "client/public answer",
)


class Code(IntEnum):
    """How a client's message fared; of several servers' codes the largest counts."""

    OK = 0
    DISAGREE = 1
    MALFORMED = 2
    LOST = 3
    SPENT = 4  # the client has asked as often as it may

    @property
    def spoken(self) -> str:
        said = ("it came", "another copy than at a peer", "of another form", "it did not come", "asked too often")
        return said[self]


def pack_hello(token: bytes) -> bytes:
    return VERSION.to_bytes(CODE_BYTES, "little") + token


def pack_code(code: Code) -> bytes:
    return int(code).to_bytes(CODE_BYTES, "little")


def unpack_code(data: bytes) -> Code | None:
    """None for a number that is no code."""
    number = int.from_bytes(data, "little")
    return Code(number) if number in set(Code) else None


def pack_seconds(seconds: float) -> bytes:
    """In whole milliseconds."""
    return int(1000 * seconds).to_bytes(SECONDS_BYTES, "little")


def unpack_seconds(data: bytes) -> float:
    return int.from_bytes(data, "little") / 1000
