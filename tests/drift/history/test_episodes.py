"""What an episode keeps of its findings."""

from datetime import UTC, datetime

from drift.history.episodes import merge_actors
from drift.model import Actor


def test_an_episode_keeps_its_first_and_latest_field_managers() -> None:
    time = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
    actors: tuple[Actor, ...] = ()
    for number in range(1_000):
        actors = merge_actors(actors, [Actor(f"manager-{number}", "Update", None, time)])

    assert [actors[0].manager, actors[-1].manager, len(actors)] == ["manager-0", "manager-999", 20]
