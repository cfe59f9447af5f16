"""Who wants to know is told by a webhook what is new, worsened or resolved: names and causes, never a value."""
