"""Shapes of decoders: one configuration, and the published sizes of Gemma 2 and 3.

Letters: D width, F hidden units, V tokens, K key-value heads, H size of a head.
"""

from dataclasses import dataclass
from typing import Literal

from agents.parts import checks


@dataclass(frozen=True)
class Config:
    """Shape of a decoder; the defaults are small, otherwise as in Gemma 3.

    Attributes:
        vocabulary: V; 0: the task's.
        width: D.
        layers: number of layers.
        heads: query heads, a multiple of `kv_heads`.
        kv_heads: K.
        head: H, even; 0: width / heads.
        hidden: F, units of one branch of the gated layer; 0: 4 times the width.
        window: a local layer sees the last `window` tokens, the current one included.
        pattern: every `pattern`-th layer is global, the others are local.
        attention_cap: soft-cap of attention scores; 0: none.
        final_cap: soft-cap of logits; 0: none.
        qk_norm: whether queries and keys are normalised.
        base_local: base of the rotary frequencies of local layers.
        base_global: base of the rotary frequencies of global layers.
        scale_global: global layers divide positions by it.
        query_scalar: scores are divided by its root; 0: H.
        epsilon: of RMSNorm.
        dtype: of activations; parameters and logits are always float32.
        remat: whether the gradient computes each layer again instead of keeping its
            activations: less memory, a third more time.
    """

    vocabulary: int = 0
    width: int = 64
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    head: int = 0
    hidden: int = 0
    window: int = 512
    pattern: int = 6
    attention_cap: float = 0.0
    final_cap: float = 0.0
    qk_norm: bool = True
    base_local: float = 10_000.0
    base_global: float = 1_000_000.0
    scale_global: float = 1.0
    query_scalar: float = 0.0
    epsilon: float = 1e-6
    dtype: Literal["float32", "bfloat16"] = "float32"
    remat: bool = False

    def __post_init__(self) -> None:
        checks.choices(self)
        for name in ("width", "layers", "heads", "kv_heads", "window", "pattern"):
            checks.at_least(f"network.{name}", getattr(self, name), 1)
        for name in ("vocabulary", "head", "hidden", "attention_cap", "final_cap"):
            checks.at_least(f"network.{name}", getattr(self, name), 0)
        checks.at_least("network.query_scalar", self.query_scalar, 0)
        for name in ("base_local", "base_global", "scale_global", "epsilon"):
            checks.above(f"network.{name}", getattr(self, name), 0)
        if self.heads % self.kv_heads:
            raise checks.InvalidSetting(
                "network.heads", self.heads, f"a multiple of kv_heads, {self.kv_heads}"
            )
        if not self.head and self.width % self.heads:
            raise checks.InvalidSetting(
                "network.width", self.width, f"a multiple of heads, {self.heads}"
            )
        if self.head_size % 2:
            raise checks.InvalidSetting("network.head", self.head_size, "even")

    @property
    def head_size(self) -> int:
        """H."""
        return self.head or self.width // self.heads

    @property
    def hidden_size(self) -> int:
        """F."""
        return self.hidden or 4 * self.width

    @property
    def query_scale(self) -> float:
        """Factor of the attention scores."""
        return (self.query_scalar or self.head_size) ** -0.5

    def is_global(self, layer: int) -> bool:
        """Whether a layer, counted from 0, sees all earlier tokens."""
        return (layer + 1) % self.pattern == 0


def _gemma2(
    layers: int, width: int, hidden: int, heads: int, head: int, query_scalar: float
) -> Config:
    return Config(
        vocabulary=256_000,
        width=width,
        layers=layers,
        heads=heads,
        kv_heads=heads // 2,
        head=head,
        hidden=hidden,
        window=4_096,
        pattern=2,
        attention_cap=50.0,
        final_cap=30.0,
        qk_norm=False,
        base_global=10_000.0,
        query_scalar=query_scalar,
    )


def _gemma3(
    layers: int,
    width: int,
    hidden: int,
    heads: int,
    kv_heads: int,
    *,
    head: int = 256,
    query_scalar: float = 256.0,
    long: bool = True,
) -> Config:
    return Config(
        vocabulary=262_208 if long else 262_144,
        width=width,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head=head,
        hidden=hidden,
        window=1_024 if long else 512,
        scale_global=8.0 if long else 1.0,
        query_scalar=query_scalar,
    )


# Table 1 of each report. Rows of the embedding, windows and query scalars are those of
# the published checkpoints.
GEMMA2 = {
    "2b": _gemma2(26, 2304, 9216, 8, 256, 256.0),
    "9b": _gemma2(42, 3584, 14336, 16, 256, 256.0),
    "27b": _gemma2(46, 4608, 36864, 32, 128, 144.0),
}
GEMMA3 = {
    "270m": _gemma3(18, 640, 2048, 4, 1, long=False),
    "1b": _gemma3(26, 1152, 6912, 4, 1, long=False),
    "4b": _gemma3(34, 2560, 10240, 8, 4),
    "12b": _gemma3(48, 3840, 15360, 16, 8),
    "27b": _gemma3(62, 5376, 21504, 32, 16, head=128, query_scalar=168.0),
}
