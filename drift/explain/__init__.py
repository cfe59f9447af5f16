"""What the words of a report and of ``drift.yaml`` mean, and what to do about them."""
