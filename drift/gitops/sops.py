"""Values that SOPS encrypts in Git, in objects of any kind.

Git has only the ciphertext, which is another one after each encryption. The cluster has the plain text, which a report
must not show, whatever the kind of the object.
"""

from typing import Final

from drift.model import Incomparable, Json

#: Stands for each encrypted value.
ENCRYPTED: Final = Incomparable("encrypted with SOPS")
_FIELD: Final = "sops"
_BEGIN: Final = "ENC["
_END: Final = "]"


def mask_encrypted(document: Json) -> Json:
    """Returns a document without the metadata of SOPS, with `ENCRYPTED` for each encrypted value.

    Args:
        document: The value of a document. One that SOPS has not written is returned as it is.
    """
    if not isinstance(document, dict) or not isinstance(document.get(_FIELD), dict):
        return document
    return {name: _mask(value) for name, value in document.items() if name != _FIELD}


def _mask(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _mask(below) for name, below in value.items()}
    if isinstance(value, list):
        return [_mask(item) for item in value]
    is_encrypted = isinstance(value, str) and value.startswith(_BEGIN) and value.endswith(_END)
    return ENCRYPTED if is_encrypted else value
