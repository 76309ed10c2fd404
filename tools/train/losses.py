"""How far the student is from its teacher; all parts are 0 where they agree."""

import torch
from torch.nn import functional

# What the student cannot tell of a picture it shall not make up: an embedding nearer to the mean is nearer to the
# teacher's by cosine, where classes are new. With all of the distance, students went astray by a third of it.
SHARE = 0.7


class Loss:
    """Takes embeddings of student and teacher, [N, values] each. `mean` [values] is the teacher's, over
    all views; `classifier` is its (weight [classes, values], bias [classes]), or None."""

    def __init__(self, mean, classifier):
        self.mean, self.classifier = mean, classifier

    def __call__(self, student, teacher):
        """The parts by name, weighted; their sum is what training lowers."""
        near = functional.cosine_similarity
        teacher = self.mean + SHARE * (teacher - self.mean)
        parts = {
            "cosine": 2 * (1 - near(student, teacher)).mean(),
            "centred": 2 * (1 - near(student - self.mean, teacher - self.mean)).mean(),
            "likeness": 10 * (likeness(student) - likeness(teacher)).square().mean(),
            "values": 2 * functional.smooth_l1_loss(student, teacher)}
        if self.classifier:
            told, wanted = (functional.log_softmax(torch.addmm(
                self.classifier[1], rows, self.classifier[0].T), 1) for rows in (student, teacher))
            parts["classes"] = 0.4 * functional.kl_div(told, wanted, reduction="batchmean",
                                                       log_target=True)
        return parts


def likeness(rows):
    """[N, N]: every picture's cosine to every other one of the batch."""
    unit = functional.normalize(rows)
    return unit @ unit.T
