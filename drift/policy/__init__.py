"""Severity, ignore rules, autoscaling and unmanaged objects: what a difference means for the user."""
