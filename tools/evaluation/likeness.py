"""Whether pictures of one class lie close together: each picture is a query among all the others."""

import numpy as np

RANKS = (1, 5, 10)
QUERIES_AT_ONCE = 256


def unit(rows):
    """The rows scaled to length 1, in f32; a row of zeros stays."""
    rows = rows.astype(np.float64)
    lengths = np.sqrt((rows * rows).sum(1, keepdims=True))
    return (rows / np.maximum(lengths, 1e-30)).astype(np.float32)


def measure(rows, classes):
    """{"mean_average_precision": x, "recall": {rank: x}} of rows [N, values] and classes [N].

    Queries are the pictures with another one of their class. Recall at k is the share of them that
    have one among their k nearest; at 1 that is the accuracy of the nearest neighbour. Average
    precision is the mean, over a query's like, of the share of like pictures up to each.
    """
    rows, classes = unit(rows), np.asarray(classes)
    precisions, found = [], {rank: [] for rank in RANKS}
    for start in range(0, len(rows), QUERIES_AT_ONCE):
        queries = np.arange(start, min(start + QUERIES_AT_ONCE, len(rows)))
        near = rows[queries] @ rows.T
        near[np.arange(len(queries)), queries] = -np.inf  # itself comes last, and is cut off
        order = np.argsort(-near, axis=1, kind="stable")[:, :-1]
        like = classes[order] == classes[queries, None]
        like = like[like.any(1)]
        precision = np.cumsum(like, 1) / np.arange(1, like.shape[1] + 1)
        precisions.extend((precision * like).sum(1) / like.sum(1))
        for rank in RANKS:
            found[rank].extend(like[:, :rank].any(1))
    return {"mean_average_precision": float(np.mean(precisions)),
            "recall": {rank: float(np.mean(found[rank])) for rank in RANKS}}


def mean_cosine(rows, teacher):
    """How near rows [N, values] are to the teacher's of the same pictures; None where values are other ones."""
    if rows.shape != teacher.shape:
        return None
    return float((unit(rows) * unit(teacher)).sum(1).mean())
