"""The history: an SQLite file that records when each finding opened and closed. It never contains field values."""
