"""The cdk8s app: what runs in each environment, and what hands it to Argo CD or Flux.

`cdk8s synth` and `python main.py` write it to dist/; `python main.py --check` checks the settings alone.
"""

import sys
from collections.abc import Sequence

from rescan.charts import App, ArgoCdChart, FluxChart, RescanChart
from rescan.cli import run
from rescan.settings import Environment


def build(environments: Sequence[Environment]) -> App:
    """The charts of these environments."""
    app = App()
    for environment in environments:
        RescanChart(app, environment)
        ArgoCdChart(app, environment)
        FluxChart(app, environment)
    return app


if __name__ == "__main__":
    sys.exit(run(build))
