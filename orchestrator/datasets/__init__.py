"""Two-class image tasks: the bundled one, and what a user brings."""

from orchestrator.datasets.load import BUNDLED, load_task
from orchestrator.datasets.task import Task

__all__ = ["BUNDLED", "Task", "load_task"]
