"""Labels of the agents in a report on a suite: an agent has one label on all tasks."""

from collections.abc import Iterable, Mapping, Sequence

from experiments.reporting import formats, plain_text, setting_differences
from experiments.reporting.read_runs import Group
from experiments.reporting.setting_differences import OF_AGENT


def labels(found: Mapping[str, Sequence[Group]]) -> dict[int, str]:
    """A label of each group, by its identity; on a task no two groups have the same.

    It is the agent's name, with settings that tell its groups apart. The tasks of a
    suite give an agent the same settings, so a setting of the agent that differs
    between tasks was chosen, and tells as well. Other settings, such as the number of
    steps, tell only where a task has several groups.

    Args:
        found: the groups of each task.
    """
    names = dict.fromkeys(_agent(group) for own in found.values() for group in own)
    found_labels: dict[int, str] = {}
    for name in names:
        tasks = [
            [each for each in own if _agent(each) == name] for own in found.values()
        ]
        found_labels |= _of_one(name, tasks)
    return found_labels


def _agent(group: Group) -> str:
    return str(group.runs[0].experiment["agent_name"])


def _of_one(name: str, tasks: Sequence[Sequence[Group]]) -> dict[int, str]:
    """The labels of an agent's groups, by their identity.

    Args:
        name: of the agent.
        tasks: its groups on each task.
    """
    settings = {id(group): group.settings for own in tasks for group in own}
    paths = _chosen(settings.values())
    for own in tasks:
        for alike in _alike([settings[id(group)] for group in own], paths):
            more = setting_differences.differences(alike)
            # A run's name has its task's name, and so would differ on each task.
            paths += [path for path in more if path != "name" or len(more) == 1]
    return {
        key: plain_text.one_line(", ".join([name, *_told(own, dict.fromkeys(paths))]))
        for key, own in settings.items()
    }


def _chosen(settings: Iterable[Mapping[str, str]]) -> list[str]:
    """Settings of the agent that tell groups apart, as few as can be found.

    A setting that some runs lack, since an earlier version wrote them, does not differ
    by that.
    """
    own = [
        {path: text for path, text in each.items() if path.startswith(OF_AGENT)}
        for each in settings
    ]
    differing = [  # in the order of the settings, so that labels are the same each time
        path
        for path, texts in setting_differences.differences(own).items()
        if len({*texts} - {None}) > 1
    ]
    kept = [{path: each[path] for path in differing if path in each} for each in own]
    unequal = {tuple(sorted(each.items())): each for each in kept}
    return setting_differences.telling(list(unequal.values()), most=len(differing))


def _alike(
    settings: Iterable[dict[str, str]], paths: Sequence[str]
) -> list[list[dict[str, str]]]:
    """The settings of one task's groups that some paths do not tell apart."""
    by_values: dict[tuple[str | None, ...], list[dict[str, str]]] = {}
    for own in settings:
        by_values.setdefault(tuple(map(own.get, paths)), []).append(own)
    return [alike for alike in by_values.values() if len(alike) > 1]


def _told(settings: Mapping[str, str], paths: Iterable[str]) -> list[str]:
    """Each setting with the end of its path that no other path has."""
    return [
        f"{setting_differences.short(path, {*settings, path})} "
        f"{settings.get(path, formats.NONE)}"
        for path in paths
    ]
