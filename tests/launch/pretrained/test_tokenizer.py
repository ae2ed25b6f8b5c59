"""Tokens of texts: BOS once, no padding inside, ends; and which models fit."""

import io
import json

import pytest
import sentencepiece
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

from launch.errors import PretrainedError
from launch.pretrained import tokenizer
from tests.launch.pretrained.checkpoints import copy, describe

SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>")
WORDS = ("ann", "has", "a", "ball")
TEXT = "ann has a ball\n" * 20 + "a ball has ann\n" * 20


def add_json(directory, words=WORDS, special=SPECIAL):
    """Writes a `tokenizer.json` of whole words that adds BOS and cuts, as Gemma's."""
    vocabulary = {piece: i for i, piece in enumerate((*SPECIAL, *words))}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.add_special_tokens([AddedToken(piece, special=True) for piece in special])
    made.post_processor = TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 2)]
    )
    made.enable_truncation(3)
    made.enable_padding(length=9)
    made.save(str(directory / "tokenizer.json"))


def add_model(directory, **options):
    """Trains a `tokenizer.model` of 29 pieces."""
    written = io.BytesIO()
    ids = {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3, **options}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.splitlines()),
        model_writer=written,
        model_type="bpe",
        vocab_size=29,
        add_dummy_prefix=False,
        minloglevel=9,
        **ids,
    )
    (directory / "tokenizer.model").write_bytes(written.getvalue())


@pytest.fixture
def directory(tmp_path):
    """A checkpoint of a decoder of 59 tokens, without a tokenizer."""
    return copy("gemma2", tmp_path)


def test_bos_is_added_once_and_nothing_is_cut_or_padded(directory):
    add_json(directory)
    found = tokenizer.load(directory)
    assert found.encode("Ann has a ball") == [2, 4, 5, 6, 7]
    assert found.encode("<bos>ann") == [2, 4]
    assert found.encode("") == [2]
    assert found.encode("ann sees") == [2, 4, 3]
    assert found.pieces == (*SPECIAL, *WORDS)


def test_decoding_ends_at_the_first_of_all_end_tokens(directory):
    add_json(directory)
    found = tokenizer.load(directory)
    assert found.decode([2, 4, 5, 1, 6]) == "ann has"
    assert found.decode([7, 6, 4, 0, 0]) == "ball a ann"
    describe(directory, eos_token_id=[1, 6])
    found = tokenizer.load(directory)
    assert found.eos == (1, 6)
    assert found.decode([7, 6, 4]) == "ball"


def test_a_text_with_padding_is_refused(directory):
    add_json(directory)
    with pytest.raises(ValueError, match="a text must not contain <pad>, which is pad"):
        tokenizer.load(directory).encode("ann <pad> has")


def test_sentencepiece_reads_tokenizer_model(directory):
    add_model(directory)
    found = tokenizer.load(directory)
    assert (found.path.name, len(found.pieces)) == ("tokenizer.model", 29)
    assert found.pieces[:4] == ("<pad>", "</s>", "<s>", "<unk>")
    tokens = found.encode("ann has a ball")
    assert tokens[0] == 2 and 2 not in tokens[1:] and min(tokens) > 1
    assert "".join(found.pieces[i] for i in tokens[1:]) == "ann▁has▁a▁ball"
    assert found.decode([*tokens, 1, 7]) == "ann has a ball"
    assert found.encode("<pad>")[0] == 2 and 0 not in found.encode("<pad>")


def test_a_checkpoint_without_a_tokenizer_is_refused(directory):
    with pytest.raises(PretrainedError) as caught:
        tokenizer.load(directory)
    assert str(caught.value) == (
        f"a tokenizer must be tokenizer.json or tokenizer.model, but {directory} has "
        "neither"
    )


def test_a_tokenizer_that_does_not_fit_the_decoder_is_refused(directory):
    add_json(directory, words=[*WORDS, *map(str, range(60))])
    with pytest.raises(
        PretrainedError, match="have at most 59 tokens, as the decoder, "
    ):
        tokenizer.load(directory)
    add_json(directory, special=SPECIAL[1:])
    with pytest.raises(
        PretrainedError, match="must have padding, a special token, with"
    ):
        tokenizer.load(directory)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer.model"])
def test_a_broken_file_is_refused(name, directory):
    (directory / name).write_text("{")
    with pytest.raises(PretrainedError) as caught:
        tokenizer.load(directory)
    assert str(caught.value).startswith(f"cannot read {directory / name}: ")
    assert "\n" not in str(caught.value)


@pytest.fixture
def pair(tmp_path):
    """A teacher and a policy of one vocabulary and tokenizer, but different sizes."""
    teacher, policy = (copy(name, tmp_path) for name in ("gemma3", "gemma2"))
    for directory in (teacher, policy):
        add_json(directory)
    return teacher, policy


def refusal(teacher, policy):
    with pytest.raises(PretrainedError) as caught:
        tokenizer.check_pair(teacher, policy)
    start = "checkpoints that are used together must have the same "
    assert str(caught.value).startswith(start) and "\n" not in str(caught.value)
    return str(caught.value).removeprefix(start)


def test_models_of_one_tokenizer_fit_whatever_else_differs(pair):
    teacher, policy = pair
    tokenizer.check_pair(teacher, policy)
    path = policy / "tokenizer.json"  # another layout of the same file
    path.write_text(json.dumps(json.loads(path.read_text()), indent=7))
    describe(teacher, eos_token_id=[1, 6])
    describe(policy, eos_token_id=[6, 1])
    tokenizer.check_pair(teacher, policy)
    for directory in pair:
        (directory / "tokenizer.json").unlink()
    tokenizer.check_pair(teacher, policy)


def test_other_vocabularies_are_refused(pair):
    teacher, policy = pair
    describe(policy, vocab_size=61)
    assert refusal(teacher, policy) == (
        f"vocab_size, but {teacher} has 59 and {policy} has 61"
    )


def test_other_end_tokens_are_refused(pair):
    teacher, policy = pair
    describe(teacher, eos_token_id=[1, 6])
    assert refusal(teacher, policy) == (
        f"eos_token_id, but {teacher} has [1, 6] and {policy} has [1]"
    )


def test_other_tokenizers_of_equal_size_are_refused(pair):
    teacher, policy = pair
    add_json(policy, words=[*WORDS[:3], "bat"])
    message = refusal(teacher, policy)
    assert message.startswith(f"tokenizer, but {teacher} has SHA-256 ")
    (policy / "tokenizer.json").unlink()
    message = refusal(teacher, policy)
    assert message.endswith(f"and {policy} has none")
