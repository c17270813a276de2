"""The door: what mentions neither Keras nor TensorFlow is done with before anything is imported."""

import sys

COMMANDS = ("check", "migrate")
HARMLESS = ("--in-place", "--diff", "--force")


def main(argv: list[str] | None = None) -> int:
    """Run the command line (default: that of the process) and return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    unrelated = count_unrelated(argv)
    if unrelated:
        sys.stderr.write(f"{unrelated} file{'s' if unrelated > 1 else ''} not Keras\n")
        return 0
    from k2t.cli import main as run

    return run(argv)


def count_unrelated(argv: list[str]) -> int:
    """How many files there are if all of them are unrelated to Keras, else (or in doubt) 0."""
    if not argv or argv[0] not in COMMANDS:
        return 0
    count = 0
    for argument in argv[1:]:
        if argument in HARMLESS:
            continue
        if argument.startswith("-"):
            return 0
        try:
            for path in scripts(argument):
                with open(path, "rb") as file:
                    if mentions_keras(file.read()):
                        return 0
                count += 1
        except OSError:
            return 0
    return count


def mentions_keras(data: bytes) -> bool:
    """Whether a file may hold Keras code (null bytes: no encoding Python reads; parse says so)."""
    return b"keras" in data or b"tensorflow" in data or b"\0" in data


def scripts(path: str) -> list[str]:
    """The files a command-line argument stands for: itself, or the scripts of a folder."""
    import os  # the interpreter itself has loaded it; the door counts what it adds

    if not os.path.isdir(path):
        return [path]
    from k2t.walk import walk

    return walk(path)


if __name__ == "__main__":
    sys.exit(main())
