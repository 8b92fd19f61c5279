"""Write docs/schedules/: an index, and a page and an image for every kind that comes with the package.

Everything in them comes from the kinds: their docstrings, ranges and an example run. ``python3 -m nox -s docs`` runs
this.
"""

import re
import textwrap
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from decaybench.cli.schedules import describe, observed, setting_of
from decaybench.report.figures import schedules as picture
from decaybench.schedules import SCHEDULES, Range, Reactive, Schedule
from decaybench.schedules.example import EPOCH, TRAINING, UPDATES, Example, example, settings

FOLDER = Path(__file__).parent / "schedules"
FAMILIES = {
    "fixed": "These depend only on time: the whole curve is known before the run begins.",
    "reactive": "These depend on time and on what happens in the run: its losses or its gradients. The curves below "
    "come from a small example training.",
}
BUILT_IN = [kind for kind, cls in SCHEDULES.items() if cls.__module__.startswith("decaybench.")]
SHARED = ("warmup", "warmup_start")  # fields of every kind
IN_A_SWEEP = (
    "These are the defaults, written out; set only what you want to change. [The sweep file](../sweep-file.md) "
    "explains `learning_rate`, `momentum` and everything else that a strategy may set."
)
SHOWN_AT = (0, UPDATES // 4, UPDATES // 2, 3 * UPDATES // 4, UPDATES - 1)


def main() -> None:
    """Write every file, and remove those of kinds that no longer exist."""
    FOLDER.mkdir(exist_ok=True)
    written = texts() | {
        f"{kind}.svg": picture.render({kind: run}, ".svg").decode() for kind, run in examples().items()
    }
    for file in FOLDER.iterdir():
        if file.name not in written:
            file.unlink()
    for name, text in written.items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")
    print(f"{FOLDER}: {len(written)} files")


def texts() -> dict[str, str]:
    """The texts of the index and of every page, by file name."""
    return {"README.md": index()} | {f"{kind}.md": page(kind, run) for kind, run in examples().items()}


def examples() -> dict[str, Example]:
    """Every built-in kind's example run."""
    return {kind: example(SCHEDULES[kind]) for kind in BUILT_IN}


def index() -> str:
    """The index: both families, with a line and a curve for each kind."""
    lines = [
        *("# Schedules", ""),
        *wrapped(
            "These schedules come with decaybench. `decaybench schedules KIND` shows one in a terminal, and "
            "[Bring your own](../bring-your-own.md) explains how to add one. A schedule's scale is the learning rate "
            "divided by the base learning rate."
        ),
        "",
    ]
    for family, meaning in FAMILIES.items():
        lines += [f"## {family.capitalize()}", "", *wrapped(meaning), "", "| schedule | curve | |", "|---|---|---|"]
        for kind in BUILT_IN:
            if SCHEDULES[kind].family == family:
                curve = f'<img src="{kind}.svg" alt="" width="200">'
                formula = markdown(describe(SCHEDULES[kind])["formula"]).replace("|", "\\|")
                lines.append(f"| [{kind}]({kind}.md) | {curve} | {formula} |")
        lines.append("")
    lines += [
        *("## Warmup", ""),
        *wrapped(
            'Any schedule may begin with a warmup: `warmup = { value = 0.05, unit = "run" }` in a strategy. Over W '
            "updates the scale rises as (t + 1)/W, or as t/W with `warmup_start = 0`. A fixed schedule then runs over "
            "the remaining updates; a reactive schedule's scale is multiplied by the ramp."
        ),
    ]
    return "\n".join(lines) + "\n"


def page(kind: str, run: Example) -> str:
    """The page of a kind."""
    cls, about = SCHEDULES[kind], describe(SCHEDULES[kind])
    pitfalls, source = about["traps"] or "", about["source"] or ""
    lines = [
        *(f"# {kind}", "", f"A {cls.family} schedule ([all of them](README.md)).", ""),
        *("```text", *textwrap.wrap(about["formula"].replace("`", ""), 110), "```", ""),
        *(line for paragraph in about["explanation"] for line in (*wrapped(markdown(paragraph)), "")),
        *wrapped(markdown(f"It observes {observed(cls)}.")),
        *("", f"![The scale of {kind} over {UPDATES} updates]({kind}.svg)", ""),
        *wrapped(caption(run)),
        *("", "## Pitfalls", "", *wrapped(markdown(pitfalls[:1].upper() + pitfalls[1:])), ""),
        *("## Parameters", "", *parameters(about), ""),
        *("## In a sweep", "", *wrapped(IN_A_SWEEP), "", "```toml", *table(cls), "```", ""),
        *("## In a training loop of your own", "", "```python", *loop(kind, run), "```", ""),
        *(*wrapped(keras(run)), "", "## Source", "", *wrapped(markdown(source))),
    ]
    return "\n".join(lines) + "\n"


def caption(run: Example) -> str:
    """A caption that gives the example's values in numbers."""
    length = f"{UPDATES} updates, {EPOCH} per epoch"
    what = f"An example run of {length}" if run.loss is None else f"An example training of {length}: {TRAINING}"
    setting = setting_of(run)
    first, *later = (f"{run.scale[t].item():.3g} at {{}}{t}" for t in SHOWN_AT)
    by = f" ({setting})" if setting else ""
    return markdown(f"{what}{by}. The scale is {first.format('update ')}, {', '.join(later).replace('{}', '')}.")


def parameters(about: dict[str, Any]) -> list[str]:
    """The table of the kind's own parameters, and a sentence on what all kinds share."""
    own = [row(parameter) for parameter in about["parameters"] if parameter["name"] not in SHARED]
    head = ["| parameter | unit | default | legal | searched |", "|---|---|---|---|---|"]
    shared = "Every schedule also has `warmup` and `warmup_start` ([Warmup](README.md#warmup))."
    rate = f"Base learning rate, unless the sweep sets it: {about['learning_rate']}."
    return [*([*head, *own] if own else ["It has no parameters of its own."]), "", *wrapped(f"{rate} {shared}")]


def row(parameter: dict[str, Any]) -> str:
    """A parameter's line in the table."""
    cells = ["" if parameter[key] is None else str(parameter[key]) for key in ("unit", "default", "legal", "searched")]
    return " | ".join([f"| `{parameter['name']}`", *(cell.replace(" | ", ", ") for cell in cells)]) + " |"


def table(cls: type[Schedule]) -> list[str]:
    """The strategy's table in a sweep file, with all defaults written out."""
    lines = [f"[strategies.{cls.kind}]"]
    specs = {spec.name: spec for spec in fields(cls)}
    for name in cls.parameters():
        searched = cls.range_of(name, epochs=UPDATES // EPOCH)
        default = specs[name].default
        if name in SHARED or (searched is None and default in (None, MISSING)):
            continue
        if searched is None:
            lines.append(f"{name} = {toml(default)}")
        elif searched != cls.range_of(name, epochs=1_000_000):
            lines.append(f"{name} = {span(searched)}  # in a run of {UPDATES // EPOCH} epochs")
        elif searched.zero_or:
            lines.append(f"# {name}: 0 in half of the trials, otherwise in this range")
            lines.append(f"# {name} = {span(searched)}")
        else:
            lines.append(f"{name} = {span(searched)}")
    return lines


def span(searched: Range) -> str:
    """A range as it is written in a sweep file."""
    unit = "" if searched.unit == "1" else f', unit = "{searched.unit}"'
    if searched.choices is not None:
        return f"{{ choices = {toml(searched.choices)}{unit} }}"
    log = ", log = true" if searched.log else ""
    return f"{{ low = {toml(searched.low)}, high = {toml(searched.high)}{log}{unit} }}"


def toml(value: Any) -> str:
    """A value as TOML spells it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"


def loop(kind: str, run: Example) -> list[str]:
    """A minimal training loop with the kind."""
    rule = run.schedule
    when = rule.when if isinstance(rule, Reactive) else None
    values = ", ".join(f"{name}={value!r}" for name, value in settings(type(rule)).items())
    return [
        *("import torch", "", "from decaybench.schedules import SCHEDULES, TorchScheduler", ""),
        f"epochs, steps_per_epoch = {UPDATES // EPOCH}, {EPOCH}",
        "batches = [(torch.randn(32, 64), torch.randint(10, (32,))) for _ in range(steps_per_epoch)]  # put yours here",
        "model = torch.nn.Linear(64, 10)",
        f"optimizer = torch.optim.SGD(model.parameters(), lr={run.base_lr:g})  # lr is the base learning rate",
        f'schedule = SCHEDULES["{kind}"]({values})',
        "scheduler = TorchScheduler(optimizer, schedule, epochs * steps_per_epoch, steps_per_epoch)",
        "for _ in range(epochs):",
        *(["    total = 0.0"] if when == "epoch" else []),
        "    for x, y in batches:",
        "        loss = torch.nn.functional.cross_entropy(model(x), y)",
        "        optimizer.zero_grad()",
        "        loss.backward()",
        *(["        scheduler.observe(loss)  # it sets this update's learning rate"] if when == "update" else []),
        "        optimizer.step()",
        "        scheduler.step()",
        *(["        total += loss.item()"] if when == "epoch" else []),
        *(["    scheduler.observe(total / steps_per_epoch)  # or a held-out loss"] if when == "epoch" else []),
    ]


def keras(run: Example) -> str:
    """How to use the kind in Keras, if that is possible."""
    give = (
        "`from decaybench.schedules import KerasCallback`, then "
        "`model.fit(..., callbacks=[KerasCallback(schedule, total_steps, steps_per_epoch)])`"
    )
    signals = run.schedule.options().get("signal", ())
    late = " or ".join(f'`signal="{signal}"`' for signal in signals if signal in ("batch", "ema"))
    if getattr(run.schedule, "observes", ()):
        return "Keras cannot follow it: its callbacks see no gradients."
    page = f"In Keras 3: {give}."
    return (
        f"{page} With {late} it acts one update late: Keras reports a batch's loss after its update." if late else page
    )


def markdown(text: str) -> str:
    """A docstring's text with Markdown's markup escaped, except in code."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"(?<![\s*])\*+|\*++(?=\S)|<(?=[\w/!])", r"\\\g<0>", part) for part in parts[::2]]
    return "`".join(parts)


def wrapped(text: str) -> list[str]:
    """The text in lines of at most 118 characters; code spans are not broken."""
    whole = re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(whole, 118, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\0", " ") for line in lines]


if __name__ == "__main__":
    main()
