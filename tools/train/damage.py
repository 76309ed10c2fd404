"""What the student gets to see of a view: mirrored, and a little worse than what the teacher saw.

So that a copy's embedding stays near the picture's. The changes are mild, since the teacher's
embedding of the clean view remains what is asked for.
"""

import io

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps


def _colours(random, picture):
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        picture = enhance(picture).enhance(random.uniform(0.7, 1.35))
    return picture


def _grey(random, picture):
    return picture.convert("L").convert("RGB")


def _blur(random, picture):
    return picture.filter(ImageFilter.GaussianBlur(random.uniform(0.4, 1.5)))


def _border(random, picture):
    width = max(1, round(random.uniform(0.02, 0.08) * picture.width))
    colour = random.choice([(255, 255, 255), (0, 0, 0), tuple(random.integers(0, 256, 3))])
    return ImageOps.expand(picture, width, tuple(int(c) for c in colour))


def _jpeg(random, picture):
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=int(random.integers(20, 90)))
    return Image.open(stream).convert("RGB")


# In this order, each with its chance.
CHANGES = ((ImageOps.mirror, 0.5), (_colours, 0.5), (_grey, 0.12), (_blur, 0.1), (_border, 0.2),
           (_jpeg, 0.25))


def damage(random, view, side):
    """[side, side, 3] u8 of a view [S, S, 3] u8; random is NumPy's generator."""
    picture = Image.fromarray(view)
    for change, chance in CHANGES:
        if random.random() < chance:
            picture = change(picture) if change is ImageOps.mirror else change(random, picture)
    return np.asarray(picture.resize((side, side), Image.BILINEAR))
