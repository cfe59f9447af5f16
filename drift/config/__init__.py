"""The user's settings in ``drift.yaml``: ignore rules, severity rules, field managers, skipped kinds."""
