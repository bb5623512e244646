"""The recipe of the shipped model: a French telephone corpus, its synthesis, training, export and measurement.

Nothing here is imported by ``V3``. Run ``python -m training --help`` for the steps in their order. Every step is
deterministic from its seed and leaves files that the next step reads; a step that is run again goes on where it was.
"""

__all__: list[str] = []
