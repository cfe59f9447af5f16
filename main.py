"""The cdk8s app: one chart per environment. `cdk8s synth` and `python main.py` write it to dist/."""

import sys
from collections.abc import Sequence

from rescan.charts import App, RescanChart
from rescan.cli import run
from rescan.settings import Environment


def build(environments: Sequence[Environment]) -> App:
    """All charts of these environments."""
    app = App()
    for environment in environments:
        RescanChart(app, environment)
    return app


if __name__ == "__main__":
    sys.exit(run(build))
