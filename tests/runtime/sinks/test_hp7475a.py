"""A simulated HP 7475A in its power-on state, with a buffer of 1,024 bytes: nothing is lost, or an error says so."""

import numpy as np
import pytest
from support.hp7475a import BUFFER, Hp7475a
from support.pen_helpers import lay_out, writing

from vrnn_engine.errors import SinkError
from vrnn_engine.runtime.sinks import Format, make_sink

pytest.importorskip("serial", reason="pyserial comes with the extra `dev`")
FAST = Format("pen", 100_000, 3, "mm", "toy")
INK = writing(3000)


def draw(target: str) -> None:
    sink = make_sink(target)
    sink.open(FAST)
    try:
        for start in range(0, len(INK), 100):
            sink.write(INK[start : start + 100])
        sink.close()
    except BaseException:
        sink.abort()
        raise


@pytest.mark.parametrize("answers", [True, False])
@pytest.mark.parametrize("flow", ["", "&flow=xonxoff", "&flow=rtscts"])
def test_a_plotter_in_its_power_on_state_draws_every_stroke(flow: str, answers: bool) -> None:
    with Hp7475a(wired="rtscts" in flow, answers=answers) as plotter:
        draw(plotter.target(flow))
        plotter.finish()
        assert plotter.lost == 0
        assert plotter.clipped == 0
        assert plotter.most_buffered > BUFFER // 2 - 64  # the handshake was needed
    lines = lay_out(INK, width=297, height=210, margin=15)
    expected = [np.array(stroke) for line in lines if line.page == 0 for stroke in line.strokes]
    assert len(plotter.strokes) == len(expected)
    for stroke, shape in zip(plotter.strokes, expected, strict=True):
        found = np.array(stroke) * 0.02488 + [10, 4]
        wanted = [0, 210] + shape * [1, -1]
        assert np.abs(found[[0, -1]] - wanted[[0, -1]]).max() < 0.013
        assert np.abs(wanted[:, None] - found[None]).max(axis=2).min(axis=1).max() < 0.013


@pytest.mark.parametrize("flow", ["none", "rtscts"])
def test_data_that_a_plotter_loses_are_an_error(flow: str) -> None:
    """Without flow control, or with one that the cable does not carry."""
    with Hp7475a(wired=False) as plotter:
        with pytest.raises(SinkError, match=r"lost data because its buffer overflowed; set the option flow"):
            draw(plotter.target(f"&flow={flow}"))
        assert plotter.lost > 0


def test_the_handshake_comes_first_and_the_start_option_after_the_initialisation() -> None:
    with Hp7475a() as plotter:
        draw(plotter.target("&speed=20&pen=3&start=FS3;%1B.N10;19:"))
        plotter.finish()
        assert plotter.controls[:4] == ["@;0:", "I512;;17:", "N;19:", "E"]
        assert "N10;19:" in plotter.controls
        assert plotter.instructions[:4] == ["IN", "FS3", "SP3", "VS20"]
        assert plotter.instructions[-2:] == ["PU0,0", "SP0"]
