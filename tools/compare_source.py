"""Runs a checkpoint in the program it was made for and holds minisim against it (export_weights.py --check).

Each picture is prepared here once, with Pillow, as the weights say; the source and minisim get the same
pixels, so what is compared is the network alone. Runners: ONNX Runtime (Python's, or Node's onnxruntime-node),
PyTorch for torchvision's names, TensorFlow Lite.
In order: pixels, the runners, minisim, the report.
"""

import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np

NEAR = 1e-3  # of the largest value; a source that computes in integers may differ more


class Unable(Exception):
    """What is missing, and how to get it."""


# ---- pixels --------------------------------------------------------------------------------------


def square(path, model):
    """[S, S, 3] of bytes, as the weights want them."""
    try:
        from PIL import Image, ImageOps
    except ModuleNotFoundError:
        raise Unable("--check needs python3-pil: apt-get install python3-pil") from None
    filters = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}
    if model.resampling not in filters:
        raise Unable(f"--check cannot resize as {model.resampling} does")
    size = model.input_size
    try:
        picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise Unable(f"{path}: {error}") from None
    wide, high = picture.size
    if model.geometry == "squash":
        scaled = (size, size)
    elif model.geometry == "crop":
        short = min(wide, high)
        scaled = (model.crop_side * wide // short, model.crop_side * high // short)
    else:
        scaled = tuple(max(1, round(size * extent / max(wide, high))) for extent in (wide, high))
    picture = picture.resize(scaled, filters[model.resampling])
    if model.geometry == "crop":
        left, top = (round((extent - size) / 2) for extent in scaled)
        picture = picture.crop((left, top, left + size, top + size))
    elif model.geometry == "pad":
        whole = Image.new("RGB", (size, size), f"#{model.pad_colour:06x}")
        whole.paste(picture, ((size - scaled[0]) // 2, (size - scaled[1]) // 2))
        picture = whole
    return np.asarray(picture)


def values(pixels, model):
    """[N, S, S, 3] f32 of what the network takes."""
    return ((pixels / 255.0 - np.array(model.mean)) / np.array(model.std)).astype(np.float32)


# ---- the runners: [N, dimension] of values [N, S, S, 3] ------------------------------------------

NODE = """const ort = require('onnxruntime-node'), fs = require('fs');
const [model, input, output, name, key, ...dims] = process.argv.slice(1);
const shape = dims.map(Number), size = shape.reduce((a, b) => a * b);
(async () => {
  const session = await ort.InferenceSession.create(model);
  const raw = fs.readFileSync(input), all = new Float32Array(raw.buffer, raw.byteOffset, raw.length / 4);
  const out = fs.openSync(output, 'w');
  for (let at = 0; at < all.length; at += size) {
    const feeds = {[key]: new ort.Tensor('float32', all.slice(at, at + size), shape)};
    const found = (await session.run(feeds, [name]))[name];
    fs.writeSync(out, Buffer.from(found.data.buffer, found.data.byteOffset, found.data.byteLength));
  }
})().catch(error => { console.error(String(error)); process.exit(1); });"""


def _field(number, data):
    size, head = len(data), bytes([number << 3 | 2])
    while size > 127:
        head, size = head + bytes([size & 127 | 128]), size >> 7
    return head + bytes([size]) + data


def _onnx(path, network, x):
    """The model with the pooled tensor as one more output: messages are merged when one follows another."""
    with open(path, "rb") as file:
        data = file.read() + _field(7, _field(12, _field(1, network.output.encode())))
    if network.input_layout == "NCHW":
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    maps = _onnx_python(data, network, x) or _onnx_node(data, network, x)
    if maps is None:
        raise Unable("--check needs ONNX Runtime for .onnx: pip install onnxruntime, or npm install "
                     "onnxruntime-node (and NODE_PATH to its node_modules)")
    channels = network.layers[-1].weight.shape[0]
    maps = np.stack([np.asarray(m, np.float64).reshape(-1) for m in maps])
    # [channels, side * side]: the pooled tensor is NCHW in every graph that is read.
    return maps.reshape(len(maps), channels, -1).mean(2)


def _onnx_python(data, network, x):
    try:
        import onnxruntime
    except ModuleNotFoundError:
        return None
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return [session.run([network.output], {network.input: row[None]})[0] for row in x]


def _onnx_node(data, network, x):
    node = shutil.which("node")
    if node is None or subprocess.run([node, "-e", "require('onnxruntime-node')"], check=False,
                                      capture_output=True).returncode:
        return None
    with tempfile.TemporaryDirectory() as folder:
        model, pixels, output = (os.path.join(folder, n) for n in ("model.onnx", "in", "out"))
        with open(model, "wb") as file:
            file.write(data)
        x.tofile(pixels)
        run = subprocess.run([node, "-e", NODE, model, pixels, output, network.output, network.input,
                              "1", *map(str, x.shape[1:])], capture_output=True, text=True, check=False)
        if run.returncode:
            raise Unable(f"ONNX Runtime: {run.stderr.strip().splitlines()[-1]:.200}")
        return np.fromfile(output, np.float32).reshape(len(x), -1)


def _torch(path, epsilon, x):
    """torchvision's MobileNetV2, layer by layer, from the state dict as torch itself loads it."""
    try:
        import torch
    except ModuleNotFoundError:
        raise Unable("--check needs python3-torch for .pth: apt-get install python3-torch") from None
    state = torch.load(path, map_location="cpu", weights_only=True)
    while not any(torch.is_tensor(v) for v in state.values()):
        state = next(v for v in state.values() if isinstance(v, dict) and v)
    front = [name.removesuffix("0.0.weight") for name in state if name.endswith("0.0.weight")
             and state[name].ndim == 4]
    if not front or f"{front[0]}1.conv.0.0.weight" not in state:
        raise Unable("--check runs .pth files in torchvision's names only")
    state = {name.removeprefix(front[0]): v.double() for name, v in state.items() if torch.is_tensor(v)}

    def layer(x, conv, norm, stride=1, relu6=True):
        weight = state[f"{conv}.weight"]
        groups = x.shape[1] if weight.shape[1] == 1 else 1
        x = torch.nn.functional.conv2d(x, weight, state.get(f"{conv}.bias"), stride,
                                       weight.shape[2] // 2, groups=groups)
        if f"{norm}.running_var" in state:
            x = torch.nn.functional.batch_norm(
                x, *(state[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight",
                                                          "bias")), False, 0, epsilon)
        return x.clamp(0, 6) if relu6 else x

    with torch.no_grad():
        y = layer(torch.from_numpy(x.transpose(0, 3, 1, 2)).double(), "0.0", "0.1", 2)
        for block in range(1, 18):
            at, before, step = f"{block}.conv", y, 0
            stride = 2 if block in (2, 4, 7, 14) else 1
            if state.get(f"{at}.2.weight", torch.zeros(1)).ndim == 4:
                y, step = layer(y, f"{at}.0.0", f"{at}.0.1"), 1
            y = layer(y, f"{at}.{step}.0", f"{at}.{step}.1", stride)
            y = layer(y, f"{at}.{step + 1}", f"{at}.{step + 2}", relu6=False)
            if stride == 1 and y.shape == before.shape:
                y = y + before
        return layer(y, "18.0", "18.1").mean((2, 3)).numpy()


def _tflite(path, network, x):
    for module in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
        try:
            interpreter = __import__(module, fromlist=["Interpreter"]).Interpreter(
                model_path=path, experimental_preserve_all_tensors=True)
            break
        except ModuleNotFoundError:
            continue
    else:
        raise Unable("--check needs TensorFlow Lite for .tflite: pip install tflite-runtime")
    interpreter.allocate_tensors()
    taken = interpreter.get_input_details()[0]
    tensors = {t["index"]: t for t in interpreter.get_tensor_details()}
    found = []
    for row in x:
        scale, zero = taken["quantization"]
        if scale:
            limits = np.iinfo(taken["dtype"])
            row = np.clip(np.rint(row / scale) + zero, limits.min, limits.max).astype(taken["dtype"])
        interpreter.set_tensor(taken["index"], row[None])
        interpreter.invoke()
        maps = interpreter.get_tensor(network.output).astype(np.float64)
        scale, zero = tensors[network.output]["quantization"]
        found.append((maps if not scale else scale * (maps - zero)).mean((0, 1, 2)))
    return np.array(found)


def _run(path, network, epsilon, x):
    if path.endswith(".onnx"):
        return _onnx(path, network, x)
    if path.endswith(".tflite"):
        return _tflite(path, network, x)
    if path.endswith((".pth", ".pt")):
        return _torch(path, epsilon, x)
    raise Unable("--check runs .onnx, .tflite and .pth; for this kind of file there is no runner")


# ---- minisim -------------------------------------------------------------------------------------


def _minisim(weights, pixels):
    program = os.environ.get("MINISIM") or os.path.join(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__))), "build", "minisim")
    program = program if os.path.exists(program) else shutil.which("minisim")
    if program is None:
        raise Unable("--check needs minisim: make")
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for i, picture in enumerate(pixels):
            paths.append(os.path.join(folder, f"{i}.ppm"))
            with open(paths[-1], "wb") as file:
                file.write(b"P6 %d %d 255\n" % picture.shape[1::-1] + picture.tobytes())
        run = subprocess.run([program, "embed", "--weights", weights, "--format", "f32",
                              "--preprocessed", *paths], capture_output=True, check=False)
        if run.returncode:
            raise Unable(run.stderr.decode("utf-8", "replace").strip()[:200])
        return np.frombuffer(run.stdout, "<f4").reshape(len(paths), -1)


# ---- the report ----------------------------------------------------------------------------------


def compare(source, network, model, weights, pictures):
    """Prints a line a picture; gives 10 where one differs, else 0. Raises Unable."""
    pixels = np.stack([square(path, model) for path in pictures])
    theirs = _run(source, network, model.epsilon, values(pixels, model))
    ours = _minisim(weights, pixels).astype(np.float64)
    worst = 0.0
    for path, a, b in zip(pictures, ours, theirs):
        lengths = np.linalg.norm(a) * np.linalg.norm(b)
        cosine = a @ b / lengths if lengths else float("nan")
        difference = np.abs(a - b).max() / max(np.abs(b).max(), 1e-30)
        worst = max(worst, difference)
        print(f"check {path}: cosine {cosine:.7f}, largest difference {difference:.2g} of the largest "
              "value")
    if worst > NEAR:
        print(f"check: differs by {worst:.2g} (more than {NEAR:g}; a source that computes in integers "
              "does)", file=sys.stderr)
        return 10
    return 0
