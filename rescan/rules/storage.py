"""Rules of the volumes."""

from collections.abc import Iterator

from rescan import quantity
from rescan.rules.model import Breach
from rescan.settings import AccessMode, Environment

_LEAST = "500Mi"


def storage_has_room_for_the_database(environment: Environment) -> Iterator[Breach]:
    """SQLite and its data need half a gibibyte."""
    size = environment.storage.size
    if quantity.parse(size) < quantity.parse(_LEAST):
        yield Breach("storage.size", size, f"set it to {_LEAST} or more")


def one_node_mounts_the_volume(environment: Environment) -> Iterator[Breach]:
    """Locks of SQLite hold within one node only."""
    mode = environment.storage.access_mode
    if mode is not AccessMode.READ_WRITE_ONCE:
        yield Breach("storage.access_mode", mode.value, f"set it to {AccessMode.READ_WRITE_ONCE.value}")


def storage_class_is_offered(environment: Environment) -> Iterator[Breach]:
    """Where the environment lists the classes of its cluster, one of them is chosen, and can do what is asked."""
    storage = environment.storage
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


def files_fit_into_their_volume(environment: Environment) -> Iterator[Breach]:
    """A file that is larger than its volume, or a volume larger than its container's disk, ends in an eviction."""
    storage, largest = environment.storage, environment.configuration.max_file_size
    if largest > quantity.parse(storage.uploads_limit):
        yield Breach("storage.uploads_limit", storage.uploads_limit, f"set it to more than max_file_size, {largest}")
    volumes = {"storage.uploads_limit": (storage.uploads_limit, environment.workload.resources)}
    if environment.backup:
        volumes["backup.scratch_limit"] = (environment.backup.scratch_limit, environment.backup.resources)
    if environment.drift:
        volumes["drift.clone_limit"] = (environment.drift.clone_limit, environment.drift.resources)
    for setting, (size, resources) in volumes.items():
        disk = resources.ephemeral_storage_limit
        if disk is not None and quantity.parse(size) > quantity.parse(disk):
            yield Breach(setting, size, f"lower it to the container's ephemeral_storage_limit, {disk}, or raise that")
