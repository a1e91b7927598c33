"""What a model can do, by name."""

from __future__ import annotations

from enum import StrEnum


class Capability(StrEnum):
    """What attacks, defences, checks and services may need of a model."""

    LINEAR = "a linear score"  # or one for each class: what a change of w does to any image is known in advance
    SINGLE_SCORE = "a single score"  # class 1 iff it is above 0
    UPDATE_ERRORS = "additive errors that move its weights"
    ROW_ERRORS = "additive errors at single training rows"
    GATE_ERRORS = "additive errors inside its comparisons"
    CLIPPING = "clipped updates"
    STORED_ROWS = "training on rows that an earlier stage left as shares"
    ACCURACY = "verification of its accuracy"
    ROBUSTNESS = "a k-pixel certificate"
    QUERIES = "queries by clients"
    MANY_CLASSES = "more than two classes"
    NEURONS = "hidden neurons"  # that errors can set, and that can be pruned
    SECRET_START = "a start that nobody knows"
    PATCH_SCAN = "a scan for patches"
