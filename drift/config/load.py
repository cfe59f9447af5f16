"""Loads ``drift.yaml``. Errors give the line and column."""

from pathlib import Path
from typing import Final

from drift.config.reader import SettingError, read_settings
from drift.config.settings import Settings
from drift.documents.files import read_file
from drift.documents.parse import read_documents
from drift.errors import ConfigError, ManifestError

#: The file in the current folder that is read if the user names none.
DEFAULT_FILE: Final = "drift.yaml"


def load_settings(file: str | None) -> Settings:
    """Loads the settings from a file.

    Args:
        file: The file that the user named; None for `DEFAULT_FILE`, which is optional.

    Raises:
        ConfigError: The named file does not exist, or the file is invalid.
    """
    path = Path(file if file is not None else DEFAULT_FILE)
    if file is None and not path.exists():
        return Settings()
    try:
        text = read_file(path, named=file is not None)
    except FileNotFoundError:
        raise ConfigError(f"--config {path}: no such file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    return parse_settings(text, str(path))


def parse_settings(text: bytes, name: str) -> Settings:
    """Parses settings.

    Args:
        text: YAML or JSON.
        name: The name of the file, for error messages.

    Raises:
        ConfigError: The settings are invalid.
    """
    try:
        documents = list(read_documents(text, name))
    except ManifestError as error:
        raise ConfigError(str(error)) from None
    if len(documents) > 1:
        raise ConfigError(f"{name}:{documents[1].line}:1: a second YAML document; settings must be a single document")
    if documents and documents[0].repeated_keys:
        raise ConfigError(f"{name}:{documents[0].repeated_keys[0]}: this key is given twice; remove one of them")
    try:
        return read_settings(documents[0].value if documents else None)
    except SettingError as error:
        # Imported only here: it needs PyYAML, and most settings are valid.
        from drift.documents.positions import locate  # noqa: PLC0415

        found = locate(text, error.place)
        place = f"{name}:{found[0]}:{found[1]}" if found else name
        raise ConfigError(f"{place}: {error}") from None
