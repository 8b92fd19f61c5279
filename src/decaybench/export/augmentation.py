"""Augmentation in an export: a function per kind, with draws of the framework's own."""

from collections.abc import Sequence

from decaybench.data import Augmentation


def functions(sources: Sequence[str]) -> list[str]:
    """The lines of these functions, to come after others; none if there is no augmentation."""
    lines = ["", "", "# Augmentation as in decaybench, with other random numbers."]
    for source in sources:
        lines += [*source.splitlines(), "", ""]
    return lines[:-1] if sources else []


def call(augment: Sequence[Augmentation]) -> str:
    """The expression that makes ``images`` what a model is trained on."""
    expression = "images"
    for each in augment:
        expression = expression if each.normalised else f"{each.kind}({expression})"
    if needs_pixels(augment):
        expression = f"normalise({expression})"
    for each in augment:
        expression = f"{each.kind}({expression})" if each.normalised else expression
    return expression


def needs_pixels(augment: Sequence[Augmentation]) -> bool:
    """Whether a kind changes images before they are normalised."""
    return not all(each.normalised for each in augment)
