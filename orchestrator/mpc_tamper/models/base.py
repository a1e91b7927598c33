"""What a model is to everything that trains, attacks, verifies and serves it.

A model is a folder of models/ and a line in models/registry.py. It says what its public parameters are, which programs
train, verify and query it and with which arguments, how rows and weights are encoded, how its opened weights score
images, and where additive errors enter its training. What it cannot do it leaves out of its capabilities; attacks and
checks name those that they need.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.checks import Question
from mpc_tamper.models.pruning import CleanRows, Pruning
from mpc_tamper.runs.owners import Owners, RowSource
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.spec import InputFiles


class Layout(StrEnum):
    """How a training program keeps the rows. Both: their transpose too, for full batches; faster on some engines."""

    ROWS = "rows"
    BOTH = "both"


@dataclass(frozen=True)
class DataSize:
    """What is public about the training data. features: of a row, the constant one not included.

    largest: a bound on the size of a feature, at the scale of rows.  classes: how many labels there are.
    """

    rows: int
    features: int
    largest: int
    classes: int = 2


Architecture = Mapping[str, int]
"""What later programs have to know of a trained model besides its shares: public integers, kept beside them."""


@dataclass(frozen=True)
class ProgramCall:
    """A program and what it is given.

    loop: the site that ends a pass of its main loop, and how often it will have been reached; None without a loop.
    """

    program: Path
    args: tuple[str, ...]
    inputs: Mapping[int, InputFiles] = field(default_factory=dict)
    loop: tuple[str, int] | None = None


@dataclass(frozen=True, eq=False)
class OpenedModel(ABC):
    """A model that was opened for analysis.

    weights: (k,) int64, in the order of its share file.
    """

    weights: np.ndarray

    @property
    @abstractmethod
    def score_bits(self) -> int:
        """Scores have scale 2^score_bits."""

    @abstractmethod
    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Exact integers.  rows: (m, n) features at the scale of rows.

        (m,) for two classes: class 1 iff above 0.  (m, C) for C > 2: the class is the first of the largest.
        """

    @property
    @abstractmethod
    def max_abs_weight(self) -> float:
        """In real units."""

    def picture(self) -> np.ndarray | None:
        """(n,) float64, a weight for each feature in real units, to be drawn; None where there is no such thing."""
        return None

    def decision_function(self, rows: np.ndarray) -> np.ndarray:
        """Scores in real units, float64, of the same shape."""
        return self.scores(rows).astype(np.float64) / (1 << self.score_bits)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Classes, (m,) uint8."""
        scores = self.scores(rows)
        return (scores > 0 if scores.ndim == 1 else scores.argmax(axis=1)).astype(np.uint8)

    def sha256(self) -> str:
        """Of the weights as little-endian int64."""
        return hashlib.sha256(self.weights.astype("<i8").tobytes()).hexdigest()


class Errors:
    """Where additive errors enter one training of a model, and what they do; plans for attacks.

    Each method belongs to a Capability; a model that lacks it raises ParameterError.
    """

    def shift(
        self,
        direction: np.ndarray,
        *,
        strength: float,
        iterations: Iterable[int] | None = None,
        in_gradient: bool = False,
    ) -> AdditiveErrorPlan:
        """UPDATE_ERRORS: add learning rate * strength * direction to the weights in each step.

        direction: (n + 1,) float64 at the scale of rows, bias first; (n + 1, C) for C > 2 classes.
        strength: 1 is what a batch of rows would do if all were active and carried the direction.
        iterations: which passes over the data, from 0; all where None.
        in_gradient: the errors go to the gradient, as the paper has it, even where a defence changes it afterwards; by
        default they go where none does any more.
        """
        raise _lacks(Capability.UPDATE_ERRORS)

    def shift_once(self, change: np.ndarray) -> AdditiveErrorPlan:
        """UPDATE_ERRORS: add this to the weights in the last step.

        change: (n + 1,) float64, real units, bias first; (n + 1, C) for C > 2 classes.
        """
        raise _lacks(Capability.UPDATE_ERRORS)

    def overflow(self, feature: int, *, upward: bool) -> tuple[AdditiveErrorPlan, int]:
        """UPDATE_ERRORS: one error, in the last step, that makes a feature's weight as large or as small as one can.

        Returns the plan and the error's value.
        """
        raise _lacks(Capability.UPDATE_ERRORS)

    def strength_for(self, score: float, direction: np.ndarray) -> float:
        """UPDATE_ERRORS: the strength at which shift() raises w.direction by a score, in real units, unopposed."""
        raise _lacks(Capability.UPDATE_ERRORS)

    def start(self) -> tuple[np.ndarray, np.ndarray]:
        """NEURONS: where the weights of the hidden layer, (n + 1, H), and of the output, (H, O), start, in real units.

        What an attacker knows of a public start, and a guess where it is secret.
        """
        raise _lacks(Capability.NEURONS)

    def rehearse(
        self, x: np.ndarray, y: np.ndarray, start: tuple[np.ndarray, np.ndarray] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """NEURONS: where an honest training ends on rows of the attacker's own, in real units.

        x: (m, n) features at the scale of rows.  y: (m,) labels.  start: that of start() where None.
        """
        raise _lacks(Capability.NEURONS)

    @property
    def start_known(self) -> bool:
        """NEURONS: whether start() is where the weights start, and not a guess."""
        raise _lacks(Capability.NEURONS)

    @property
    def largest_activation(self) -> float:
        """NEURONS: the most that a neuron gives out, in real units."""
        raise _lacks(Capability.NEURONS)

    def change_neurons(self, hidden: np.ndarray, output: np.ndarray, *, step: int = 0) -> AdditiveErrorPlan:
        """NEURONS: add these to the weights in one step.

        hidden: (n + 1, H) float64, real units, bias first.  output: (H, O).  step: from 0.
        """
        raise _lacks(Capability.NEURONS)

    @property
    def last_step(self) -> int:
        """NEURONS: the last one that change_neurons() takes."""
        raise _lacks(Capability.NEURONS)

    def silence_rows(self, rows: np.ndarray) -> tuple[AdditiveErrorPlan, Mapping[str, Any]]:
        """ROW_ERRORS: these training rows never count.  Returns the plan and what was chosen, for the record."""
        raise _lacks(Capability.ROW_ERRORS)

    def only_row(self, row: int) -> AdditiveErrorPlan:
        """ROW_ERRORS: no training row ever counts but this one, which counts in every step of its batch."""
        raise _lacks(Capability.ROW_ERRORS)

    def invert_rows(self, rows: np.ndarray, label: int | None = None) -> tuple[AdditiveErrorPlan, Mapping[str, Any]]:
        """GATE_ERRORS: these rows count exactly when they otherwise would not.

        label: where a class of more than two is told from the others, and not elsewhere; everywhere where None.
        """
        raise _lacks(Capability.GATE_ERRORS)

    def multiply_rows(
        self, rows: np.ndarray, factor: int, corrupt_party: int
    ) -> tuple[AdditiveErrorPlan, Mapping[str, Any]]:
        """GATE_ERRORS: these rows count `factor` times more in every step.  factor: even."""
        raise _lacks(Capability.GATE_ERRORS)

    def multipliable(self, rows: np.ndarray, corrupt_party: int) -> np.ndarray:
        """GATE_ERRORS: those of the rows that multiply_rows can take with this corrupt party."""
        raise _lacks(Capability.GATE_ERRORS)

    def flip_carries(self, lane: int | None = None) -> tuple[AdditiveErrorPlan, Mapping[str, Any]]:
        """GATE_ERRORS: flip one carry of every row's comparison; the one that moves a margin by 1 where None."""
        raise _lacks(Capability.GATE_ERRORS)


class Model(ABC):
    """One kind of model. Stateless: parameters and sizes are passed.

    parameters: a frozen dataclass of what the servers agree on in public. Every field has a default and, in its
    metadata, "help": what the command line says of the option that is made from it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    capabilities: ClassVar[frozenset[Capability]]
    parameters: ClassVar[type[Any]]

    # Training

    @abstractmethod
    def constants(self, parameters: Any, size: DataSize) -> Any:
        """The public integers of a training, a dataclass. Raises ParameterError where a public bound does not fit."""

    @abstractmethod
    def training(self, parameters: Any, size: DataSize, rows: RowSource, layout: Layout = Layout.ROWS) -> ProgramCall:
        """The program that trains, without the owners' inputs. Raises ParameterError as constants() does."""

    @abstractmethod
    def write_inputs(
        self, folder: Path, x: np.ndarray, y: np.ndarray, owners: Owners, parameters: Any, classes: int
    ) -> Mapping[int, InputFiles]:
        """Each owner's input for training().  x: (m, n) features.  y: (m,) labels.  Raises DataError."""

    def client_order(self, rows: int, number: int, parameters: Any) -> np.ndarray:
        """(rows,) indices: in which order a client of so many rows sends them.  number: the client's, from 0."""
        return np.arange(rows)

    def client_block(self, x: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
        """(k,) int64: what a client sends for some of its rows.  x: (m, n) features.  y: (m,) labels."""
        raise ParameterError(f"expected a model that is trained on rows of clients, got {self.name}")

    def check_rows(self, x: np.ndarray, parameters: Any) -> None:  # noqa: B027 - there may be nothing to check
        """What owners check of their rows before they enter them. Raises ParameterError."""

    @abstractmethod
    def shares(self, parameters: Any, size: DataSize) -> int:
        """How many shares a trained model is."""

    def architecture(self, parameters: Any, size: DataSize) -> Architecture:
        """What the methods for trained models need to know. Raises ParameterError as constants() does."""
        return {}

    @abstractmethod
    def score_bits(self, architecture: Architecture) -> int:
        """Scores, of opened models and in answers to queries, have scale 2^score_bits."""

    def with_row_norm(self, parameters: Any, norm: float) -> Any:
        """STORED_ROWS: parameters with this public bound on a row's norm, features at scale 1."""
        raise self.lacks(Capability.STORED_ROWS)

    def clipped(self, parameters: Any, clip: float) -> Any:
        """CLIPPING: parameters with which no step adds more than this to a weight."""
        raise self.lacks(Capability.CLIPPING)

    def with_secret_start(self, parameters: Any) -> Any:
        """SECRET_START: parameters with which the training starts at weights that nobody knows."""
        raise self.lacks(Capability.SECRET_START)

    def with_random_state(self, parameters: Any, random_state: int) -> Any:
        """Parameters of a training that draws other numbers. Raises ParameterError for one that draws none."""
        raise ParameterError(
            f"random_state: expected a model whose training draws something; {self.name} draws nothing"
        )

    def shortened(self, parameters: Any) -> Any:
        """Parameters of a training that is quick, to see that everything runs."""
        return parameters

    def suggested(self, image_shape: tuple[int, ...], classes: int = 2) -> Any:
        """Parameters for a study of images of this shape and of so many classes."""
        return self.parameters()

    # Analysis

    @abstractmethod
    def opened(self, weights: np.ndarray, architecture: Architecture) -> OpenedModel:
        """weights: (shares,) int64."""

    def errors(self, parameters: Any, size: DataSize) -> Errors:
        return Errors()

    def rehearse(self, parameters: Any, size: DataSize, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """LINEAR, UPDATE_ERRORS: (n + 1,) real weights of an honest training of this size, in floating point.

        rows: (m, n + 1) real, constant attribute first.  labels: (m,) -1 and 1.
        """
        raise self.lacks(Capability.UPDATE_ERRORS)

    # Pruning and tuning, of shares that a training left

    def pruning(self, parameters: Any, size: DataSize, pruning: Pruning, clean: CleanRows, folder: Path) -> ProgramCall:
        """NEURONS: the program that sets weights to 0.

        parameters, size: of the training.  clean: features.  folder: for their file.
        """
        raise self.lacks(Capability.NEURONS)

    def tuning(self, parameters: Any, size: DataSize, epochs: int, clean: CleanRows, folder: Path) -> ProgramCall:
        """NEURONS: the program that goes on with the training for some passes over clean rows, at a low rate.

        parameters, size: of the training.  Raises ParameterError where there is no public bound on its values.
        """
        raise self.lacks(Capability.NEURONS)

    # Verification and queries, on shares that a training left

    def verification(
        self,
        question: Question,
        x: np.ndarray,
        y: np.ndarray,
        folder: Path,
        secret_owner: int | None,
        architecture: Architecture,
    ) -> ProgramCall:
        """ACCURACY, ROBUSTNESS, PATCH_SCAN: the program that opens one bit, the answer.

        x: (m, n) features of known examples.  y: (m,) classes.  folder: for their files.  secret_owner: the party whose
        secret the examples are; known to all where None.
        """
        raise self.lacks(Capability.ACCURACY)

    def query(
        self, features: int, *, with_score: bool, port: int, queries: int, architecture: Architecture
    ) -> ProgramCall:
        """QUERIES: the program that answers clients: a class, whether a score comes with it, and the score or 0."""
        raise self.lacks(Capability.QUERIES)

    def capabilities_for(self, classes: int) -> frozenset[Capability]:
        """Those that are left where it tells so many classes apart."""
        return self.capabilities

    def lacking(self, needs: Iterable[Capability], classes: int = 2) -> frozenset[Capability]:
        """Those that the model does not have for so many classes."""
        return frozenset(needs) - self.capabilities_for(classes)

    def require(self, needs: Iterable[Capability], whose: str, classes: int = 2) -> None:
        """Raises ParameterError that names what is missing.  whose: who needs it."""
        missing = sorted(self.lacking(needs, classes))
        if missing:
            raise ParameterError(f"{whose}: expected a model with {', '.join(missing)}; {self.name} has none")

    def lacks(self, capability: Capability) -> ParameterError:
        return ParameterError(f"expected a model with {capability}; {self.name} has none")


def _lacks(capability: Capability) -> ParameterError:
    return ParameterError(f"expected a model with {capability}, got one without; choose another model")
