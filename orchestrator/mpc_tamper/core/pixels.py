"""Images hold integers from 0, black, to MAX_PIXEL, white."""

from __future__ import annotations

MAX_PIXEL = 255
