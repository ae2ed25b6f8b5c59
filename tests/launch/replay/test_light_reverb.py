"""Reverb without TensorFlow: in fresh processes, as this one may have imported it."""

import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.reverb

SERVE = """
    import sys
    from agents.parts.contract import Storage
    from launch.replay import light_reverb, limiter
    from tests.launch.replay import recorded_streams as streams
    light_reverb.install()
    import reverb
    from launch.replay import reverb_store, snapshot

    def libraries():
        with open("/proc/self/maps") as maps:
            return {name for line in maps for name in (
                "_pywrap_tensorflow_internal", "libtensorflow_framework", "libpybind"
            ) if name in line}

    def tensorflow():
        return sorted(name for name in sys.modules if name.startswith("tensorflow"))

    stream = streams.record(steps=60, frame_stack=4)
    reference = streams.reference(stream, n_step=3, discount=0.9)
    storage = Storage(
        n_step=3, capacity=1000, min_size=len(reference), batch_size=13,
        samples_per_insert=300.0,
    )
    server = reverb.Server(
        reverb_store.make_tables(storage),
        checkpointer=snapshot.make_checkpointer(Path(sys.argv[1], "scratch"), None),
    )
    client = reverb.Client(f"localhost:{server.port}")
    adder = reverb_store.ReverbAdder(
        client, storage, streams.make_spec(4), discount=0.9, frame_stack=4,
        num_environments=2, stop=lambda: False,
    )
    streams.feed(adder, stream)
    adder.close()
    assert snapshot.stored(client) == len(reference)
    assert limiter.limiter_state(client).missing_inserts == 0
    saved = Path(sys.argv[1], "saved")
    snapshot.save(client, saved)
"""


def run(code, *arguments):
    """Runs code in a new process; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", "from pathlib import Path\n" + code, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_servers_and_writers_need_no_tensorflow(tmp_path):
    code = textwrap.dedent(SERVE) + "print(*tensorflow(), *sorted(libraries()))"
    assert run(code, str(tmp_path)) == ["libpybind", "libtensorflow_framework"]


@pytest.mark.slow
def test_all_of_reverb_and_tensorflow_can_be_imported_later(tmp_path):
    code = textwrap.dedent(SERVE) + textwrap.dedent(
        """
        light_reverb.remove()
        from launch.replay import reverb_reader
        import itertools, tensorflow
        assert tensorflow.constant(3) + 4 == 7
        reader = reverb_reader.ReverbReader(
            client.server_address, storage, streams.make_spec(4), frame_stack=4,
            stop=lambda: False,
        )
        taken = [key for batch in itertools.islice(reader, 20)
                 for key in streams.keys(batch)]
        assert set(taken) <= {streams.key(each) for each in reference}
        print(len(taken), *libraries())
        """
    )
    taken, *libraries = run(code, str(tmp_path))
    assert int(taken) == 20 * 13 and "_pywrap_tensorflow_internal" in libraries


def test_nothing_changes_in_a_process_that_has_reverb():
    code = textwrap.dedent(
        """
        import sys, types
        from launch.replay import light_reverb
        sys.modules["reverb"] = whole = types.ModuleType("reverb")
        light_reverb.install()
        import reverb
        assert reverb is whole
        light_reverb.remove()
        import reverb
        print(reverb is whole, len(sys.meta_path))
        """
    )
    kept, finders = run(code)
    assert kept == "True" and int(finders) == int(
        *run("import sys; print(len(sys.meta_path))")
    )
