"""Whether somebody asks not to be called again. A core: rules over folded words.

It must be understood whatever a scenario listens for, in any wording ("ne m'appelez plus", "retirez-moi de votre
liste", a mention of Bloctel), and nothing else may be taken for it ("j'ai pas supprimé le message", "vous m'appelez
plus tard"). So a rule names the verb, its person and its object; "ne" is optional, as in speech. "Supprimez",
"supprimer" and "supprimé" sound alike: a recogniser may write any of them, and only after an auxiliary ("j'ai") or a
negation is it no request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["find_opt_out"]

_ME = r"(?:m|me|nous)"
_CALL = r"(?:r?appel|telephon|r?e?contact|derang|embet|harcel|sollicit|demarch|relanc|saoul|soul|envoy)"
_YOU_CALL = rf"{_CALL}(?:ez|er|iez|e|es|le|les|ent)"
_REALLY = r"(?: (?:surtout|vraiment|donc))?"
_LIST = r"(?:listes?|listings?|fichiers?|bases?|repertoires?|registres?|systemes?|donnees|contacts|tablettes|la$)"
_YOUR = r"(?:\w+ ){0,2}"
_REMOVE = (
    r"(?:retir|enlev|sort|supprim|effac|ray|radi|ot|vir|desabonn|desinscriv|blacklist|elimin|oubli|perd|jet|bloqu"
    r"|detruis)"
)
_TO_REMOVE = rf"(?:{_REMOVE}i?e?r|desinscrire|perdre|detruire)"
_REMOVED = rf"(?:{_REMOVE}(?:ee?s?|er|ez)|desinscrite?)"
_NO_AUXILIARY = r"(?<!\bai )(?<!\bas )(?<!\ba )(?<!\bavez )(?<!\bavons )(?<!\bont )(?<!\bil )(?<!\belle )(?<!\bpas )"
_BID = rf"(?:\b{_REMOVE}i?ez|{_NO_AUXILIARY}\b(?:{_TO_REMOVE}|{_REMOVE}es?))"
_MINE = r"(?:(?:mon|notre) (?:numero|nom|telephone|contact|adresse)|mes (?:coordonnees|donnees|infos|informations))"
# "ne m'appelez plus avant dix-huit heures" asks to be called later
_LESS = (
    r"(?! (?:tard|tot|souvent|vite|avant|apres|maintenant|aujourd|cette|(?:ce|le) (?:matin|midi|soir|week|samedi)"
    r"|le dimanche|a (?:cette|l|ces|midi)|au (?:travail|bureau|boulot)|pendant|quand|en|dans|si|tout de suite)\b)"
)
# "ne m'appelez pas madame, appelez-moi Sophie" is about a name
_NO_NAME = r"(?!.{0,30}\bappelez moi (?:\w+ )?(?!plus\b|jamais\b|pas\b)\w+$)"

_RULES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b(?:(?:ne|plus jamais) )?(?:vous )?{_ME} {_CALL}(?:ez|er){_REALLY} plus(?: jamais)?\b{_LESS}",
        rf"\bne {_ME} {_CALL}(?:ez|er){_REALLY} (?:pas|jamais)\b{_LESS}{_NO_NAME}",
        rf"\b(?:ne|n) (?:rappelez|appelez|telephonez|composez) (?:plus|jamais)\b{_LESS}",
        rf"\b(?:plus|pas) (?:la peine|besoin) de (?:{_ME} )?(?:r?appeler|telephoner|recontacter|relancer)\b",
        r"\b(?:refuse|oppose|accepte (?:pas|plus)|veux (?:pas|plus)) (?:\w+ ){0,2}(?:demarchage|prospection)\b",
        r"\b(?:arret(?:ez|er)|cess(?:ez|er)|stop(?: a)?|plus de|assez de|marre de)(?: (?:le|la|ce|cette|votre|tout))?"
        r" (?:demarchage|prospection)\b",
        r"\bnon\b.{0,20} rappelez plus$",
        rf"\bveux (?:plus )?(?:sortir|disparaitre) (?:de|des|du) {_YOUR}{_LIST}\b",
        rf"\b(?:interdis|defends) (?:\w+ ){{0,3}}{_MINE}\b",
        rf"\bpas (?:le droit de|interet a) (?:{_ME} )?{_CALL}er\b",
        rf"\bautorise (?:pas|plus) (?:que vous|a) {_ME} {_CALL}(?:er|iez)\b",
        r"\b(?:demande|prie|ordonne) (?:d |de )(?:arreter|cesser)$",
        rf"\b(?:essay|cherch|tent)ez (?:pas|plus) (?:de |a ){_ME} (?:{_CALL}er|joindre)\b",
        rf"\b(?:refuse|interdis|interdiction|pas d accord) (?:\w+ )?(?:d|de|pour) (?:{_ME}|etre) {_CALL}(?:er|ee?s?)\b",
        rf"\bplus (?:jamais )?(?:vous )?(?:a )?{_ME} {_CALL}(?:er|ez)\b{_LESS}",
        rf"\bplus (?:jamais )?appeler\b{_LESS}",
        rf"\b(?:plus (?:jamais )?etre|soi[st] plus) {_CALL}(?:ee?s?|er|ez)\b{_LESS}",
        rf"\b(?:pas|plus) (?:etre|figurer|rester|faire partie) (?:dans|sur|de) {_YOUR}{_LIST}\b",
        rf"\bplus (?:jamais )?(?:que (?:vous|l on)|qu on|que quelqu un) (?:{_ME} )?{_YOU_CALL}\b{_LESS}",
        r"\bplus (?:jamais )?(?:recevoir |avoir )?(?:de |d |aucun |vos )+(?:appels?|coups? de fil)\b(?! que)",
        r"\bplus (?:jamais )?(?:vous entendre|entendre parler de vous|avoir affaire a vous)\b",
        rf"(?:\b{_ME} (?:{_TO_REMOVE}|{_REMOVE}i?ez)|{_BID} (?:moi|nous|le|la)|\betre {_REMOVED})\b.{{0,30}}"
        rf"\b(?:de|des|du) {_YOUR}{_LIST}\b",
        rf"{_BID}(?: moi)? (?:tout de suite )?{_MINE}\b",
        rf"\b{_MINE} soi(?:t|ent) {_REMOVED}\b",
        rf"\b(?:suppression|effacement|retrait) de {_MINE}\b",
        rf"\b(?:gardez|conservez|utilisez) (?:pas|plus) {_MINE}\b",
        r"\b(?:etre (?:desinscrite?|desabonnee?)|desinscription|desabonnement)\b",
        rf"\b(?:{_ME} (?:desinscri(?:re|s)|desabonner?)|(?:desinscrivez|desabonnez|blacklistez) (?:moi|nous))\b",
        rf"{_NO_AUXILIARY}\b(?:arret|cess|evit)(?:i?ez|er|es?) (?:(?!pas\b)\w+ ){{0,2}}de? (?:{_ME} )?{_CALL}er\b",
        r"\b(?:arretez|cessez|arreter|stop|assez|marre)(?: avec| aux| de| d)?(?: tous)?(?: vos| les| ces)? ?appels\b",
        r"\b(?:foute?z|fous|fichez|fiche) (?:moi|nous) la paix\b",
        r"\blaissez? (?:moi|nous) (?:tranquilles?|en paix)\b|\b(?:lachez|oubliez) (?:moi|nous)\b",
        rf"\bderniere fois (?:que|qu) (?:vous|on) (?:{_ME} )?{_YOU_CALL}\b",
        r"\bje m oppose (?:a|au)\b",
        r"\b(?:rgpd|block? ?tel|cnil|liste (?:noire|d opposition)|droit (?:d |a l )(?:opposition|effacement|oubli)"
        r"|vous signaler|bloquer? votre numero|harcelement|port(?:e|er) plainte)\b",
    )
)
# Before a match these make it no request: "je n'ai pas demandé à être retiré", "je ne suis pas sur Bloctel",
# "c'est quoi, Bloctel ?".
_NOT_ASKED = re.compile(
    r"\b(?:pas|jamais|rien) (?:demande|dit|besoin|inscrite?|sur|parle|voulu)\b.{0,20}$"
    r"|\b(?:c est quoi|qu est ce que)\b.{0,7}$"
)


def find_opt_out(words: Sequence[str]) -> tuple[int, int] | None:
    """The folded words ``words[start:end]`` that ask not to be called again, or None."""
    line = " ".join(words)
    for rule in _RULES:
        for match in rule.finditer(line):
            if not _NOT_ASKED.search(line[: match.start()]):
                start = line[: match.start()].count(" ")
                return start, start + match[0].count(" ") + 1
    return None
