"""What maintainers run: it writes data, references and pictures, and checks the locks. Not part of the wheel."""
