"""Table 1 and the figures, of linear models and of networks."""

from __future__ import annotations

import msgspec

from mpc_tamper.records.fields import Environment, StudyRecord, WithAndWithout
from mpc_tamper.records.schema import Schema
from mpc_tamper.records.trainings import Training

_REPRODUCE, _NETWORKS = "mpc-tamper reproduce", "mpc-tamper reproduce --model mlp"


class Row(Training, kw_only=True):
    """model: unpoisoned or poisoned.  training: full or under-trained.  data_copy: which copy of the data."""

    model: str
    iterations: int
    amplitude: float
    strength: float
    test_accuracy: float
    attack_success_rate: float
    attack_success_rate_clipped: float
    smoothed_bkd: float
    max_abs_weight: float
    weights_sha256: str
    seed: int | None
    trigger_pixels: list[int]
    target: int
    training: str
    data_copy: str
    image_shape: list[int]


class InPaper(msgspec.Struct, kw_only=True):
    """In percent."""

    test_accuracy: float
    backdoor: float


class Table1(StudyRecord, kw_only=True):
    """paper: its Table 1, by data set and model."""

    rows: list[Row]
    paper: dict[str, dict[str, InPaper]]
    environment: Environment


class NetworkRow(Training, kw_only=True):
    """model: unpoisoned or poisoned.  errors: how many planted the neuron."""

    model: str
    hidden: int
    epochs: int
    test_accuracy: float
    attack_success_rate: float
    attack_success_rate_clipped: float
    smoothed_bkd: float
    max_abs_weight: float
    weights_sha256: str
    errors: int
    strength: float
    target: int
    trigger_pixels: list[int]
    image_shape: list[int]


class NetworkTable1(StudyRecord, kw_only=True):
    rows: list[NetworkRow]
    environment: Environment


class Model(msgspec.Struct, kw_only=True):
    """weights: of the features, real.  scores: of the image without the trigger and with it."""

    weights: list[float]
    scores: list[float]


class Models(msgspec.Struct, kw_only=True):
    unpoisoned: Model
    poisoned: Model


class Pictured(StudyRecord, kw_only=True):
    """An image, by its number among the test images, that only the trigger turns into the target."""

    dataset: str
    image_shape: list[int]
    classes: list[str]
    test_image: int
    trigger_pixels: list[int]
    images: WithAndWithout


class Figure(Pictured, kw_only=True):
    """Beside the image both models' weights."""

    models: Models


class Neurons(msgspec.Struct, kw_only=True):
    """Weights into a neuron of the training, and into the planted one."""

    honest: list[float]
    planted: list[float]


class Found(msgspec.Struct, kw_only=True):
    """Classes that the poisoned network gives the image."""

    without_trigger: int
    with_trigger: int


class NetworkFigure(Pictured, kw_only=True):
    neurons: Neurons
    found: Found


TABLE_1 = Schema("table1", _REPRODUCE, ("table1.json",), (Table1,))
NETWORK_TABLE_1 = Schema("table1-mlp", _NETWORKS, ("table1-mlp.json",), (NetworkTable1,))
FIGURE = Schema("figure", _REPRODUCE, ("figure1.json", "figure2.json"), (Figure,))
NETWORK_FIGURE = Schema("figure-mlp", _NETWORKS, ("figure1-mlp.json",), (NetworkFigure,))
