"""What is said where a crossentropy and what it is computed on differ a little from Keras."""

from __future__ import annotations

from k2t.ir.finding import NotMigrated
from k2t.lower.ops import Context
from k2t.table import Row


def note_inner(ctx: Context, inner: str, tail: str, logits: bool, row: Row) -> None:
    """Keras finds the logits of a softmax inside a class as well; the port has probabilities.

    Raises:
        NotMigrated: the loss would be another one of them.
    """
    if logits or inner != tail:
        why = f"{row.name} takes the logits before the {inner} that the class ends in"
        raise NotMigrated("K2T302", f"{why}, which torch does not have: let the class give logits")
    ctx.note(
        "K2T302",
        "warning",
        f"the loss takes probabilities of the {inner} in a class, clipped at 1e-7; Keras on "
        "TensorFlow finds the logits they come from, which differs within 1e-7 of 0 and 1",
    )


def note_clipping(ctx: Context, row: Row) -> None:
    """Keras 2 does not look for logits."""
    if ctx.dialect == "keras2":
        ctx.note(
            "K2T302",
            "warning",
            f"{row.name} is computed on logits, as by later versions; Keras 2 clips probabilities "
            "at 1e-7, so what is beyond that adds 16.1 to the loss and trains nothing",
        )


def note_padding(ctx: Context) -> None:
    """TensorFlow's gradient is softmax - target, which is only right where a row sums to one."""
    if ctx.dialect == "keras2":
        ctx.note(
            "K2T307",
            "info",
            "steps with targets of zeros (padding) train nothing, as in Keras 2.2; in later "
            "versions of Keras on TensorFlow they do",
        )
        return
    ctx.note(
        "K2T307",
        "warning",
        "steps with targets of zeros (padding) train nothing; Keras on TensorFlow takes each row "
        "of the targets to sum to one, and lowers all logits there",
    )
