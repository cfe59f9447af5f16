"""``drift explain``: what the terms of a report and of ``drift.yaml`` mean, and what to do."""
