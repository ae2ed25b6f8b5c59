"""What hosts of one program must have in common."""

import sys

import munchausen
from launch.engines import versions

OURS = versions.Facts(
    "head",
    "/src",
    "d1",
    "3.10",
    {"dm-reverb": "0.7.3", "protobuf": "3.20.3", "jax": "0.6.2"},
)


def test_facts_of_this_host():
    found = versions.facts(str(munchausen.ROOT))
    assert found.root == str(munchausen.ROOT)
    assert len(found.digest) == 64
    assert found.python == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert found.packages["jax"].count(".") == 2


def test_a_host_without_our_files_has_no_digest(tmp_path):
    found = versions.facts(str(tmp_path))
    assert (found.root, found.digest) == ("", "")


def test_the_digest_changes_with_content_and_with_names(tmp_path):
    (tmp_path / "munchausen.py").write_text("a = 1\n")
    (tmp_path / "launch").mkdir()
    module = tmp_path / "launch" / "run.py"
    module.write_text("b = 2\n")
    first = versions.digest(str(tmp_path))
    (tmp_path / "launch" / "notes.txt").write_text("no code")
    assert versions.digest(str(tmp_path)) == first
    module.write_text("b = 3\n")
    second = versions.digest(str(tmp_path))
    module.rename(module.with_name("walk.py"))
    assert len({first, second, versions.digest(str(tmp_path))}) == 3


def test_equal_hosts_do_not_differ():
    assert versions.differences(OURS, OURS._replace(host="gpu1")) == ([], [])


def test_what_must_be_equal_is_named_with_both_values():
    theirs = OURS._replace(
        python="3.11", digest="d2", packages={"protobuf": "3.19.6", "jax": "0.6.2"}
    )
    wrong, odd = versions.differences(OURS, theirs)
    assert wrong == [
        "CPython must be 3.10, is 3.11",
        "munchausen's files must be those of the launcher, they differ",
        "dm-reverb must be 0.7.3, is missing",
        "protobuf must be 3.20.3, is 3.19.6",
    ]
    assert odd == []


def test_missing_files_and_other_versions():
    theirs = OURS._replace(digest="", packages={**OURS.packages, "jax": "0.6.1"})
    assert versions.differences(OURS, theirs) == (
        ["munchausen's files must be those of the launcher, they are missing"],
        ["jax is 0.6.2 at the launcher, here 0.6.1"],
    )
