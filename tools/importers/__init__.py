"""One module for each kind of checkpoint; `network` is what all of them hand on.

An importer has `recognises(path, head)`, told the file's first bytes, and `load(path)`, which gives
a network.Network or raises network.SourceError. A further format is one more file and one more name
in IMPORTERS.
"""

from . import tflite, torch_pth

IMPORTERS = (torch_pth, tflite)
