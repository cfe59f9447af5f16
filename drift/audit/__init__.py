"""Names the people behind findings: reads audit logs of the API server, and joins their events with a report."""
