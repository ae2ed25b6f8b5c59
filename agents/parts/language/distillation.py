"""A student and its teacher: their distances, and the teacher's completions.

Letters in shapes: B sequences, P columns of prompts, T columns of completions.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from agents.parts.contract import Measure, Metrics, Params, Spec
from agents.parts.language import (
    assembly,
    divergences,
    sampling,
    sequences,
    transformer,
)

_FACTOR = 2_654_435_761  # odd: prompts that differ in one token have other numbers


class Pair(NamedTuple):
    """The networks `policy`, which learns, and `teacher`, which does not.

    Attributes:
        student: shape of `policy`, with the task's vocabulary.
        teacher: shape of `teacher`, with the task's vocabulary.
        temperature: divides the teacher's logits, in distances and in sampling.
        beta: of the generalised Jensen-Shannon divergence.
        chunk: positions whose logits are computed at a time; 0: all.
    """

    student: transformer.Config
    teacher: transformer.Config
    temperature: float = 1.0
    beta: float = 0.5
    chunk: int = 0

    def distances(
        self,
        params: Params,
        name: divergences.Name,
        prompt: jax.Array,
        completion: jax.Array,
    ) -> jax.Array:
        """A divergence before each token of completions `[B, T]`: `[B, T]`.

        Args:
            params: of both networks; gradients flow to the student's only.
            name: of the divergence.
            prompt: `[B, P]`.
            completion: `[B, T]`.
        """
        constant = jax.lax.stop_gradient(params["teacher"])
        states = sampling.predicting_states

        def teacher_logits(states: jax.Array) -> jax.Array:
            logits = transformer.logits(constant, self.teacher, states)
            return logits / self.temperature

        return divergences.chunked(
            divergences.named(name, self.beta),
            teacher_logits,
            lambda states: transformer.logits(params["policy"], self.student, states),
            states(constant, self.teacher, prompt, completion),
            states(params["policy"], self.student, prompt, completion),
            chunk=self.chunk or completion.size,
        )

    def teacher_completions(
        self, params: Params, key: jax.Array, prompt: jax.Array, reference: jax.Array
    ) -> sampling.Completion:
        """Samples of the teacher: a source of completions, see `assembly.Source`."""
        return sampling.generate(
            params["teacher"],
            self.teacher,
            key,
            prompt,
            reference.shape[1],
            self.temperature,
        )

    def fixed_completions(
        self, params: Params, key: jax.Array, prompt: jax.Array, reference: jax.Array
    ) -> sampling.Completion:
        """As `teacher_completions`, but a prompt always gets the same completion.

        So prompts that come again are a data set over which the student goes again.
        """
        del key
        factors = np.cumprod(np.full(prompt.shape[1], _FACTOR, np.uint32))
        numbers = jnp.sum(prompt.astype(jnp.uint32) * factors[None], axis=1)

        def complete(number: jax.Array, row: jax.Array) -> sampling.Completion:
            key = jax.random.key(number)
            return self.teacher_completions(params, key, row[None], reference[:1])

        found = jax.vmap(complete)(numbers, prompt)
        return jax.tree.map(lambda leaf: leaf[:, 0], found)


def measure_of(pair: Pair, spec: Spec) -> Measure:
    """Distances of whole completions, in nats, averaged over prompts.

    `forward_kl` is KL(p_T, p_S) on samples of the teacher, the proxy of teacher
    hacking; `reverse_kl` is KL(p_S, p_T) on samples of the student. Both add the exact
    divergences of all tokens. `reference_log_prob` is log p_S of the references; with
    samples of an oracle as references, minus the oracle's entropy minus this is
    KL(oracle, p_S), the golden distance. It means nothing where a task has no
    references.
    """
    [columns] = spec.action.shape

    def measure(params: Params, key: jax.Array, observation: Any) -> Metrics:
        prompt, reference = assembly.split(observation, spec)
        teacher_key, student_key = jax.random.split(key)
        of_teacher = pair.teacher_completions(params, teacher_key, prompt, reference)
        of_student = sampling.generate(
            params["policy"], pair.student, student_key, prompt, columns
        )

        def total(name: divergences.Name, completion: jax.Array) -> jax.Array:
            values = pair.distances(params, name, prompt, completion)
            mask = sequences.completion_mask(completion)
            return jnp.sum(jnp.where(mask, values, 0)) / len(completion)

        log_probs = sampling.score(
            params["policy"], pair.student, prompt, reference, pair.chunk
        )
        return {
            "forward_kl": total("forward_kl", of_teacher.tokens),
            "reverse_kl": total("reverse_kl", of_student.tokens),
            "reference_log_prob": jnp.mean(jnp.sum(log_probs, axis=1)),
        }

    return measure


def distance_from(name: str, network: transformer.Config, spec: Spec) -> Measure:
    """The KL divergence from `policy` to another network of its shape: `<name>_kl`.

    It is that of whole completions, in nats: the sum of the exact divergences at each
    token of one sample of the policy for each prompt, averaged over prompts.
    """
    [columns] = spec.action.shape
    pair = Pair(student=network, teacher=network)

    def measure(params: Params, key: jax.Array, observation: Any) -> Metrics:
        prompt, _ = assembly.split(observation, spec)
        policy = params["policy"]
        made, _ = sampling.generate(policy, network, key, prompt, columns)
        both = {"policy": policy, "teacher": params[name]}
        kl = pair.distances(both, "reverse_kl", prompt, made)
        mask = sequences.completion_mask(made)
        return {f"{name}_kl": jnp.mean(jnp.sum(kl, axis=1, where=mask))}

    return measure
