"""Finds the files in which a graph of a voice keeps its large tensors, which a browser has to load beside the graph."""

from vrnn_engine.runtime.voice.graph_file.weights import open_graph
from vrnn_engine.runtime.voice.manifest import Graph
from vrnn_engine.runtime.voice.voice import Voice


def weights_of(voice: Voice, graph: Graph) -> dict[str, int | None]:
    """Return the files in which a graph of a voice keeps its tensors.

    Parameters
    ----------
    voice : Voice
    graph : Graph
        One of its graphs.

    Returns
    -------
    dict of str to int or None
        Path relative to the voice's folder -> number of bytes from the file's start to the end of the last tensor in
        it; None if a tensor reaches to the end of the file.

    Raises
    ------
    VoiceError
        The graph cannot be read, or reads a file that the manifest does not list.
    """
    return open_graph(voice.path, graph, voice.manifest, str(voice.path / graph.file))[1]
