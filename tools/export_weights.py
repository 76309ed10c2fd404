#!/usr/bin/python3
"""Converts a MobileNetV2 checkpoint into a weights file (.msw) and prints what it found and assumed.

In order: options, the source's network, the preprocessing that they and the preset give, the model, the report.
"""

import argparse
import hashlib
import os
import re
import struct
import sys
import tempfile

try:
    import numpy  # noqa: F401, only to tell that it is there
except ModuleNotFoundError:
    print("export_weights: needs python3-numpy: apt-get install python3-numpy", file=sys.stderr)
    sys.exit(4)

import compare_source
import fetch_source
import importers
import msw
from importers.network import MissingPackage, SourceError, open_source, width

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
HALF = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}

# How the usual publishers' models want their pictures.
PRESETS = {
    "torchvision-v1": {"padding": "symmetric", "epsilon": 1e-5, "input_size": 224,
                       "geometry": "crop:256", "resample": "bilinear", **IMAGENET},
    "torchvision-v2": {"padding": "symmetric", "epsilon": 1e-5, "input_size": 224,
                       "geometry": "crop:232", "resample": "bilinear", **IMAGENET},
    "timm": {"padding": "symmetric", "epsilon": 1e-5, "input_size": 224, "geometry": "crop:256",
             "resample": "bicubic", **IMAGENET},
    "keras": {"padding": "same", "epsilon": 1e-3, "input_size": 224, "geometry": "squash",
              "resample": "bilinear", **HALF},
    "tfhub": {"padding": "same", "epsilon": 1e-3, "input_size": 224, "geometry": "squash",
              "resample": "bilinear", **HALF},
    "transformers": {"padding": "same", "epsilon": 1e-3, "input_size": 224, "geometry": "crop:256",
                     "resample": "bilinear", **HALF},
}


# What is fetched by name: whose conventions it follows. It goes to FETCHED unless -o says where.
FETCHES = {"torchvision": "torchvision-v1", "torchvision-v2": "torchvision-v2"}
FETCHED = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "weights",
                       "mobilenet_v2-{}.msw")


class Usage(Exception):
    """Options that make no sense; the text says why."""


def three_numbers(text):
    numbers = tuple(float(part) for part in text.split(","))
    if len(numbers) != 3:
        raise ValueError
    return numbers


def fact(text):
    key, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"[a-z0-9.-]{1,64}", key) or not value.isprintable():
        raise ValueError
    return key, value


def parse_options():
    parser = argparse.ArgumentParser(
        description="Converts a MobileNetV2 checkpoint into a weights file for minisim. Reads "
                    + importers.FORMATS + ".",
        epilog="examples: tools/export_weights.py mobilenet_v2-b0353104.pth -o mine.msw; "
               "tools/export_weights.py --fetch torchvision-v2")
    add = parser.add_argument
    add("source", metavar="SOURCE", nargs="?")
    add("-o", "--output", metavar="FILE.msw")
    add("--fetch", choices=FETCHES,
        help="download the official file, in SOURCE's place (-o: weights/mobilenet_v2-NAME.msw)")
    add("--type", choices=msw.TYPES, default="f32", help="how weights are stored (f32)")
    add("--preset", choices=PRESETS, help="whose conventions the model follows")
    add("--backbone", action="store_true",
        help="take the MobileNetV2 out of a detection or segmentation model")
    add("--keep-classifier", action="store_true",
        help="keep the layer that makes classes of an embedding, for minisim classify")
    add("--input-size", type=int, metavar="N", help="side of the input, a multiple of 32")
    add("--geometry", metavar="squash|crop[:S]|pad[:RRGGBB]", help="how a picture becomes square")
    add("--resample", choices=msw.RESAMPLINGS)
    add("--padding", choices=msw.PADDINGS, help="of the 3 x 3 convolutions")
    add("--epsilon", type=float, metavar="X", help="of BatchNorm")
    add("--mean", type=three_numbers, metavar="R,G,B", help="of values from 0 to 1")
    add("--std", type=three_numbers, metavar="R,G,B")
    add("--check", nargs="+", metavar="PICTURE",
        help="run the source itself on these pictures and compare (ONNX Runtime, PyTorch, TFLite)")
    add("--fact", type=fact, action="append", default=[], metavar="KEY=VALUE",
        help="kept in the file and shown by `minisim info`, such as licence=MIT")
    options = parser.parse_args()
    if (options.source is None) == (options.fetch is None):
        parser.error("one SOURCE, or --fetch")
    if options.fetch:
        options.preset = options.preset or FETCHES[options.fetch]
        options.output = options.output or FETCHED.format(options.fetch)
    if options.output is None:
        parser.error("-o FILE.msw says where to")
    return options


def load(path, backbone):
    """The network of a checkpoint."""
    head = b""
    if not importers.tensorflow.recognises(path, head):
        with open_source(path) as file:
            head = file.read(64)
    for importer in importers.IMPORTERS:
        if importer.recognises(path, head):
            try:
                return importer.load(path, backbone)
            except (LookupError, ValueError, TypeError, ArithmeticError, struct.error) as error:
                # What an importer does not foresee in a damaged file trips it somewhere.
                raise SourceError(f"the file is damaged ({error!s:.120})") from None
    raise SourceError(f"this is none of the files that are read: {importers.FORMATS}")


def decide(options, network):
    """Each setting's value, and where it comes from: an option, the source, the preset."""
    preset = options.preset or network.preset
    origin = f"preset {preset}" if options.preset else f"assumed, as {preset}"
    settings = {key: (value, origin) for key, value in PRESETS[preset].items()}
    for key in ("padding", "input_size", "epsilon"):
        found = getattr(network, key)
        if found is not None:
            settings[key] = (found, "the source")
    named, size = PRESETS[preset]["input_size"], options.input_size or settings["input_size"][0]
    name, _, side = settings["geometry"][0].partition(":")
    if name == "crop" and size != named:
        settings["geometry"] = (f"crop:{round(int(side) * size / named)}",
                                f"assumed: crop:{side} of {preset} at {named}, scaled to {size}")
    for key in settings:
        given = getattr(options, key)
        if given is None:
            continue
        if settings[key][1] == "the source" and key != "input_size" and given != settings[key][0]:
            raise Usage(f"--{key} {given}: the source says {settings[key][0]}")
        settings[key] = (given, "an option")
    return settings


def geometry_of(text, size):
    """(name, crop side, pad colour) of `squash`, `crop[:S]` or `pad[:RRGGBB]`."""
    name, _, value = text.partition(":")
    if name == "squash" and not value:
        return name, 0, 0
    if name == "crop" and re.fullmatch(r"[0-9]{0,4}", value):
        return name, int(value) if value else size * 8 // 7, 0
    if name == "pad" and re.fullmatch(r"([0-9a-fA-F]{6})?", value):
        return name, 0, int(value or "0", 16)
    raise Usage(f"--geometry {text}: expected squash, crop, crop:S, pad or pad:RRGGBB")


def tensors_of(layer, kind):
    """The layer's tensors in the file's order."""
    tensors = []
    for part, values in zip(msw.BN_PARTS, layer.bn or ()):
        tensors.append(msw.make_tensor(f"{layer.name}.bn.{part}", values, "f32"))
    if layer.bias is not None:
        tensors.append(msw.make_tensor(f"{layer.name}.bias", layer.bias, "f32"))
    tensors.append(msw.make_tensor(f"{layer.name}.weight", layer.weight, kind, layer.stride))
    return tensors


def printable(text):
    """What a file holds (names of tensors) cannot steer the terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def facts_of(options, network):
    digest = hashlib.sha256()
    for path in network.files or [options.source]:
        with open(path, "rb") as file:
            while part := file.read(1 << 20):
                digest.update(part)
    name = os.path.basename(options.source.rstrip("/"))
    facts = {"source": printable(name),
             "source-sha256": digest.hexdigest()}
    if width(network) is not None:
        facts["width"] = f"{width(network):g}"
    facts.update(options.fact)
    return facts


def kept_layers(options, network):
    keeps = options.keep_classifier and network.classifier
    return network.layers + [network.classifier] if keeps else network.layers


def build(options, network, settings):
    size = settings["input_size"][0]
    geometry, crop_side, pad_colour = geometry_of(settings["geometry"][0], size)
    return msw.Model(
        input_size=size, padding=settings["padding"][0], geometry=geometry,
        resampling=settings["resample"][0], crop_side=crop_side, pad_colour=pad_colour,
        epsilon=settings["epsilon"][0], mean=settings["mean"][0], std=settings["std"][0],
        facts=facts_of(options, network),
        tensors=[t for layer in kept_layers(options, network)
                 for t in tensors_of(layer, options.type)])


def classifier_line(options, network):
    if not network.rest:
        return "none in the source"
    if network.classifier is None:
        return f"left out: {network.rest}"
    if not options.keep_classifier:
        return f"left out: {network.rest}  (--keep-classifier keeps it)"
    return f"kept, {network.classifier.weight.shape[0]:,} classes: {network.rest}"


def report(options, network, settings, size):
    found = width(network)
    name = fetch_source.ADDRESSES[options.fetch] if options.fetch else options.source
    print(f"{name}: MobileNetV2, width {found if found else 'unknown'}, "
          f"{network.blocks} blocks, embeddings of {network.layers[-1].weight.shape[0]} values")
    folded = "BatchNorm" if any(layer.bn for layer in network.layers) else "BatchNorm folded in"
    print(f"  {'normalisation':<14}{folded}  (the source)")
    strides = "the source" if network.has_graph else "assumed, as the paper has them"
    print(f"  {'strides':<14}2 in the stem and where a stage shrinks  ({strides})")
    print(f"  {'classifier':<14}{printable(classifier_line(options, network))}")
    for note in network.notes:
        print(f"  {'note':<14}{note}")
    if not any(layer.bn for layer in network.layers):
        settings = {key: value for key, value in settings.items() if key != "epsilon"}
    for key, (value, origin) in settings.items():
        text = ", ".join(f"{x:g}" for x in value) if isinstance(value, tuple) else value
        print(f"  {key.replace('_', ' '):<14}{text}  ({origin})")
    print(f"wrote {options.output}: {size:,} bytes, {options.type}")


def fail(name, cause, status):
    print(printable(f"export_weights: {name}: {cause}"), file=sys.stderr)
    return status


def convert(options):
    """From options.source to options.output; gives the exit status."""
    try:
        network = load(options.source, options.backbone)
        settings = decide(options, network)
        model = build(options, network, settings)
    except Usage as error:
        print(f"export_weights: {error}", file=sys.stderr)
        return 2
    except (SourceError, msw.FormatError) as error:
        return fail(options.source, error, 3)
    except OSError as error:
        return fail(options.source, error.strerror, 3)
    except MissingPackage as error:
        return fail(options.source, f"needs {error}: apt-get install {error}", 4)
    except MemoryError:
        return fail(options.source, "not enough memory", 4)
    try:
        size = msw.write(options.output, model)
    except msw.FormatError as error:
        return fail(options.source, error, 3)
    except OSError as error:
        return fail(options.output, error.strerror, 4)
    except MemoryError:
        return fail(options.source, "not enough memory", 4)
    report(options, network, settings, size)
    if options.check:
        try:
            return compare_source.compare(options.source, network, model, options.output,
                                          options.check)
        except compare_source.Unable as error:
            print(f"export_weights: {error}", file=sys.stderr)
            return 4
    return 0


def main():
    options = parse_options()
    if not options.fetch:
        return convert(options)
    address = fetch_source.ADDRESSES[options.fetch]
    try:
        with tempfile.TemporaryDirectory() as folder:
            options.source = fetch_source.fetch(address, folder)
            return convert(options)
    except fetch_source.WrongHash as error:
        return fail(address, error, 3)
    except fetch_source.Unable as error:
        return fail(address, f"{error}; get it by other means and name the file as SOURCE", 4)


if __name__ == "__main__":
    sys.exit(main())
