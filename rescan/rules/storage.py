"""Rules of the volume of the database."""

from collections.abc import Iterator

from rescan import quantity
from rescan.rules.formats import has_form, positive_quantity
from rescan.rules.model import Breach
from rescan.settings import AccessMode, Environment

_LEAST = "500Mi"


def storage_has_room_for_the_database(environment: Environment) -> Iterator[Breach]:
    """SQLite and its data need half a gibibyte."""
    size = environment.storage.size
    number = positive_quantity(size)
    if number is None or number < quantity.parse(_LEAST):
        yield Breach("storage.size", size, f"set it to {_LEAST} or more")


def one_node_mounts_the_volume(environment: Environment) -> Iterator[Breach]:
    """Locks of SQLite hold within one node only."""
    mode = environment.storage.access_mode
    if mode is not AccessMode.READ_WRITE_ONCE:
        yield Breach("storage.access_mode", mode.value, f"set it to {AccessMode.READ_WRITE_ONCE.value}")


def storage_class_is_offered(environment: Environment) -> Iterator[Breach]:
    """Where the environment lists the classes of its cluster, one of them is chosen, and can do what is asked."""
    storage = environment.storage
    if storage.storage_class is not None and not has_form("object name", storage.storage_class):
        yield Breach("storage.storage_class", storage.storage_class, "write the name of a StorageClass")
    if not storage.offered:
        return
    modes = {offer.name: offer.access_modes for offer in storage.offered}
    if storage.storage_class not in modes:
        yield Breach("storage.storage_class", storage.storage_class, f"name one of {', '.join(modes)}")
    elif storage.access_mode not in modes[storage.storage_class]:
        yield Breach(
            "storage.storage_class",
            storage.storage_class,
            f"name a class that offers {storage.access_mode.value}",
        )
