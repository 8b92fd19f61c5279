"""Updates of parameters (K, P) without a model: weight decay and an optimizer, as training chains them."""

from decaybench.optimizers import OPTIMIZERS
from decaybench.training.carried import Carried
from decaybench.training.chain import Chain
from decaybench.training.chain.decay import WeightDecay


class Chained:
    """``momentum`` and ``weight_decay`` are (K,), ``decays`` is (P,). The parameters are changed in place."""

    def __init__(self, form, parameters, *, momentum, weight_decay, decays):
        self.chain = Chain([WeightDecay(decays), OPTIMIZERS[form.kind](form)])
        settings = {"momentum": momentum[:, None], "weight_decay": weight_decay[:, None]}
        self.carried = Carried({"parameters": parameters, **settings}, self.chain.memory(parameters))

    def update(self, gradient, rate):
        """Make an update with learning rates (K,); return the direction that it took."""
        direction = self.chain.direct(self.carried, gradient)
        taken = direction.clone()
        self.chain.step(self.carried, direction, rate)
        return taken

    def weights(self):
        return self.chain.weights(self.carried, self.carried["parameters"])
