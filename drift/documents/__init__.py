"""YAML and JSON text as kubectl reads it, for manifests, dumps and configuration alike."""
