"""What to do about the findings of a saved report. Nothing here needs a cluster, and nothing changes one."""
