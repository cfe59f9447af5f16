"""Reports as files: ``--output`` writes them in each format, ``drift render`` and others read the JSON ones."""

import argparse
import contextlib
import errno
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from drift.cli.console import is_terminal, uses_color, write_stdout
from drift.documents.files import standard_input
from drift.errors import SavedReportError, UsageError
from drift.globs import Glob
from drift.model import Report
from drift.report.formats import Format, Style, render
from drift.report.selection import Filters

#: A format and its file, or None for standard output.
Output = tuple[Format, Path | None]

_STDIN: Final = "-"


def chosen_outputs(options: argparse.Namespace) -> list[Output]:
    """Returns the formats of ``--output``; by default text on standard output.

    Raises:
        UsageError: More than one format would go to standard output or to one file; or a file cannot be written, is an
            input, or is the history.
    """
    outputs: list[Output] = options.output or ([] if options.quiet else [(Format.TEXT, None)])
    if sum(file is None for _, file in outputs) > 1:
        raise UsageError("only one --output can go to standard output; give the others a file: --output json=FILE")
    first = {os.path.realpath(name): f"{flag}{name}" for flag, name in _kept_files(options)}
    for form, file in outputs:
        if file is None:
            continue
        _check_writable(form, file)
        if not _is_device(file):
            flag = f"--output {form}={file}"
            before = first.setdefault(os.path.realpath(file), flag)
            if before is not flag:
                raise UsageError(f"{before} and {flag} are the same file; give each a file of its own")
    return outputs


def _kept_files(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Yields the files of a comparison that a report must not replace, each after its flag."""
    # `drift render` lacks these flags. It may replace a report that it has read.
    chosen = vars(options)
    if chosen.get("history") is not None:
        yield "--history ", chosen["history"]
    for flag, names in (("--live ", "live"), ("--audit-log ", "audit_log"), ("", "sources")):
        yield from ((flag, name) for name in chosen.get(names, ()))


def _check_writable(form: Format, file: Path) -> None:
    """Raises the error of a wrong folder before the scan, which may take minutes."""
    try:
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not _is_device(file):
            # A file without a name, which a crash cannot leave behind.
            tempfile.TemporaryFile(dir=_without_links(file).parent).close()
    except OSError as error:
        raise _unwritable(form, file, error) from None


def _unwritable(form: Format, file: Path, error: OSError) -> UsageError:
    return UsageError(f"--output {form}={file}: cannot be written: {error.strerror}")


def write_outputs(
    report: Report, outputs: Sequence[Output], options: argparse.Namespace, saved: str | None = None
) -> None:
    """Writes a report in each format, and goes on to the next one if one cannot be written.

    Standard output comes last: its reader may wait, or close the pipe.

    Args:
        report: The report.
        outputs: The formats, and where each goes.
        options: How the formats look.
        saved: The file from which the report was read, if it is one.

    Raises:
        UsageError: A file or standard output could not be written.
        BrokenPipeError: The reader of an output has closed the pipe.
    """
    written = (str(file) for form, file in outputs if form is Format.JSON and file is not None and not _is_device(file))
    saved = next(written, saved)
    failed: list[UsageError] = []
    broken: BrokenPipeError | None = None
    for form, file in sorted(outputs, key=lambda output: output[1] is None or _is_device(output[1])):
        on_terminal = file is None and is_terminal(sys.stdout)
        try:
            text = render(report, form, _style(options, saved, on_terminal=on_terminal))
            if file is not None:
                _write_file(file, form, text)
            else:
                write_stdout(text)
        except UsageError as error:
            failed.append(error)
        except BrokenPipeError as error:
            broken = error
    if failed:
        raise UsageError("; ".join(map(str, failed)))
    if broken is not None:
        raise broken


def _style(options: argparse.Namespace, saved: str | None, *, on_terminal: bool) -> Style:
    return Style(
        color=uses_color(options.color, on_terminal=on_terminal),
        width=shutil.get_terminal_size().columns if on_terminal else None,
        verbose=options.verbose,
        markdown_limit=options.markdown_limit,
        filters=Filters(
            severity=options.severity,
            limit=options.limit,
            kinds=tuple(Glob(kind.casefold()) for kind in options.kind),
            causes=tuple(options.cause),
            namespaces=tuple(map(Glob, options.only_namespace)),
        ),
        height=shutil.get_terminal_size().lines if on_terminal else None,
        saved=saved,
    )


def _is_device(file: Path) -> bool:
    """Whether a file cannot be replaced: a device, a pipe, or what a standard stream is redirected to."""
    return (file.exists() and not file.is_file()) or _stream(file) is not None


def _stream(file: Path) -> int | None:
    """Returns the descriptor of the standard stream that a file such as /dev/stdout is; None for other files."""
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            if os.path.samestat(file.stat(), os.fstat(descriptor)):
                return descriptor
    return None


def _without_links(file: Path) -> Path:
    """Returns the file that a link leads to: a new version of the file would replace the link itself."""
    path = Path(os.path.realpath(file))
    if path.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return path


def _write_file(file: Path, form: Format, text: str) -> None:
    # UTF-8 has no half surrogates, which stand for the bytes of a file name that is not UTF-8.
    text = text.encode("utf-8", "backslashreplace").decode()
    try:
        stream = _stream(file)
        if stream is not None:
            # Opening the file again would write over what the stream has written.
            with open(stream, "w", encoding="utf-8", newline="", closefd=False) as opened:
                opened.write(text)
        elif _is_device(file):
            file.write_text(text, "utf-8")
        else:
            replace_file(_without_links(file), text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritable(form, file, error) from None


def replace_file(file: Path, text: str) -> None:
    """Replaces a file atomically: a reader finds the old content or the new one, never a part. Its permissions stay.

    Raises:
        OSError: It cannot be written.
    """
    mode = file.stat().st_mode & 0o777 if file.exists() else None
    written = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    # The umask applies to a new file, as to any other that the user makes.
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as new:
            if mode is not None:
                os.fchmod(descriptor, mode)
            new.write(text)
            new.flush()
            # Without this, the file may be empty after a crash of the machine.
            os.fsync(descriptor)
        written.replace(file)
    except BaseException:
        written.unlink(missing_ok=True)
        raise


def run_render(options: argparse.Namespace) -> int:
    """Reads the reports and writes them as one. The exit status is 0, even if they show drift.

    Raises:
        UsageError: The flags do not go together, or a file cannot be written.
        SavedReportError: A file is not a report.
    """
    # Imported only here: `drift report` needs neither.
    from drift.report.merge import merge  # noqa: PLC0415

    outputs = chosen_outputs(options)
    report = merge([read_saved_report(name) for name in options.reports])
    saved = [name for name in options.reports if name != _STDIN]
    write_outputs(report, outputs, options, saved[0] if saved == options.reports and len(saved) == 1 else None)
    return 0


def read_saved_report(name: str) -> Report:
    """Reads a saved JSON report.

    Args:
        name: A file, or ``-`` for standard input.

    Raises:
        SavedReportError: The file cannot be read, or is not a report.
    """
    from drift.report.json_report import read_report  # noqa: PLC0415

    try:
        content = standard_input().read() if name == _STDIN else Path(name).read_bytes()
    except OSError as error:
        raise SavedReportError(f"{name}: cannot be read: {error.strerror}") from None
    return read_report(content, "standard input" if name == _STDIN else name)
