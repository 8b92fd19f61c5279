"""Hugging Face's Trainer drives a schedule as the plain loop does, through accumulation and from its own checkpoint."""

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import Trainer, TrainerCallback, TrainingArguments

from frameworks.plain import (
    ACCUMULATE,
    BATCH,
    EPOCHS,
    PER_UPDATE,
    RULES,
    UPDATES,
    Net,
    a_scheduler,
    an_optimizer,
    examples,
    plain,
)


class Model(torch.nn.Module):
    """What Trainer takes for a model."""

    def __init__(self):
        super().__init__()
        self.net = Net()

    def forward(self, x, labels):
        logits = self.net(x)
        return {"loss": cross_entropy(logits, labels), "logits": logits}


class Observing(Trainer):
    """Shows a rule each update's loss, or each epoch's."""

    update_loss = epoch_loss = 0.0
    rule = ""

    def training_step(self, *args, **kwargs):
        loss = super().training_step(*args, **kwargs)
        self.update_loss += loss
        if self.accelerator.sync_gradients:
            if self.rule in PER_UPDATE:
                self.lr_scheduler.observe(self.update_loss)
            self.epoch_loss += self.update_loss / UPDATES
            self.update_loss = 0.0
        return loss


class EpochEnd(TrainerCallback):
    def __init__(self, trainer):
        self.trainer = trainer

    def on_epoch_end(self, args, state, control, lr_scheduler, **kwargs):
        if self.trainer.rule == "epoch":
            lr_scheduler.observe(self.trainer.epoch_loss)
        self.trainer.epoch_loss = 0.0


class Interrupt(TrainerCallback):
    def __init__(self, after):
        self.after = after

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == self.after:
            raise InterruptedError


def a_trainer(rule, folder):
    """The trainer, and the learning rates of its updates."""
    model = Model()
    optimizer, rates = an_optimizer(model.net)
    args = TrainingArguments(
        output_dir=folder,
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=BATCH,
        gradient_accumulation_steps=ACCUMULATE,
        max_grad_norm=0.0,
        train_sampling_strategy="sequential",
        save_strategy="epoch" if rule == "epoch" else "steps",
        save_steps=1,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
    )
    data = [{"x": x, "labels": y} for x, y in zip(*examples(), strict=True)]
    trainer = Observing(model, args, train_dataset=data, optimizers=(optimizer, a_scheduler(optimizer, rule)))
    trainer.rule = rule
    trainer.add_callback(EpochEnd(trainer))
    return trainer, rates


@pytest.mark.parametrize("rule", RULES)
def test_accumulation(rule, tmp_path):
    expected, weights = plain(rule)
    trainer, rates = a_trainer(rule, tmp_path)
    trainer.train()
    assert rates == expected
    assert torch.equal(trainer.model.net.weights(), weights)


@pytest.mark.parametrize("rule", RULES)
def test_a_run_is_resumed(rule, tmp_path):
    expected, weights = plain(rule)
    first, rates = a_trainer(rule, tmp_path)
    first.add_callback(Interrupt(2 * UPDATES + (0 if rule == "epoch" else 1)))  # within an epoch, where no mean is lost
    with pytest.raises(InterruptedError):
        first.train()
    second, later = a_trainer(rule, tmp_path)
    second.train(resume_from_checkpoint=True)
    assert rates + later == expected
    assert torch.equal(second.model.net.weights(), weights)
