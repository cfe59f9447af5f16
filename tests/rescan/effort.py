"""How many examples a long property test tries: a tenth of them in `make test-fast`."""

import os


def examples(number: int) -> int:
    """The number of examples, or a tenth of it where `make test-fast` set TENTH."""
    return max(1, number // 10) if os.environ.get("TENTH") else number
