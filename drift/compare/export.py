"""Returns the manifest that describes a live object, as a person would write it."""

from typing import Final

from drift.compare.objects import compare_object
from drift.compare.show import contains_redacted, to_json
from drift.model import Cause, Change, Object, as_object
from drift.schema.types import Type

#: The parts of metadata that people set. The rest belongs to the API server and to controllers.
_METADATA: Final = frozenset({"labels", "annotations"})


def export(live: Object, schema: Type) -> Object | None:
    """Returns a manifest with all that people set, and without defaults, status and server metadata.

    That is what an empty manifest lacks, by the same comparison that finds drift.

    Args:
        live: The live object with its ``managedFields``, redacted.
        schema: The kind's type.

    Returns:
        None if the object holds a value that must not be shown.
    """
    metadata = as_object(live.get("metadata"))
    manifest: Object = {
        "apiVersion": live.get("apiVersion"),
        "kind": live.get("kind"),
        "metadata": {name: metadata[name] for name in ("name", "namespace") if name in metadata},
    }
    for judged in compare_object(manifest, live, None, schema).differences:
        path, value = judged.difference.path, judged.difference.live
        if judged.difference.change is not Change.ADDED or judged.cause is Cause.CONTROLLER:
            continue
        if contains_redacted(value):
            return None
        match path:
            case (str() as name,) if name != "status":
                manifest[name] = to_json(value)
            case ("metadata", str() as name) if name in _METADATA:
                manifest["metadata"][name] = to_json(value)
    return manifest
