"""What may not leave the process: secrets and personal data, by the names of keys and by shape."""

from mainstay.telemetry.masking.masker import MASKED, Masker

__all__ = ["MASKED", "Masker"]
