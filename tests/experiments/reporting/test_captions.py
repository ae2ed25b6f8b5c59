"""Sentences about how far seeds go."""

from experiments.reporting import captions, read_runs
from tests.experiments.run_directories import metrics_row, write

POINTS = {50: [0.0], 100: [1.0]}


def groups(root):
    [members] = read_runs.read([str(root)]).groups.values()
    return members


def test_ends_of_seeds_are_told_in_words():
    assert captions.uneven({0: (5, 9), 7: (5, 9)}, 9) == ""
    assert captions.uneven({2: (0, 40_000), 3: (0, 100_000)}, 100_000) == (
        "seed 2 ends at 40,000 of 100,000 steps"
    )
    spans = {1: (5, 20), 2: (5, 20), 3: (15, 30), 4: (5, 20), 5: (5, 30)}
    assert captions.uneven(spans, 40) == (
        "seed 3 begins at 15; seeds 1, 2 and 4 end at 20 of 40 steps"
    )
    assert captions.uneven({0: (5, 7)}, 9, [0]) == "seed 0 ends at 7 of 9 steps"


def test_each_agent_is_named_if_there_are_several(tmp_path):
    write(tmp_path, "dqn/catch", 0, POINTS)
    write(tmp_path, "mdqn/catch", 0, {50: [0.0]})
    assert captions.ends(groups(tmp_path / "mdqn")) == [
        "Seed 0 ends at 50 of 100 steps."
    ]
    assert captions.ends(groups(tmp_path)) == ["mdqn: seed 0 ends at 50 of 100 steps."]


def test_a_caption_does_not_list_hundreds_of_agents(tmp_path):
    for index in range(11):
        points = {50: [0.0]}
        write(tmp_path, "dqn/catch", 0, points, directory=f"{index}", rate=index)
    sentences = captions.ends(groups(tmp_path))
    assert len(sentences) == 9
    assert sentences[-1] == "The table of runs tells it of 3 more agents."


def test_gaps_and_absent_training_episodes_are_told(tmp_path):
    write(
        tmp_path,
        "dqn/catch",
        0,
        {10: [0.0], 50: [0.0], 100: [1.0]},
        [metrics_row(20, "actor", 2.0, episodes=2, episode_return=-3.0)],
    )
    write(tmp_path, "dqn/catch", 4, {10: [0.0], 100: [1.0]})
    found = groups(tmp_path)
    assert captions.gaps(found) == [
        "Seed 4 lacks evaluations that others have; the line between is straight."
    ]
    assert captions.without_episodes(found) == ["Seed 4 has no training episode."]


def test_final_numbers_have_a_row_for_complete_runs_if_only_some_are(tmp_path):
    for seed, points in enumerate([POINTS, {50: [0.0]}, POINTS]):
        write(tmp_path, "dqn/catch", seed, points)
    [group] = groups(tmp_path)
    everyone, whole = captions.selections(group)
    assert everyone == (group.runs, "dqn")
    assert whole == ([group.runs[0], group.runs[2]], "dqn, complete runs only")
    [only] = captions.selections(group._replace(runs=whole[0]))
    assert only == (whole[0], "dqn")
