"""Admission: how many requests are worked on at once, who waits, and who is turned away."""

from mainstay.service.inbound.admission.admission import Admission
from mainstay.service.inbound.admission.events import LimitChanged, OverloadBegan, OverloadEnded
from mainstay.service.inbound.admission.stats import AdmissionStats

__all__ = ["Admission", "AdmissionStats", "LimitChanged", "OverloadBegan", "OverloadEnded"]
