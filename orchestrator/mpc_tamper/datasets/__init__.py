"""Image tasks of two or more classes: the bundled ones, and what a user brings."""

from mpc_tamper.datasets.load import BUNDLED, load_task
from mpc_tamper.datasets.rows import first_rows
from mpc_tamper.datasets.task import Task

__all__ = ["BUNDLED", "Task", "first_rows", "load_task"]
