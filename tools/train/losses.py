"""How far the student is from its teacher; all parts are 0 where they agree."""

import torch
from torch.nn import functional

# How far from the mean the student is asked to go, of the teacher's way. A student as far from it as its teacher makes
# up what it cannot tell of new classes: such embeddings came nearer to the teacher's, by cosine, when drawn back so far.
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
