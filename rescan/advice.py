"""What is allowed and still worth a word: settings that may mean trouble later."""

from collections.abc import Iterator

from rescan.settings import Controller, Environment, RollingUpdate, Sqlite


def advice(environment: Environment) -> Iterator[str]:
    """One line for each."""
    workload = environment.workload
    rolling_update = workload.controller is Controller.DEPLOYMENT and isinstance(workload.strategy, RollingUpdate)
    if rolling_update and isinstance(environment.configuration.database, Sqlite):
        yield (
            f"{environment.name}: warning: workload.strategy is RollingUpdate on SQLite: during a rollout the old and"
            " the new pod write one file, and a new pod on another node waits for the volume; Recreate() avoids both"
        )
