"""The alerts, put to Prometheus itself: go.mod locks the promtool that reads them."""
