"""One scan, from manifests and a cluster or dump to a report, in stages: plan, read, compare, unmanaged, report."""

from drift.kube.live import LiveSource
from drift.scanning.options import IfBehind, Options, ScanStep
from drift.scanning.pairs import ComparisonCache
from drift.scanning.scan import scan_manifests

__all__ = ["ComparisonCache", "IfBehind", "LiveSource", "Options", "ScanStep", "scan_manifests"]
