"""People as judges of predicted children: a study is prepared into a folder, served as a page, and analysed.

`prepare` makes the pictures, `design` says what each participant is shown, `app` shows it, `answers` keeps what they
say, and `analysis` makes figures of it.
"""

from kinblend.study.analysis import analyze
from kinblend.study.answers import Answer, read_answers
from kinblend.study.design import Trial, trials_of
from kinblend.study.folder import Couple, Design, Study

__all__ = ["Answer", "Couple", "Design", "Study", "Trial", "analyze", "read_answers", "trials_of"]
