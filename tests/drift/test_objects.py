import pytest

from drift.objects import Incomparable, Manifest, Object, PackedObject, indented_json
from drift.redaction import Redacted


def test_a_packed_object_is_unpacked_as_it_was() -> None:
    body: Object = {"a": [1, 1000.0, -0.5, True, None, "\u2028 é"], "b": {"": {}}, "c": 2**63}

    packed = PackedObject.pack(body)

    assert isinstance(packed, PackedObject)
    unpacked = Manifest("v1", "ConfigMap", None, "a", None, packed).body
    assert unpacked == body
    assert repr(unpacked) == repr(body)


def test_what_json_cannot_represent_is_not_packed() -> None:
    for value in (Redacted(b"secret"), Incomparable("encrypted"), 2**64, "\ud800"):
        body: Object = {"data": {"key": value}}

        assert PackedObject.pack(body) is body


@pytest.mark.parametrize("beside", [1, 2**64])
def test_what_cannot_be_shown_is_not_written(beside: int) -> None:
    for value in (Redacted(b"secret"), Incomparable("encrypted")):
        with pytest.raises(TypeError):
            indented_json({"a": [value], "b": beside})
