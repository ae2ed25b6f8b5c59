"""Pretrained language models in the files of Hugging Face: weights and tokenizers."""
