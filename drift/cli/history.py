"""``drift history``: shows what drifted, when, and for how long."""

import argparse
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from drift.cli.console import is_terminal, uses_color, write_stdout
from drift.globs import Glob
from drift.history.queries import By, EpisodeFilter, parse_since
from drift.history.store import read_history
from drift.report.history_table import Timeline, timeline_json, timeline_text


def run(options: argparse.Namespace) -> int:
    """Prints the timeline.

    Returns:
        0.

    Raises:
        UsageError: ``--since`` is not a time.
        HistoryError: The file does not exist or is not a history.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    episode_filter = EpisodeFilter(
        since=None if options.since is None else parse_since(options.since, now),
        objects=None if options.object is None else Glob(options.object),
        namespaces=None if options.namespace is None else Glob(options.namespace),
        only_open=options.open,
    )
    recorded = read_history(Path(options.file))
    timeline = Timeline(
        episodes=tuple(filter(episode_filter.matches, recorded.episodes)),
        scans=recorded.scans,
        last_scan=recorded.last_scan,
        now=now.isoformat().replace("+00:00", "Z"),
        gaps=tuple(episode_filter.of_gaps(recorded.gaps)),
    )
    by = None if options.by == "finding" else By(options.by)
    if options.output == "json":
        write_stdout(timeline_json(timeline, by))
        return 0
    terminal = is_terminal(sys.stdout)
    color = uses_color(options.color, on_terminal=terminal)
    width = shutil.get_terminal_size().columns if terminal else None
    write_stdout(timeline_text(timeline, by, color=color, width=width))
    return 0
