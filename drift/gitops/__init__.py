"""Who owns which field of a live object, read from ``metadata.managedFields``, and in which role."""
