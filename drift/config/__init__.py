"""The user's own settings, ``drift.yaml``: what is ignored and why, what matters, who is who."""
