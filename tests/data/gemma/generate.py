"""Writes the checkpoints in this folder, and the logits that Transformers computes.

It needs PyTorch and Transformers, which this repository does not install:

    uv venv --python 3.11 /tmp/peers
    uv pip install --python /tmp/peers/bin/python torch==2.13.0 transformers==5.24.0
    /tmp/peers/bin/python tests/data/gemma/generate.py

All weights are random, those of norms as well, since zeros would hide errors.
"""

from pathlib import Path

import numpy as np
import torch
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3Config,
    Gemma3ForCausalLM,
    Gemma3ForConditionalGeneration,
    Gemma3TextConfig,
    SiglipVisionConfig,
)

FOLDER = Path(__file__).parent
VOCABULARY = 59
LINEAR = {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6}
TEXT = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 12,
    "max_position_embeddings": 128,
    "sliding_window": 5,
    "query_pre_attn_scalar": 14,
    "attn_implementation": "eager",  # the others skip soft-caps
}


def gemma2():
    config = Gemma2Config(
        **TEXT,
        num_hidden_layers=4,
        attn_logit_softcapping=5.0,
        final_logit_softcapping=3.0,
    )
    return Gemma2ForCausalLM(config)


def gemma3():
    rope = {
        "full_attention": LINEAR,
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    }
    config = Gemma3TextConfig(
        **TEXT, num_hidden_layers=7, sliding_window_pattern=3, rope_parameters=rope
    )
    return Gemma3ForCausalLM(config)


def gemma3_multimodal():
    vision = SiglipVisionConfig(
        hidden_size=16,
        intermediate_size=20,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
        vision_use_head=False,
    )
    config = Gemma3Config(
        text_config=Gemma3TextConfig(
            **TEXT, num_hidden_layers=2, sliding_window_pattern=2
        ),
        vision_config=vision,
        mm_tokens_per_image=1,
        image_token_index=VOCABULARY - 1,
    )
    return Gemma3ForConditionalGeneration(config)


def write(name, model, shard="5GB"):
    """Saves a model with random weights, tokens `[2, 24]`, and logits `[2, 24, V]`."""
    generator = torch.Generator().manual_seed(1)
    model = model.float().eval()
    tokens = torch.randint(3, VOCABULARY - 1, (2, 24), generator=generator)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            scale = 0.3 if "norm" in parameter_name else 0.2
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(scale * noise)
        logits = model(tokens, attention_mask=torch.ones_like(tokens)).logits
    model.save_pretrained(FOLDER / name, max_shard_size=shard)
    (FOLDER / name / "generation_config.json").unlink(missing_ok=True)
    np.savez(FOLDER / f"{name}.npz", tokens=tokens.numpy(), logits=logits.numpy())
    print(name, "largest logit", float(logits.abs().max()))


if __name__ == "__main__":
    write("gemma2", gemma2())
    write("gemma3", gemma3())
    write("gemma3_multimodal", gemma3_multimodal(), shard="40KB")
