"""Substitutes variables in the YAML text of objects, as Flux does after the build (``spec.postBuild``).

The language is a part of the shell's: ``${name}``, ``${name:=default}``, ``${name:2:3}``, ``${name/old/new}``,
``${name^^}`` and so on. Flux works on text that kustomize has written, without the quotes of the file in Git, so
``"${number}"`` becomes a number. Oddities of the original are kept on purpose: what Flux applies is what counts.
https://fluxcd.io/flux/components/kustomize/kustomizations/#post-build-variable-substitution
https://github.com/fluxcd/pkg/tree/main/envsubst

To hide the values of Secrets (``substituteFrom``), the objects are substituted twice: with the values, and with a
placeholder in their place. Where the second result has the placeholder, the first has something of a Secret. That is
`Redacted` before anything else sees the object.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Final

from drift.errors import SourceError
from drift.objects import Incomparable, Json, Object, as_object, text_at
from drift.redaction import Redacted, is_secret

#: The names that Flux accepts. One invalid name makes it fail, used or not.
_NAME: Final = re.compile(r"[_A-Za-z][_A-Za-z0-9]*")
#: The label or annotation of an object in which Flux substitutes nothing.
OPT_OUT: Final = "kustomize.toolkit.fluxcd.io/substitute"
#: What Flux would not leave as it is: dollar signs before an opening brace, and more than one.
_SPECIAL: Final = re.compile(r"\$+(?=\{)|\${2,}")
#: Operators with a value for a variable that is not set.
_DEFAULTS: Final = frozenset({"=", ":=", ":-", ":?", ":+"})


class SubstitutionError(ValueError):
    """A text or a variable that Flux does not accept. The message quotes no value."""


def check_names(variables: Mapping[str, str]) -> None:
    """Checks the names of variables.

    Raises:
        SubstitutionError: Flux accepts only letters, digits and underscores.
    """
    for name in variables:
        if not _NAME.fullmatch(name):
            raise SubstitutionError(f"{name!r} is not a valid name for a variable (letters, digits and underscores)")


#: Stands for a value that is not known or not shown. It is one word in every place of a YAML text, and in no file.
PLACEHOLDER: Final = f"drift{token_hex(16)}"


def substitute(text: str, variables: Mapping[str, str], *, is_complete: bool = True) -> str:
    """Returns a text with its variables replaced, and with `PLACEHOLDER` for each result of a value that contains it.

    Args:
        text: The YAML of one object.
        variables: The values by name.
        is_complete: Whether a variable that is not in `variables` is not set, instead of not known.

    Raises:
        SubstitutionError: The text has an expression that Flux does not accept.
    """
    return _Evaluator(text, variables, is_complete=is_complete).text()


def escape(value: Json) -> Json:
    """Returns a value that is this one after the substitution."""
    if isinstance(value, dict):
        return {name: escape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [escape(item) for item in value]
    return _SPECIAL.sub(lambda signs: signs[0] * 2, value) if isinstance(value, str) else value


def has_opted_out(body: Json) -> bool:
    """Returns whether Flux substitutes nothing in an object."""
    return any(text_at(body, "metadata", field, OPT_OUT) == "disabled" for field in ("labels", "annotations"))


_Accept = Callable[[str, int], bool]


def _one_of(characters: str, second: str = "") -> _Accept:
    """Accepts one character and, after it, one of a second set."""
    return lambda character, index: character in characters if index == 0 else index == 1 and character in second


def _all_except(characters: str) -> _Accept:
    return lambda character, _: character not in characters


def _is_word(character: str, _: int) -> bool:
    return character == "_" or character.isalpha() or character.isdecimal()


@dataclass(frozen=True, slots=True)
class _Operator:
    """How an operator is read.

    Attributes:
        accept: Accepts the characters of its name.
        arguments: Reads its arguments, up to the closing brace.
    """

    accept: _Accept
    arguments: Callable[["_Evaluator"], list[str]]


class _Evaluator:
    """Reads a text from left to right and evaluates it at once."""

    def __init__(self, text: str, variables: Mapping[str, str], *, is_complete: bool) -> None:
        self._text = text
        self._position = 0
        self._variables = variables
        self._is_complete = is_complete

    def text(self) -> str:
        parts: list[str] = []
        while self._position < len(self._text):
            if self._begins_expression():
                parts.append(self._expression())
            else:
                parts.append(self._take(_all_except(""), nests=True, escapes="$"))
        return "".join(parts)

    # -- characters

    def _next(self, ahead: int = 0) -> str:
        """Returns the next character; "" at the end."""
        position = self._position + ahead
        return self._text[position : position + 1]

    def _begins_expression(self) -> bool:
        return self._text.startswith("${", self._position)

    def _take(self, accept: _Accept, *, nests: bool = False, escapes: str = "") -> str:
        """Takes characters while they are accepted.

        Args:
            accept: Accepts a character at an index of the result, which counts escaped characters once.
            nests: Whether to stop before a nested expression.
            escapes: Whether ``$$`` stands for a dollar sign, and a backslash escapes itself and a slash.
        """
        taken: list[str] = []
        while character := self._next():
            if taken and nests and self._begins_expression():
                break
            if character in escapes and self._next(1) in {"$": "$", "\\": "\\/"}[character] and self._next(1):
                taken.append(self._next(1))
                self._position += 2
            elif accept(character, len(taken)):
                taken.append(character)
                self._position += 1
            else:
                break
        return "".join(taken)

    def _expect(self, character: str) -> None:
        if self._next() != character:
            raise self._error()
        self._position += 1

    def _error(self) -> SubstitutionError:
        line = self._text.count("\n", 0, self._position) + 1
        return SubstitutionError(
            f"line {line} of the built object has a ${{...}} that Flux does not accept; $${{ escapes it"
        )

    # -- expressions

    def _expression(self) -> str:
        self._position += len("${")
        if self._next() == "#":
            self._position += 1
            name = self._word()
            self._expect("}")
            return self._operate("#", lambda value, _: str(len(_encode(value))), self._value(name), [])
        name = self._word()
        if self._next() == "}":
            self._position += 1
            return self._value(name)
        operator = self._operator()
        symbol = self._take(operator.accept)
        if not symbol:
            raise self._error()
        arguments = operator.arguments(self)
        self._expect("}")
        return self._operate(symbol, _OPERATIONS[symbol], self._value(name), arguments)

    def _operate(self, symbol: str, operation: "_Operation", value: str, arguments: list[str]) -> str:
        given = (value,) if symbol in _DEFAULTS else (value, *arguments)
        return PLACEHOLDER if any(PLACEHOLDER in text for text in given) else operation(value, arguments)

    def _word(self) -> str:
        word = self._take(_is_word)
        if not word:
            raise self._error()
        return word

    def _operator(self) -> _Operator:
        first = self._next()
        if first == ":":
            return _DEFAULT if self._next(1) and self._next(1) in "=-?+" else _SUBSTRING
        operator = _OPERATORS.get(first)
        if operator is None:
            raise self._error()
        return operator

    def _value(self, name: str) -> str:
        if name in self._variables:
            return self._variables[name]
        return "" if self._is_complete else PLACEHOLDER

    # -- arguments

    def argument(self, accept: _Accept, escapes: str = "") -> str:
        """Returns the next argument, or the part of it before a nested expression."""
        if self._begins_expression():
            return self._expression()
        taken = self._take(accept, nests=True, escapes=escapes)
        if not taken:
            raise self._error()
        return taken

    def no_arguments(self) -> list[str]:
        """Returns no arguments."""
        return []

    def one_argument(self) -> list[str]:
        """Returns one argument, which must not be empty."""
        return [self.argument(_all_except("}"))]

    def default_arguments(self) -> list[str]:
        """Returns the parts of a default value."""
        parts = []
        while self._next() != "}":
            parts.append(self.argument(_all_except("}")))
        return parts

    def substring_arguments(self) -> list[str]:
        """Returns the offset and, if there is one, the length."""
        arguments = [self.argument(_all_except(":}"))]
        if self._next() != "}":
            if not self._take(lambda character, _: character == ":"):
                raise self._error()
            arguments.append(self.argument(_all_except("}")))
        return arguments

    def replace_arguments(self) -> list[str]:
        """Returns the old text and, if there is one, the new one."""
        arguments = [self.argument(_all_except("/"), escapes="$\\")]
        if not self._take(lambda character, _: character == "/"):
            raise self._error()
        if self._next() != "}":
            arguments.append(self.argument(_all_except("}"), escapes="$\\"))
        return arguments


_DEFAULT: Final = _Operator(_one_of(":", "=-?+"), _Evaluator.default_arguments)
_SUBSTRING: Final = _Operator(_one_of(":"), _Evaluator.substring_arguments)
_OPERATORS: Final[Mapping[str, _Operator]] = {
    "=": _Operator(_one_of("="), _Evaluator.default_arguments),
    ",": _Operator(_one_of(",^", ",^"), _Evaluator.no_arguments),
    "^": _Operator(_one_of(",^", ",^"), _Evaluator.no_arguments),
    "/": _Operator(_one_of("/", "/#%"), _Evaluator.replace_arguments),
    "#": _Operator(_one_of("#", "#"), _Evaluator.one_argument),
    "%": _Operator(_one_of("%", "%"), _Evaluator.one_argument),
}


# -- operations; offsets and lengths count bytes

_Operation = Callable[[str, list[str]], str]


def _encode(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def _default(value: str, parts: list[str]) -> str:
    return value or "".join(parts)


def _substring(value: str, arguments: list[str]) -> str:
    numbers = [int(argument) for argument in arguments if _INTEGER.fullmatch(argument)]
    if len(numbers) < len(arguments) or any(abs(number) > _MAX_INTEGER for number in numbers):
        return value
    encoded = _encode(value)
    start = max(numbers[0] + len(encoded), 0) if numbers[0] < 0 else numbers[0]
    length = numbers[1] if len(numbers) > 1 else len(encoded)
    end = len(encoded) + length if length < 0 else start + length
    return encoded[start : max(start, end)].decode("utf-8", "surrogateescape")


def _replace(count: int) -> _Operation:
    return lambda value, arguments: value.replace(arguments[0], (*arguments, "")[1], count)


def _replace_prefix(value: str, arguments: list[str]) -> str:
    if len(arguments) > 1 and value.startswith(arguments[0]):
        return arguments[1] + value.removeprefix(arguments[0])
    return value


def _replace_suffix(value: str, arguments: list[str]) -> str:
    if len(arguments) > 1 and value.endswith(arguments[0]):
        return value.removesuffix(arguments[0]) + arguments[1]
    return value


def _trim_prefix(value: str, pattern: str, *, longest: bool) -> str:
    compiled = compile_glob(pattern)
    lengths = range(1, len(value) + 1)
    for length in reversed(lengths) if longest else lengths:
        if compiled is not None and compiled.fullmatch(value, 0, length):
            return value[length:]
    return value


def _trim(*, longest: bool, from_end: bool) -> _Operation:
    def trim(value: str, arguments: list[str]) -> str:
        if from_end:
            # Flux reverses the pattern, too. This breaks character classes such as [a-z].
            return _trim_prefix(value[::-1], arguments[0][::-1], longest=longest)[::-1]
        return _trim_prefix(value, arguments[0], longest=longest)

    return trim


def _by_character(change: Callable[[str], str]) -> Callable[[str], str]:
    """Changes the case of single characters only: Go has no upper case for a sharp s."""
    return lambda value: "".join(new if len(new := change(character)) == 1 else character for character in value)


_upper: Final = _by_character(str.upper)
_lower: Final = _by_character(str.lower)
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_MAX_INTEGER: Final = 2**63 - 1
_OPERATIONS: Final[Mapping[str, _Operation]] = {
    **dict.fromkeys(_DEFAULTS, _default),
    ":": _substring,
    ",": lambda value, _: _lower(value[:1]) + value[1:],
    ",,": lambda value, _: _lower(value),
    "^": lambda value, _: _upper(value[:1]) + value[1:],
    "^^": lambda value, _: _upper(value),
    ",^": lambda value, _: value,
    "^,": lambda value, _: value,
    "/": _replace(1),
    "//": _replace(-1),
    "/#": _replace_prefix,
    "/%": _replace_suffix,
    "#": _trim(longest=False, from_end=False),
    "##": _trim(longest=True, from_end=False),
    "%": _trim(longest=False, from_end=True),
    "%%": _trim(longest=True, from_end=True),
}


# -- patterns


def compile_glob(pattern: str) -> re.Pattern[str] | None:
    """Returns a regular expression for a glob of Go's ``path.Match``, or None if it is not valid and matches nothing.

    Here, an asterisk also matches slashes.
    """
    chunks = [""]
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == "*":
            chunks.append("")
        elif character == "?":
            chunks[-1] += "."
        elif character == "[":
            read = _class(pattern, position)
            if read is None:
                return None
            expression, position = read
            chunks[-1] += expression
        else:
            if character == "\\":
                character = pattern[position : position + 1]
                position += 1
                if not character:
                    return None
            chunks[-1] += re.escape(character)
    first, *rest = chunks
    # Each chunk but the last is matched where it occurs first, which needs no backtracking.
    middle = "".join(f"(?>.*?{chunk})" for chunk in rest[:-1] if chunk)
    return re.compile(first + middle + (f".*{rest[-1]}" if rest else ""), re.DOTALL)


def _class(pattern: str, position: int) -> tuple[str, int] | None:
    """Returns the expression of a character class and the position behind it, or None if it is not valid."""
    is_negated = pattern.startswith("^", position)
    position += is_negated
    ranges = ""
    count = 0
    while not (count and pattern.startswith("]", position)):
        low = _class_character(pattern, position)
        if low is None:
            return None
        high, position = low
        if pattern[position] == "-":
            end = _class_character(pattern, position + 1)
            if end is None:
                return None
            high, position = end
        if low[0] <= high:
            ranges += f"{re.escape(low[0])}-{re.escape(high)}"
        count += 1
    if not ranges:
        return ("." if is_negated else "(?!)"), position + 1
    return f"[{'^' if is_negated else ''}{ranges}]", position + 1


def _class_character(pattern: str, position: int) -> tuple[str, int] | None:
    """Returns a character of a class and the position behind it; None if the pattern is not valid or ends there."""
    character = pattern[position : position + 1]
    if character in {"", "-", "]"}:
        return None
    if character == "\\":
        position += 1
        character = pattern[position : position + 1]
    return (character, position + 1) if character and position + 1 < len(pattern) else None


# -- what must not be shown

_ORIGIN: Final = "it comes from a Secret of substituteFrom"
_NO_TEXT: Final = Incomparable(f"{_ORIGIN}, and is not text")


def check_identity(body: Object, reason: str) -> None:
    """Checks that the identity of an object does not depend on a value that is not known or not shown.

    Raises:
        SourceError: It does.
    """
    metadata = as_object(body.get("metadata"))
    identity = (body.get("apiVersion"), body.get("kind"), metadata.get("name"), metadata.get("namespace"))
    if any(PLACEHOLDER in str(part) for part in identity):
        raise SourceError(f"the name, namespace or kind of an object is not known: {reason}")


def redact_substituted(body: Object, masked: Json) -> Object:
    """Returns an object without the values of Secrets.

    Args:
        body: The object with the values.
        masked: The same with the placeholder in place of each value.

    Raises:
        SourceError: The identity of the object depends on a value.
    """
    check_identity(as_object(masked), _ORIGIN)
    hidden: Object = as_object(_redact(body, masked))
    if is_secret(str(body.get("apiVersion")), str(body.get("kind"))):
        # All of its values are redacted when it is read as a manifest, in another form.
        return {**body, "metadata": hidden.get("metadata")}
    return hidden


def _redact(value: Json, masked: Json) -> Json:
    if isinstance(value, dict) and isinstance(masked, dict) and value.keys() == masked.keys():
        return {name: _redact(below, masked[name]) for name, below in value.items()}
    if isinstance(value, list) and isinstance(masked, list) and len(value) == len(masked):
        return [_redact(below, mask) for below, mask in zip(value, masked, strict=True)]
    if isinstance(masked, str) and PLACEHOLDER in masked and isinstance(value, str):
        return Redacted(value.encode("utf-8", "surrogatepass"))
    # A number, or a value that is YAML itself.
    return value if value == masked and type(value) is type(masked) else _NO_TEXT
