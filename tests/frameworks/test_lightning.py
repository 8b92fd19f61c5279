"""Lightning drives a schedule as the plain loop does, through accumulation and from its own checkpoint."""

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.precision import MixedPrecision
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from frameworks.plain import (
    ACCUMULATE,
    BATCH,
    EPOCHS,
    PER_UPDATE,
    RULES,
    TOTAL,
    UPDATES,
    Net,
    a_scheduler,
    an_optimizer,
    examples,
    plain,
)

pytestmark = [
    pytest.mark.filterwarnings(r"ignore:`isinstance\(treespec, LeafSpec\)`:FutureWarning:lightning\."),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),  # where a run is resumed
    pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers"),  # on many cores
]


class Learner(L.LightningModule):
    def __init__(self, rule, **config):
        super().__init__()
        self.rule, self.net, self.losses = rule, Net(), []
        self.config = config or {"interval": "step"}

    def configure_optimizers(self):
        assert self.trainer.estimated_stepping_batches == TOTAL
        optimizer, self.rates = an_optimizer(self.net)
        scheduler = a_scheduler(optimizer, self.rule)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, **self.config}}

    def training_step(self, batch):
        x, y = batch
        loss = cross_entropy(self.net(x), y)
        self.losses.append(loss.detach())
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def on_before_optimizer_step(self, optimizer):
        if self.rule in PER_UPDATE:
            self.lr_schedulers().observe(torch.stack(self.losses).mean())
        self.losses.clear()

    def on_train_epoch_end(self):
        if self.rule == "epoch":
            self.lr_schedulers().observe(self.trainer.callback_metrics["loss"])


class Interrupt(L.Callback):
    def on_train_epoch_start(self, trainer, module):
        if trainer.current_epoch == EPOCHS // 2:
            raise InterruptedError


def fit(rule, folder, *callbacks, checkpoint=None, overflows=(), **config):
    module = Learner(rule, **config)
    module.net.overflow(*overflows)
    scaling = [MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu"))] if overflows else None
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        accumulate_grad_batches=ACCUMULATE,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[ModelCheckpoint(folder, filename="last"), *callbacks],
        plugins=scaling,
    )
    trainer.fit(module, DataLoader(TensorDataset(*examples()), BATCH), ckpt_path=checkpoint)
    return module


@pytest.mark.parametrize("rule", RULES)
def test_accumulation(rule, tmp_path):
    rates, weights = plain(rule)
    done = fit(rule, tmp_path)
    assert done.rates == rates
    assert torch.equal(done.net.weights(), weights)


@pytest.mark.parametrize("rule", RULES)
def test_a_run_is_resumed(rule, tmp_path):
    rates, weights = plain(rule)
    with pytest.raises(InterruptedError):
        fit(rule, tmp_path, Interrupt())
    done = fit(rule, tmp_path, checkpoint=tmp_path / "last.ckpt")
    assert done.rates == rates[EPOCHS // 2 * UPDATES :]
    assert torch.equal(done.net.weights(), weights)


@pytest.mark.parametrize("config", [{"interval": "epoch"}, {"interval": "step", "frequency": 2 * ACCUMULATE}])
def test_updates_without_a_step_warn(config, tmp_path):
    with pytest.raises(UserWarning, match=r"^step\(\) was not called after each optimizer.step\(\): cosine counts"):
        fit("fixed", tmp_path, **config)


@pytest.mark.filterwarnings(r"ignore:step\(\) was called without an optimizer\.step")  # in Lightning nobody can help it
def test_a_skipped_update_counts(tmp_path):
    rates, _ = plain("fixed")
    done = fit("fixed", tmp_path, overflows=(3, 20))
    del rates[20 // ACCUMULATE], rates[3 // ACCUMULATE]
    assert done.rates == rates
