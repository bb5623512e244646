"""Wishes not to be called again, and what sounds like one."""

from __future__ import annotations

import pytest

from V3.calls.opt_out import find_opt_out
from V3.calls.words import fold_words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ne m'appelez plus", "ne m appelez plus"),
        ("m'appelez plus jamais", "m appelez plus jamais"),
        ("vous ne me rappelez plus s'il vous plaît", "ne me rappelez plus"),
        ("ne nous téléphonez plus", "ne nous telephonez plus"),
        ("ne m'appelez pas", "ne m appelez pas"),
        ("ne rappelez plus", "ne rappelez plus"),
        ("merci de ne plus m'appeler", "plus m appeler"),
        ("plus jamais vous m'appelez", "plus jamais vous m appelez"),
        ("je vous ai déjà dit de ne plus appeler", "plus appeler"),
        ("je veux plus être appelé", "plus etre appele"),
        ("je ne souhaite plus être contactée", "plus etre contactee"),
        ("je veux plus qu'on m'appelle", "plus qu on m appelle"),
        ("je ne veux plus que vous me dérangiez", "plus que vous me derangiez"),
        ("je ne veux plus de vos appels", "plus de vos appels"),
        ("plus d'appels", "plus d appels"),
        ("je ne veux plus entendre parler de vous", "plus entendre parler de vous"),
        ("retirez-moi de votre liste", "retirez moi de votre liste"),
        ("retirer moi de la liste", "retirer moi de la liste"),  # how a recogniser may write it
        ("vous pouvez me supprimer de tous vos fichiers", "me supprimer de tous vos fichiers"),
        ("je voudrais être retiré de vos listes", "etre retire de vos listes"),
        ("enlevez-moi tout de suite de ce fichier", "enlevez moi tout de suite de ce fichier"),
        ("supprimez mon numéro", "supprimez mon numero"),
        ("supprimé mon numéro", "supprime mon numero"),
        ("effacez mes coordonnées", "effacez mes coordonnees"),
        ("ça m'intéresse pas supprimez mon numéro", "supprimez mon numero"),
        ("désinscrivez-moi", "desinscrivez moi"),
        ("je veux me désabonner", "me desabonner"),
        ("arrêtez de m'appeler", "arretez de m appeler"),
        ("arrêtez donc de me harceler", "arretez donc de me harceler"),
        ("j'aimerais que vous arrêtiez de m'appeler", "arretiez de m appeler"),
        ("vous pouvez cesser de me relancer", "cesser de me relancer"),
        ("arrêtez un peu d'appeler", "arretez un peu d appeler"),
        ("évitez de m'appeler", "evitez de m appeler"),
        ("arrêtez vos appels", "arretez vos appels"),
        ("j'en ai marre de vos appels", "marre de vos appels"),
        ("ne composez plus ce numéro", "ne composez plus"),
        ("vous n'avez pas le droit de m'appeler", "pas le droit de m appeler"),
        ("je vous interdis de me rappeler", "interdis de me rappeler"),
        ("je n'autorise pas que vous m'appeliez", "autorise pas que vous m appeliez"),
        ("je refuse tout démarchage", "refuse tout demarchage"),
        ("n'essayez plus de me joindre", "essayez plus de me joindre"),
        ("plus la peine de me rappeler", "plus la peine de me rappeler"),
        ("je ne veux pas être dans votre fichier", "pas etre dans votre fichier"),
        ("que je ne sois plus appelé", "sois plus appele"),
        ("je veux que mon numéro soit supprimé", "mon numero soit supprime"),
        ("je demande la suppression de mes données", "suppression de mes donnees"),
        ("ne gardez pas mon numéro", "gardez pas mon numero"),
        ("désinscription", "desinscription"),
        ("oubliez-moi", "oubliez moi"),
        ("je vous demande d'arrêter", "demande d arreter"),
        ("je vais porter plainte", "porter plainte"),
        ("stop aux appels", "stop aux appels"),
        ("fichez-moi la paix", "fichez moi la paix"),
        ("laissez nous tranquilles", "laissez nous tranquilles"),
        ("c'est la dernière fois que vous m'appelez", "derniere fois que vous m appelez"),
        ("je m'oppose à ces appels", "je m oppose a"),
        ("au titre du RGPD", "rgpd"),
        ("je suis inscrit sur bloctel", "bloctel"),
        ("je suis sur bloc tel", "bloc tel"),
        ("je saisis la CNIL", "cnil"),
        ("j'exerce mon droit d'opposition", "droit d opposition"),
        ("mettez-moi sur liste noire", "liste noire"),
        ("j'ai pas le temps ne m'appelez plus", "ne m appelez plus"),
    ],
)
def test_wishes(text: str, found: str) -> None:
    words = fold_words(text)
    span = find_opt_out(words)
    assert span is not None
    assert " ".join(words[slice(*span)]) == found


@pytest.mark.parametrize(
    "text",
    [
        "j'ai pas supprimé le message",
        "j'ai supprimé mon numéro",
        "on a supprimé mes données",
        "il a effacé mes données",
        "j'ai été retiré de la liste",
        "j'ai retiré mes lunettes",
        "je n'ai pas demandé à être retiré de la liste",
        "je ne suis pas sur Bloctel",
        "vous m'appelez plus tard",
        "vous pouvez me rappeler plus tard",
        "ne m'appelez plus avant dix-huit heures",
        "ne m'appelez pas maintenant",
        "ne me rappelez pas ce soir",
        "ne m'appelez plus au travail",
        "vous n'arrêtez pas de m'appeler",
        "vous avez arrêté de m'appeler",
        "je vous demande d'arrêter la musique",
        "j'attends plus d'appels que ça",
        "je refuse de payer",
        "j'ai arrêté de travailler",
        "elle ne m'appelle plus",
        "vous m'avez déjà appelé",
        "on m'appelle souvent",
        "je m'appelle Jean",
        "j'ai plus de batterie",
        "plus tard",
        "je vous rappelle",
        "la liste est longue",
        "laissez-moi deux minutes",
        "laissez-moi un message",
        "arrêtez la musique",
        "non",
        "",
    ],
)
def test_what_is_no_such_wish(text: str) -> None:
    assert find_opt_out(fold_words(text)) is None


@pytest.mark.parametrize(
    "text", ["ne m'appelez pas madame, appelez-moi Sophie", "c'est quoi, Bloctel ?", "vous pouvez me rappeler la date"]
)
def test_a_name_or_a_question_is_no_wish(text: str) -> None:
    assert find_opt_out(fold_words(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "ne m'appelez pas, appelez-moi plus jamais",
        "c'est quoi ça, je suis sur Bloctel",
        "stop, plus de démarchage",
        "non merci, et rappelez plus",
        "je veux sortir de vos listes",
        "je vous interdis d'utiliser mon numéro",
    ],
)
def test_a_wish_beside_them_is_one_still(text: str) -> None:
    assert find_opt_out(fold_words(text)) is not None
