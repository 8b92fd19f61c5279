"""Updates of parameters (K, P) without a model: weight decay and an optimizer, as training chains them."""

from decaybench.schedules import SCHEDULES
from decaybench.training import Recipe, Run
from decaybench.training.carried import Carried
from decaybench.training.chain import make_chain

DECAYING = Run(seed=0, schedule=SCHEDULES["constant"](), learning_rate=1.0, momentum=0.0, weight_decay=1.0)


class Chained:
    """``momentum`` and ``weight_decay`` are (K,), ``decays`` is (P,). The parameters are changed in place.

    ``others`` are further settings of the recipe, such as ``clip_norm``.
    """

    def __init__(self, form, parameters, *, momentum, weight_decay, decays, **others):
        recipe = Recipe("small-cnn", epochs=1, batch_size=1, form=form, **others)
        self.chain = make_chain(recipe, [DECAYING], decays, frozenset())
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
