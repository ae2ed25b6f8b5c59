"""TRL's half of `gkd_against_trl`: prints the figures of its GKDTrainer.

    PYTHON experiments/benchmarks/gkd_in_trl.py DIR

`PYTHON` is of an environment that `peer_environments` builds: it has torch,
transformers and TRL, and not this repository. So the file imports nothing else of it.
"""

import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

PAD, EOS, BOS, UNK = range(4)
IGNORED = -100  # label of a token without a loss


class Moment(NamedTuple):
    """Seconds of the wall clock, and of this process's CPU time, since it began."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> "Moment":
        """This moment."""
        return cls(time.time() - psutil.Process().create_time(), time.process_time())


def measure(directory: Path) -> dict[str, float]:
    """Distils the student for some updates; see `gkd_against_trl.measure`."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, TrainerCallback
    from trl.experimental.gkd import GKDTrainer

    settings = json.loads((directory / "settings.json").read_text())
    ends = [Moment.now()]
    generating: list[float] = []
    tokens: list[int] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(Moment.now())

    class Timed(GKDTrainer):
        @staticmethod
        def generate_on_policy_outputs(*given: Any) -> Any:
            begun = time.monotonic()
            made = GKDTrainer.generate_on_policy_outputs(*given)
            generating.append(time.monotonic() - begun)
            tokens.append(int((made[2] != IGNORED).sum()))
            return made

    load = AutoModelForCausalLM.from_pretrained
    student, teacher = (load(directory / name) for name in ("student", "teacher"))
    trainer = Timed(
        model=student,
        teacher_model=teacher,
        args=_arguments(settings, directory / "trl"),
        data_collator=lambda rows: _collate(rows, settings["length"]),
        train_dataset=Dataset.from_dict({"prompt_ids": _prompts(directory)}),
        processing_class=_tokenizer(student.config.vocab_size),
        callbacks=[Clock()],
    )
    trainer.train()
    return figures(settings, ends, generating, tokens)


def figures(
    settings: dict[str, Any],
    ends: Sequence[Moment],
    generating: Sequence[float],
    tokens: Sequence[int],
) -> dict[str, float]:
    """Rates after the first updates, seconds to the first one, and memory.

    On a busy machine only the CPU seconds of an update mean something.

    Args:
        settings: written by `gkd_against_trl`.
        ends: when preparations ended, and then each update.
        generating: seconds of generation before each update.
        tokens: generated tokens of each batch, EOS included.
    """
    skipped = settings["skipped"]
    updates = len(tokens) - skipped
    wall, cpu = (ends[-1][i] - ends[skipped][i] for i in range(2))
    generated, spent = sum(tokens[skipped:]), sum(generating[skipped:])
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "updates_per_second": updates / wall,
        "tokens_per_second": generated / spent,
        "seconds_of_an_update_alone": (wall - spent) / updates,
        "cpu_seconds_of_generation_and_update": cpu / updates,
        "seconds_to_first_update": ends[1].wall,
        "cpu_seconds_to_first_update": ends[1].cpu,
        "peak_megabytes": kilobytes / 1e3,
        "tokens": generated,
    }


def _prompts(directory: Path) -> list[list[int]]:
    import numpy as np

    rows = np.load(directory / "prompts.npy").tolist()
    return [[token for token in row if token != PAD] for row in rows]


def _arguments(settings: dict[str, Any], output: Path) -> Any:
    from trl.experimental.gkd import GKDConfig

    return GKDConfig(
        output_dir=str(output),
        per_device_train_batch_size=settings["batch"],
        max_steps=settings["updates"],
        max_new_tokens=settings["length"],
        learning_rate=settings["learning_rate"],
        lr_scheduler_type="constant",
        weight_decay=0.0,
        max_grad_norm=0.0,
        temperature=1.0,
        lmbda=1.0,
        beta=0.5,
        bf16=False,
        gradient_checkpointing=False,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        seed=settings["seed"],
    )


def _collate(rows: list[dict[str, list[int]]], length: int) -> dict[str, Any]:
    """Prompts padded on the left, as generation wants them there.

    The completions, all UNK, are never used: each batch is generated.
    """
    import torch

    prompts = [row["prompt_ids"] for row in rows]
    longest = max(map(len, prompts))
    padded = torch.tensor([[PAD] * (longest - len(x)) + x for x in prompts])
    mask = torch.tensor([[0] * (longest - len(x)) + [1] * len(x) for x in prompts])
    completion = torch.full((len(rows), length), UNK)
    return {
        "prompts": padded,
        "prompt_attention_mask": mask,
        "input_ids": torch.cat([padded, completion], dim=1),
        "attention_mask": torch.cat([mask, torch.ones_like(completion)], dim=1),
        "labels": torch.cat([torch.full_like(padded, IGNORED), completion], dim=1),
    }


def _tokenizer(vocabulary: int) -> Any:
    """A tokenizer that the trainer wants to have; no text is turned into tokens."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    names = ["<pad>", "<eos>", "<bos>", "<unk>"]
    names += [f"t{i}" for i in range(len(names), vocabulary)]
    pieces = {name: i for i, name in enumerate(names)}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(pieces, unk_token="<unk>")),
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
        unk_token="<unk>",
    )


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
