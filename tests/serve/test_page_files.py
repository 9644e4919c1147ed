"""The list of the files of the web page."""

from vrnn_engine.serve.web.page_files import page_files, runtime_files


def test_the_list_has_the_player_and_leaves_onnxruntime_out() -> None:
    files = page_files()
    assert files["player/player.js"].read_text().startswith("// @ts-check")
    assert not any(name.startswith("vendor/") for name in files)


def test_the_files_of_onnxruntime_are_below_vendor() -> None:
    assert {name for name in runtime_files() if name.endswith("js")} == {
        "vendor/onnxruntime-web/ort.wasm.min.js",
        "vendor/onnxruntime-web/ort-wasm-simd-threaded.js",
    }
    assert all(name.startswith("vendor/onnxruntime-web/") and path.is_file() for name, path in runtime_files().items())
