#!/usr/bin/python3
"""OpenCV's dnn module, for tools/bench-peers: opencv.py NETWORK PIXELS THREADS RUNS."""

import statistics
import sys
import time

import cv2
import numpy as np

WARM_UP = 20

network, pixels, threads, runs = sys.argv[1:]
cv2.setNumThreads(int(threads))
net = cv2.dnn.readNetFromONNX(network + ".onnx")
values = np.fromfile(pixels + ".f32", "<f4")
side = round((values.size / 3) ** 0.5)
values = np.ascontiguousarray(values.reshape(1, side, side, 3).transpose(0, 3, 1, 2))
times = []
for i in range(-WARM_UP, int(runs)):
    net.setInput(values)
    start = time.perf_counter()
    embedding = net.forward()
    if i >= 0:
        times.append(1e3 * (time.perf_counter() - start))
print(cv2.__version__, statistics.median(times), min(times), *embedding.ravel())
