"""The search for a strength."""

STEEPEST, FLATTEST = 4.0, 0.25  # readings may rise by so much for a strength of one
LONGEST = 4.0  # strengths that one step may go


class Search:
    """The secant method for one attribute, told what is missing after each strength."""

    def __init__(self):
        self._before = None
        self._slope = 1.0

    def next(self, strength, missing, allowed):
        """The strength to try next.

        missing: what the reading lacks, in standard deviations. allowed: the lowest and the highest strength.
        """
        if self._before is not None and abs(strength - self._before[0]) > 1e-4:
            slope = (self._before[1] - missing) / (strength - self._before[0])
            self._slope = min(max(slope, FLATTEST), STEEPEST)
        self._before = (strength, missing)
        step = min(max(missing / self._slope, -LONGEST), LONGEST)
        return min(max(strength + step, allowed[0]), allowed[1])
