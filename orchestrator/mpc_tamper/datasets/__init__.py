"""Two-class image tasks: the bundled one, and what a user brings."""

from mpc_tamper.datasets.load import BUNDLED, load_task
from mpc_tamper.datasets.task import Task

__all__ = ["BUNDLED", "Task", "load_task"]
