"""What the default model learns from: photographs, captions, foils, names of classes, and captions of one clip."""

from __future__ import annotations

from pathlib import Path

import attrs
from class_pictures import NamedPictures
from photographs import FrameNetwork, Photographs
from recipe import FOIL_CAPS, Recipe
from sentences import Foils, Paraphrases, Sentences, read_clip_captions

from hgrkit.model.text.sentence_encoder import SentenceTextEncoder

__all__ = ["Material", "read_material"]


@attrs.frozen(kw_only=True, eq=False)
class Material:
    """What the model learns from; paraphrases and classes only where a recipe gives them weight."""

    photographs: Photographs
    captions: Sentences
    paraphrases: Paraphrases | None
    foils: Foils
    classes: NamedPictures | None = None

    @property
    def fingerprint(self) -> list[str]:
        """What changes with anything that is learned from."""
        read = [self.captions, self.foils.sentences]
        if self.paraphrases is not None:
            read.append(self.paraphrases.sentences)
        if self.classes is not None:
            read.append(self.classes.phrases)
        return [self.photographs.fingerprint, *(sentences.fingerprint for sentences in read)]


def read_material(
    data: Path, network: FrameNetwork, text: SentenceTextEncoder, cache: Path, recipe: Recipe
) -> Material:
    """Everything that is learned from, read once and cached."""
    photographs = Photographs.read(data / "flickr8k", network, cache, augmented_views=recipe.augmented_views)
    captions = photographs.texts
    to_foil: dict[str, list[tuple[int, str]]] = {}
    for photograph, caption in photographs.pairs("train"):
        to_foil.setdefault(photographs.names[photograph], []).append((int(caption), captions[caption]))
    paraphrases = None
    if recipe.paraphrase_weight:
        clips = read_clip_captions(data / "msvd/captions_all_1877.json", left_out=data / "msvd/captions.json")
        paraphrases = Paraphrases.of(clips, text, cache)
    return Material(
        photographs=photographs,
        captions=Sentences.read(captions, text, cache),
        paraphrases=paraphrases,
        foils=Foils.make(to_foil, text, cache, most=FOIL_CAPS),
        classes=NamedPictures.read(photographs, text, cache) if recipe.class_weight else None,
    )
