"""Secret training behind scikit-learn's interface: MPCClassifier. Needs the extra mpc-tamper[sklearn]."""

from mpc_tamper.core.errors import EngineUnavailable

try:
    from mpc_tamper.sklearn.classifier import MPCClassifier
except ImportError as exc:
    if not (exc.name or "").startswith("sklearn"):
        raise
    raise EngineUnavailable(
        "expected scikit-learn 1.6 or newer for mpc_tamper.sklearn, got none; pip install mpc-tamper[sklearn]"
    ) from exc

__all__ = ["MPCClassifier"]
