"""What a search, and indexing on a CPU, need of a model: sentences and clips to vectors, in numpy.

Nothing here imports torch, so that a question is answered, or an unchanged folder looked through, sooner than
torch is imported. What computes has a twin in `hgrkit.model.text` or `hgrkit.model.video`, which train; the tests
hold the two to the same numbers.
"""
