"""Runs the server on a cluster of machines, as a deployment of Ray Serve.

    RAY_SERVE_ENABLE_HA_PROXY=1 ray start --head
    serve run vrnn_engine.serve.cluster:build voices=blizzard max_replicas=4

A replica is the same application, with the same engine, as `vrnn-engine serve`. All replicas share one key, so that the
token of a session resumes it on each of them. With HAProxy, Ray hands a WebSocket to a replica and does not touch its
messages; without, each message of a session passes through two more Python processes.
"""

import dataclasses
import logging
import os
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from vrnn_engine.base.suggest import suggest
from vrnn_engine.errors import ServerError
from vrnn_engine.serve.environment import TOKEN_VARIABLE
from vrnn_engine.serve.options import ServeOptions
from vrnn_engine.serve.tokens import read_key

if TYPE_CHECKING:
    from fastapi import FastAPI
    from ray.serve import Application

HAPROXY = "RAY_SERVE_ENABLE_HA_PROXY"
"""Environment variable that makes Ray Serve use HAProxy; it must be 1 where `ray start` runs."""
UNLIMITED = 1_000_000.0
"""A rate of requests, and a number of sessions, too large to be reached."""

_log = logging.getLogger("vrnn_engine")

Positive = Annotated[int, msgspec.Meta(ge=1)]
Amount = Annotated[float, msgspec.Meta(ge=0)]


class Scaling(msgspec.Struct, frozen=True, kw_only=True):
    """How many replicas run, and what each of them occupies."""

    min_replicas: Positive = 1
    """Least number of replicas."""
    max_replicas: Positive = 4
    """Largest number of replicas."""
    sessions: Positive = 50
    """Sessions of a replica above which Ray starts another one."""
    cpus: Amount = 1.0
    """Cores that a replica occupies; Ray starts it where they are free."""
    gpus: Amount = 0.0
    """GPUs that a replica occupies; 0.25 puts four replicas on one GPU."""
    key_file: str | None = None
    """File with the key of the tokens; by default VRNN_ENGINE_KEY, or else a new key at each deployment."""


def build(args: Mapping[str, Any]) -> "Application":
    """Return the application that `serve run` and `serve deploy` start.

    Parameters
    ----------
    args : mapping of str to value
        Fields of `Scaling` and of `ServeOptions`, as `NAME=VALUE` of `serve run` or from `args` of a configuration
        file. Several values of one field are a list, or a string with commas.

    Raises
    ------
    ServerError
        A name is unknown, or a value has the wrong type or is out of range.
    TokenError
        The file of the key cannot be read.
    """
    from ray import serve

    scaling, options = read_settings(args)

    def app() -> "FastAPI":
        return _replica(options)

    deploy = serve.deployment(
        name="vrnn-engine",
        autoscaling_config={
            "min_replicas": scaling.min_replicas,
            "max_replicas": scaling.max_replicas,
            "target_ongoing_requests": scaling.sessions,  # a session is a request that goes on
        },
        # The application itself refuses sessions, with the time after which to try again; Ray would let them wait.
        max_ongoing_requests=100_000,
        ray_actor_options={"num_cpus": scaling.cpus, "num_gpus": scaling.gpus},
    )
    return deploy(serve.ingress(app)()).bind()


def read_settings(args: Mapping[str, Any]) -> tuple[Scaling, ServeOptions]:
    """Return how to scale, and the options of each replica; see `build`.

    Parameters
    ----------
    args : mapping of str to value

    Raises
    ------
    ServerError
        A name is unknown, or a value has the wrong type or is out of range.
    TokenError
        The file of the key cannot be read.
    """
    of_replicas = {one.name: one.type for one in dataclasses.fields(ServeOptions) if one.name not in ("key", "port")}
    of_scaling = set(Scaling.__struct_fields__)
    for name in args:
        if name not in of_scaling and name not in of_replicas:
            raise ServerError(f"unknown option {name!r}{suggest(name, [*of_scaling, *of_replicas], 'options')}")
    values = {
        # Behind HAProxy the host is any address of the cluster, and all clients have the address of HAProxy.
        "host": "0.0.0.0",
        "requests_per_second": UNLIMITED,
        "opens_per_second": UNLIMITED,
        "sessions_per_address": int(UNLIMITED),
        "renders_per_address": int(UNLIMITED),
        "token": os.environ.get(TOKEN_VARIABLE) or None,
    } | {
        name: _listed(value) if of_replicas[name] == tuple[str, ...] else value
        for name, value in args.items()
        if name in of_replicas
    }
    try:
        scaling = msgspec.convert({n: v for n, v in args.items() if n in of_scaling}, Scaling, strict=False)
        options = msgspec.convert(values, ServeOptions, strict=False)
    except msgspec.ValidationError as error:
        raise ServerError(f"an option of the cluster is wrong: {error}") from None
    key = read_key(scaling.key_file) or secrets.token_urlsafe(32).encode()
    return scaling, dataclasses.replace(options, key=key)


def _listed(value: object) -> object:
    return value.split(",") if isinstance(value, str) else value


def _replica(options: ServeOptions) -> "FastAPI":
    """Return the application of this replica."""
    from vrnn_engine.serve.app import create_app

    if os.environ.get(HAPROXY) != "1":
        _log.warning(
            "%s is not 1: each message of a session passes through Ray's proxy in Python, which takes far more "
            "processor time than HAProxy; set it where `ray start` runs",
            HAPROXY,
        )
    return create_app(options)
