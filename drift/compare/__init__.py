"""Compares one object's desired and live state: normalize, project, diff, classify. All functions are pure."""
