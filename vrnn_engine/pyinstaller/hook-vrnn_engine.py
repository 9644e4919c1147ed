"""PyInstaller's hook of this package: the bundled voices, the web page, and the modules that are imported by name.

It leaves out what only training, evaluation and the command line need.
"""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

datas = collect_data_files("vrnn_engine", includes=["voices/**", "serve/static/**"])
hiddenimports = [*collect_submodules("vrnn_engine.runtime"), *collect_submodules("vrnn_engine.base")]
excludedimports = ["torch", "onnx", "onnxscript", "scipy", "matplotlib"]
