"""Hides the values of Secrets that Flux puts into other objects (``postBuild.substituteFrom``).

The objects are substituted twice: with the values, and with a placeholder in their place. Where the second result has
the placeholder, the first has something of a Secret. That is `Redacted` before anything else sees the object.
"""

from secrets import token_hex
from typing import Final

from drift.errors import SourceError
from drift.model import Incomparable, Json, Object, as_object
from drift.redaction import Redacted, is_secret

#: Stands for a value that is not known or not shown. It is one word in every place of a YAML text, and in no file.
PLACEHOLDER: Final = f"drift{token_hex(16)}"
_ORIGIN: Final = "it comes from a Secret of substituteFrom"
_NO_TEXT: Final = Incomparable(f"{_ORIGIN}, and is not text")


def check_identity(body: Object, reason: str) -> None:
    """Checks that the identity of an object does not depend on a value that is not known or not shown.

    Raises:
        SourceError: It does.
    """
    metadata = as_object(body.get("metadata"))
    identity = (body.get("apiVersion"), body.get("kind"), metadata.get("name"), metadata.get("namespace"))
    if any(PLACEHOLDER in str(part) for part in identity):
        raise SourceError(f"the name, namespace or kind of an object is not known: {reason}")


def redact_substituted(body: Object, masked: Json) -> Object:
    """Returns an object without the values of Secrets.

    Args:
        body: The object with the values.
        masked: The same with the placeholder in place of each value.

    Raises:
        SourceError: The identity of the object depends on a value.
    """
    check_identity(as_object(masked), _ORIGIN)
    hidden: Object = as_object(_redact(body, masked, _NO_TEXT))
    if is_secret(str(body.get("apiVersion")), str(body.get("kind"))):
        # All of its values are redacted when it is read as a manifest, in another form.
        return {**body, "metadata": hidden.get("metadata")}
    return hidden


def _redact(value: Json, masked: Json, unknown: Incomparable) -> Json:
    if isinstance(value, dict) and isinstance(masked, dict) and value.keys() == masked.keys():
        return {name: _redact(below, masked[name], unknown) for name, below in value.items()}
    if isinstance(value, list) and isinstance(masked, list) and len(value) == len(masked):
        return [_redact(below, mask, unknown) for below, mask in zip(value, masked, strict=True)]
    if isinstance(masked, str) and PLACEHOLDER in masked and isinstance(value, str):
        return Redacted(value.encode("utf-8", "surrogatepass"))
    # A number, or a value that is YAML itself.
    return value if value == masked and type(value) is type(masked) else unknown
