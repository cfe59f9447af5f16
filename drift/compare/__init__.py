"""One object's desired and live state into differences: normalize, project, diff, classify. Pure functions all."""
