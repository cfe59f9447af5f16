"""Programs for maintainers: they write data, references and screenshots, and check the repository. Not in the wheel."""
