"""What is to be thought of a difference once it is known: how much it matters."""
