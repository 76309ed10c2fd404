"""One module for each kind of checkpoint; `network` is what all of them hand on.

An importer has `recognises(path, head)`, told the file's first bytes (none of a folder), and `load(path,
backbone)`, which gives a network.Network or raises network.SourceError; with `backbone` true it takes the
MobileNetV2 out of something larger. A further format is one more file and one more name in IMPORTERS.
"""

from . import keras, onnx, safetensors, tensorflow, tflite, torch_pth

IMPORTERS = (tensorflow, keras, onnx, safetensors, torch_pth, tflite)
FORMATS = (".pth, .safetensors, .h5, .weights.h5, .keras, .onnx, .tflite, a TensorFlow SavedModel or "
           "checkpoint")
