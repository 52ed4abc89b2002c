"""What a search needs of a model: sentences to vectors, in numpy, from the files of a model folder.

Nothing here imports torch, so that a question is answered sooner than torch is imported. What computes has a twin
of the same name in `hgrkit.model.text`, which trains; `tests/query` holds the two to the same numbers.
"""
