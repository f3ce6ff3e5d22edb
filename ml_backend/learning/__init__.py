"""What judgments teach: a light model over frozen encoders, one for each Label Studio project.

Two parts, each kept only where queries that it was not fitted to say that it helps:
`calibration` turns a candidate's score into the chances of the rules' grades; `adapter` corrects the score itself by
the vectors of query and item. Without them scores and grades are what they were before anybody judged.
"""

from ml_backend.learning.learner import Outcome, learn, shelf_of
from ml_backend.learning.versions import BASE, Learned, Shelf

__all__ = ["BASE", "Learned", "Outcome", "Shelf", "learn", "shelf_of"]
