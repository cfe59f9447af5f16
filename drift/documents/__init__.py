"""Reads YAML and JSON the way kubectl does: manifests, dumps, kubeconfigs and configuration."""
