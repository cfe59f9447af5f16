from collections import Counter
from pathlib import Path

import yaml

CORPUS = Path(__file__).parent


def test_the_corpus_covers_many_kinds() -> None:
    kinds = Counter(
        (body["apiVersion"], body["kind"])
        for file in CORPUS.glob("*.yaml")
        for body in yaml.safe_load_all(file.read_text("utf-8"))
    )

    assert len(kinds) >= 45
    assert kinds.total() >= 90
