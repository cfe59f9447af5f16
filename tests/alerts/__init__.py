"""Tests the alerts with promtool, whose version go.mod pins."""
