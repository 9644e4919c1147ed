"""The settings of `serve run vrnn_engine.serve.cluster:build NAME=VALUE`."""

import os
from pathlib import Path

import pytest

from vrnn_engine.errors import ServerError, TokenError
from vrnn_engine.serve.cluster import UNLIMITED, Scaling, read_settings
from vrnn_engine.serve.environment import KEY_VARIABLE
from vrnn_engine.serve.options import ServeOptions


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


def test_text_of_the_command_line_becomes_typed_options() -> None:
    scaling, options = read_settings(
        {"voices": "blizzard,handwriting", "rows": "32", "idle": "5", "gpus": "0.25", "max_replicas": "8"}
    )
    assert scaling == Scaling(gpus=0.25, max_replicas=8)
    assert options.voices == ("blizzard", "handwriting")
    assert (options.rows, options.idle) == (32, 5.0)


def test_values_of_a_file_become_the_same_options() -> None:
    scaling, options = read_settings({"voices": ["a", "b"], "hosts": ["x.org"], "token": "t", "sessions": 7})
    assert scaling.sessions == 7
    assert (options.voices, options.hosts, options.token) == (("a", "b"), ("x.org",), "t")


def test_replicas_answer_under_each_address_and_count_no_requests_of_the_proxy() -> None:
    _, options = read_settings({})
    assert options.host == "0.0.0.0"
    assert options.requests_per_second == options.opens_per_second == UNLIMITED
    assert options.voices == ServeOptions().voices


def test_key_comes_from_the_file_or_the_environment_or_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (read_settings({})[1].key for _ in range(2))
    assert one != other
    assert len(one or b"") >= 32
    monkeypatch.setenv(KEY_VARIABLE, "of the environment")
    assert read_settings({})[1].key == b"of the environment"
    (tmp_path / "key").write_text("of the file, which is long\n")
    assert read_settings({"key_file": str(tmp_path / "key")})[1].key == b"of the file, which is long"
    with pytest.raises(TokenError, match="cannot be read"):
        read_settings({"key_file": os.fspath(tmp_path / "none")})


def test_the_token_comes_from_the_environment_if_it_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VRNN_ENGINE_TOKEN", "of-the-environment")
    assert read_settings({})[1].token == "of-the-environment"
    assert read_settings({"token": "given"})[1].token == "given"
    monkeypatch.delenv("VRNN_ENGINE_TOKEN")
    assert read_settings({})[1].token is None


def test_a_short_key_is_refused_before_a_replica_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "short")
    with pytest.raises(ServerError, match="has 5 bytes; give at least 16"):
        read_settings({})


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"voice": "a"}, "unknown option 'voice'; did you mean 'voices'"),
        ({"key": "secret"}, "unknown option 'key'"),
        ({"rows": "many"}, "an option of the cluster is wrong: Expected `int`, got `str` - at `$.rows`"),
        ({"min_replicas": "0"}, "an option of the cluster is wrong: Expected `int` >= 1"),
        ({"token": ""}, "the token must be"),
        ({"rows": "-5"}, "rows is -5"),
        ({"idle": "-1"}, "idle is -1"),
        ({"gpus": -1}, "an option of the cluster is wrong: Expected `float` >= 0"),
    ],
)
def test_a_wrong_setting_is_named(args: dict[str, object], message: str) -> None:
    with pytest.raises(ServerError) as refused:
        read_settings(args)
    assert message in str(refused.value)
