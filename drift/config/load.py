"""The file ``drift.yaml``: which one counts, and errors that say where in it."""

from pathlib import Path
from typing import Final

from drift.config.reader import SettingError, read_settings
from drift.config.settings import Settings
from drift.documents.files import read_file
from drift.documents.parse import read_documents
from drift.documents.positions import locate
from drift.errors import ConfigError, ManifestError

#: Read where the user names no file, if it is in the current folder.
DEFAULT_FILE: Final = "drift.yaml"


def load_settings(file: str | None) -> Settings:
    """The settings that count.

    Args:
        file: As the user named it; None for `DEFAULT_FILE`, which need not be there.

    Raises:
        ConfigError: The named file is not there, or a file is not as it should be.
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
    """Settings from a text.

    Args:
        text: YAML or JSON.
        name: What to call it in errors.

    Raises:
        ConfigError: It is not as it should be; says where.
    """
    try:
        documents = list(read_documents(text, name))
    except ManifestError as error:
        raise ConfigError(str(error)) from None
    if len(documents) > 1:
        raise ConfigError(f"{name}:{documents[1].line}:1: a second document; settings are one")
    try:
        return read_settings(documents[0].value if documents else None)
    except SettingError as error:
        found = locate(text, error.place)
        place = f"{name}:{found[0]}:{found[1]}" if found else name
        raise ConfigError(f"{place}: {error}") from None
