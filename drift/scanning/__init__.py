"""One scan from manifests and a live side to a report: who is asked for what, and what each stage hands to the next."""

from drift.scanning.options import Options, Step
from drift.scanning.scan import scan_manifests
from drift.scanning.source import LiveSource

__all__ = ["LiveSource", "Options", "Step", "scan_manifests"]
