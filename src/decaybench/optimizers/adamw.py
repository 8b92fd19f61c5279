"""AdamW."""

from decaybench.optimizers.adam import BETA2, NOTE, Adam
from decaybench.optimizers.code import KerasCode, TorchCode, Use


class AdamW(Adam):
    """Adam with decoupled weight decay: w *= 1 - lr·wd before Adam's step; ``momentum`` is beta1.

    Source: Loshchilov & Hutter 2019; torch.optim.AdamW (beta2 0.999, eps 1e-8).
    """

    name = "adamw"
    decoupled = True

    @classmethod
    def in_torch(cls, use: Use) -> TorchCode:
        return TorchCode("torch.optim.AdamW", [f"betas=({use.momentum!r}, {BETA2})"])

    @classmethod
    def in_keras(cls, use: Use) -> KerasCode:
        arguments = [f"beta_1={use.momentum!r}", f"beta_2={BETA2}", "epsilon=1e-8"]
        return KerasCode("keras.optimizers.AdamW", arguments, [NOTE], decay=None)
