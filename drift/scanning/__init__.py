"""One scan from manifests and a live side to a report: who is asked for what, and what each stage hands to the next."""

from drift.kube.live_source import LiveSource
from drift.scanning.cache import ComparisonCache
from drift.scanning.options import Options, ScanStep
from drift.scanning.scan import scan_manifests

__all__ = ["ComparisonCache", "LiveSource", "Options", "ScanStep", "scan_manifests"]
