"""Measures a synthesis of all environments: ``python -m benchmarks.synth``.

Measures whole processes, including start-up, and compares them with the import of cdk8s-plus, the lower limit.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rescan.node import use_locked_node

REPOSITORY = Path(__file__).parents[1]
RUNS = 9
BARE = "import cdk8s_plus_27"
GOAL = 1.5


def main() -> None:
    """Measures and prints a Markdown table. The commands take turns, so that other load affects all alike."""
    use_locked_node()
    with tempfile.TemporaryDirectory() as output:
        # cdk8s.yaml runs `python`, which must be the current interpreter.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = os.environ | {"CDK8S_OUTDIR": output, "CDK8S_CHECK_UPGRADE": "false", "PATH": path}
        commands = {
            BARE: [sys.executable, "-c", BARE],
            "python main.py": [sys.executable, "main.py"],
            "python main.py --check": [sys.executable, "main.py", "--check"],
            "cdk8s synth": [str(REPOSITORY / "node_modules/.bin/cdk8s"), "synth", "--output", output],
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(RUNS):
            for name, command in commands.items():
                seconds[name].append(_seconds(command, environment))
    bare = seconds[BARE]
    print(f"| command | median of {RUNS} | fastest | fastest, against the bare import | goal |\n|---|---|---|---|---|")
    for name, measured in seconds.items():
        goal = f"{GOAL}" if name == "python main.py" else ""
        print(
            f"| `{name}` | {statistics.median(measured):.2f} s | {min(measured):.2f} s "
            f"| {min(measured) / min(bare):.2f} | {goal} |"
        )


def _seconds(command: list[str], environment: dict[str, str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, capture_output=True)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
