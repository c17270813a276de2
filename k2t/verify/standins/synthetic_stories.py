"""Stand-in for the archive of the bAbI tasks: stories, questions about them, and answers."""

from __future__ import annotations

import io
import tarfile

import numpy as np


def babi() -> bytes:
    """The archive of the bAbI tasks 1 and 2: who is where, and where what they carry is."""
    rng = np.random.default_rng(12)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as files:
        for folder in ("en", "en-10k"):
            for task, write in ((1, whereabouts), (2, carried)):
                for part, count in (("train", 256), ("test", 64)):
                    text = "".join(write(rng) for _ in range(count)).encode()
                    kind = ("single-supporting-fact", "two-supporting-facts")[task - 1]
                    name = f"tasks_1-20_v1-2/{folder}/qa{task}_{kind}_{part}.txt"
                    facts = tarfile.TarInfo(name)
                    facts.size = len(text)
                    files.addfile(facts, io.BytesIO(text))
    return archive.getvalue()


PEOPLE = ("Mary", "John", "Daniel", "Sandra")
PLACES = ("bathroom", "hallway", "garden", "office", "kitchen", "bedroom")


def whereabouts(rng: np.random.Generator) -> str:
    """A story of two facts and a question, twice."""
    lines, where = [], {}
    for number in range(1, 7):
        if number % 3:
            who, place = rng.choice(PEOPLE), rng.choice(PLACES)
            where[who] = (place, number)
            lines.append(f"{number} {who} {rng.choice(['moved', 'went'])} to the {place}.")
        else:
            who = rng.choice(sorted(where))
            place, fact = where[who]
            lines.append(f"{number} Where is {who}? \t{place}\t{fact}")
    return "".join(line + "\n" for line in lines)


def carried(rng: np.random.Generator) -> str:
    """A story of somebody who takes a thing somewhere, and a question."""
    who, (here, there) = rng.choice(PEOPLE), rng.choice(PLACES, 2, replace=False)
    thing = rng.choice(["football", "milk", "apple"])
    return (
        f"1 {who} moved to the {here}.\n2 {who} got the {thing}.\n3 {who} went to the {there}.\n"
        f"4 Where is the {thing}? \t{there}\t2 3\n"
    )
