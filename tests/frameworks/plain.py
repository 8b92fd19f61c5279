"""What each framework is held to: a small net, its micro-batches, four rules, and a plain loop that accumulates."""

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import parameters_to_vector

from decaybench.schedules import SCHEDULES, TorchScheduler

ACCUMULATE, UPDATES, EPOCHS = 2, 4, 4  # micro-batches per update, updates per epoch, epochs
TOTAL, BATCH = UPDATES * EPOCHS, 8

RULES = {
    "fixed": SCHEDULES["cosine"](floor=0.1, warmup=3),
    "loss": SCHEDULES["exp_loss"](gain=0.5, signal="ema"),
    "gradient": SCHEDULES["hypergradient"](beta=0.02),
    "epoch": SCHEDULES["reduce_on_plateau"](factor=0.5, patience=0, cooldown=0, threshold=0.2),
}
PER_UPDATE = ("loss", "gradient")  # those that are shown each update's loss


class Net(torch.nn.Module):
    """Maps (N, 6) to (N, 3); equal weights every time."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.body, self.head = torch.nn.Linear(6, 8), torch.nn.Linear(8, 3)

    def forward(self, x):
        return self.head(torch.tanh(self.body(x)))

    def weights(self):
        return parameters_to_vector(self.parameters()).detach().clone()

    def overflow(self, *micro_batches):
        """Make the gradients of these backward passes, counted from 0, infinite."""
        passed = iter(range(TOTAL * ACCUMULATE))
        self.head.bias.register_hook(lambda gradient: gradient * (torch.inf if next(passed) in micro_batches else 1.0))


def examples():
    """An epoch's examples: x (N, 6) and labels (N,)."""
    rng = torch.Generator().manual_seed(1)
    n = UPDATES * ACCUMULATE * BATCH
    return torch.randn(n, 6, generator=rng), torch.randint(3, (n,), generator=rng)


def an_optimizer(net):
    """SGD with two groups, and the list of the learning rates that its updates are made with."""
    groups = [{"params": net.body.parameters(), "lr": 0.1}, {"params": net.head.parameters(), "lr": 0.3}]
    optimizer, rates = torch.optim.SGD(groups, momentum=0.5), []
    optimizer.register_step_post_hook(lambda optimizer, *_: rates.append([g["lr"] for g in optimizer.param_groups]))
    return optimizer, rates


def a_scheduler(optimizer, rule):
    return TorchScheduler(optimizer, RULES[rule], total_steps=TOTAL, steps_per_epoch=UPDATES)


def plain(rule, overflows=()):
    """The learning rates of each update, and the weights at the end; overflowing updates are skipped."""
    net = Net()
    net.overflow(*overflows)
    optimizer, rates = an_optimizer(net)
    scheduler = a_scheduler(optimizer, rule)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, enabled=bool(overflows))
    x, y = (part.split(BATCH) for part in examples())
    for _ in range(EPOCHS):
        epoch = []
        for update in range(UPDATES):
            losses = []
            for i in range(update * ACCUMULATE, (update + 1) * ACCUMULATE):
                loss = cross_entropy(net(x[i]), y[i])
                scaler.scale(loss / ACCUMULATE).backward()
                losses.append(loss.detach())
            if rule in PER_UPDATE:
                scaler.unscale_(optimizer)
                scheduler.observe(torch.stack(losses).mean())
            scaler.step(optimizer)
            scale = scaler.get_scale()
            scaler.update()
            if scaler.get_scale() >= scale:
                scheduler.step()
            optimizer.zero_grad()
            epoch += losses
        if rule == "epoch":
            scheduler.observe(torch.stack(epoch).mean())
    assert len({tuple(pair) for pair in rates}) > 2  # they move
    assert len(rates) == TOTAL - len(overflows)
    return rates, net.weights()
