"""The student: MobileNetV2 without its classifier, in torchvision's names. Blocks and widths are sample_network's."""

import torch
from torch import nn

from sample_network import STAGES, rounded


class Clamp(torch.autograd.Function):
    """0 to 6. Torch's own ReLU6 has no way back in bfloat16 on a CPU (torch 1.13)."""

    @staticmethod
    def forward(context, x):
        context.mark_dirty(x)
        x.clamp_(0, 6)
        context.save_for_backward(x)
        return x

    @staticmethod
    def backward(context, slope):
        (y,) = context.saved_tensors
        below = torch.ops.aten.threshold_backward
        return below(below(slope, y, 0), 6 - y, 0)


class ReLU6(nn.Module):
    def forward(self, x):
        return Clamp.apply(x)


def convolution(inputs, outputs, kernel=1, stride=1, groups=1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs), ReLU6())


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        wide = inputs * expansion
        self.adds = stride == 1 and inputs == outputs
        expand = [convolution(inputs, wide)] if expansion > 1 else []
        self.conv = nn.Sequential(*expand, convolution(wide, wide, 3, stride, wide),
                                  nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return x + self.conv(x) if self.adds else self.conv(x)


class Student(nn.Module):
    """f32 [N, 3, S, S] from -1 to 1 to embeddings [N, 1280], more at widths above 1."""

    def __init__(self, width):
        super().__init__()
        channels = rounded(32 * width)
        layers = [convolution(3, channels, 3, 2)]
        for expansion, outputs, repeats, stride in STAGES:
            for repeat in range(repeats):
                layers.append(Block(channels, rounded(outputs * width), stride if repeat == 0 else 1,
                                    expansion))
                channels = rounded(outputs * width)
        layers.append(convolution(channels, max(1280, rounded(1280 * width))))
        self.features = nn.Sequential(*layers)
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, mode="fan_out")

    def forward(self, x):
        return self.features(x).float().mean((2, 3))
