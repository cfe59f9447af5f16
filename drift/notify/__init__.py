"""Sends new, worsened and resolved findings to a webhook, and metrics to a Pushgateway. It never sends field values."""
