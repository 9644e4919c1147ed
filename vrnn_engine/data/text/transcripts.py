"""Cleans the transcripts of handwriting corpora, so that they contain what the ink contains."""

import re


def clean_transcript(text: str) -> str:
    r"""Return a transcript as the ink has it.

    The transcripts of UNIPEN escape quotation marks.  Those of some contributors have spaces before punctuation marks,
    or between all digits of a number, which the ink lacks.  A few repeat quotation marks that the ink has once.

    Parameters
    ----------
    text : str
        A transcript as the corpus has it.

    Examples
    --------
    >>> clean_transcript('He said , \\"no\\" .')
    'He said, "no".'
    """
    text = re.sub(r"\s+", " ", text.replace('\\"', '"')).strip()
    tokens = text.split(" ")
    if len(tokens) > 2 and all(len(token) == 1 for token in tokens) and any(token.isdigit() for token in tokens):
        return "".join(tokens)
    text = re.sub(r" ([.,;:?!)])", r"\1", text)
    text = re.sub(r"\( ", "(", text)
    text = re.sub(r"(?<=[A-Za-z]) - (?=[A-Za-z])", "-", text)
    text = re.sub(r" '(s|ve|d|ll|re|m|t)\b", r"'\1", text)
    text = re.sub(r'\s*" ?"+', "", text)
    return re.sub(r'^" (.*) "$', r'"\1"', text)
