"""The desired state: reads `Manifest` objects from files, folders, standard input and Git revisions."""
