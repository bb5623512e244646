"""What the callees of the bundled dialogues say: typical French answers to an automatic call, by kind."""

from __future__ import annotations

from typing import Final

__all__ = ["BACKCHANNELS", "GREETINGS", "INTERRUPTIONS", "SIDE_TALK", "STOP_WORDS"]

INTERRUPTIONS: Final = (
    "Attendez, c'est pour quoi ?",
    "Ça ne m'intéresse pas.",
    "Excusez-moi, je n'ai pas le temps.",
    "Combien ça coûte ?",
    "Qui êtes-vous ?",
    "C'est de la part de qui ?",
    "Je suis en réunion.",
    "Rappelez-moi plus tard.",
    "Comment avez-vous eu mon numéro ?",
    "Vous vous trompez de numéro.",
    "Je ne comprends pas.",
    "Vous êtes un robot ?",
    "J'ai déjà un rendez-vous.",
    "Non merci, au revoir.",
    "Je suis en train de conduire.",
    "C'est à quel sujet ?",
    "Je voudrais parler à quelqu'un.",
    "De quel cabinet vous parlez ?",
    "Vous pouvez répéter ?",
    "Ne m'appelez plus.",
    "Mais vous êtes qui ?",
    "On m'a déjà appelé hier.",
    "C'est où exactement ?",
    "Je n'ai rien demandé.",
    "Mardi, ça m'arrange.",
    "Est-ce que c'est gratuit ?",
    "Je ne suis pas intéressée.",
    "Parlez plus fort, j'entends mal.",
    "Je suis au travail.",
    "Ma femme n'est pas là.",
    "Allô, vous m'entendez ?",
    "Quel rendez-vous ?",
    "Retirez-moi de votre liste.",
    "Je préfère un vrai conseiller.",
    "Vous appelez pour quoi ?",
    "Oui, mais c'est combien ?",
)
"""Two to eight words that want an answer: the robot must stop for good."""

STOP_WORDS: Final = (
    "Attendez.",
    "Stop.",
    "Arrêtez.",
    "Pardon ?",
    "Non merci.",
    "Excusez-moi.",
    "Une seconde.",
    "Au revoir.",
    "Taisez-vous.",
    "Arrête.",
)
"""One or two words that stop the robot at once, and nothing else."""

BACKCHANNELS: Final = (
    "Oui.",
    "D'accord.",
    "Ah oui.",
    "OK.",
    "Je vois.",
    "Voilà.",
    "Bien sûr.",
    "Ouais.",
    "Oui oui.",
    "Très bien.",
    "Tout à fait.",
    "Ah d'accord.",
    "C'est ça.",
    "Exactement.",
    "Ah bon.",
    "Entendu.",
)
"""Words of somebody who listens: the robot goes on, or goes on again. A hummed "mmh" is made without a voice."""

SIDE_TALK: Final = (
    "Tu as pensé à prendre le pain en rentrant ? Il n'y en a plus.",
    "Les enfants, mettez vos chaussures, on part dans cinq minutes.",
    "Et donc je lui ai dit que ce n'était pas possible avant lundi.",
    "Il reste du café dans la cuisine, si quelqu'un en veut.",
    "La météo annonce de la pluie pour toute la journée de demain.",
    "Le train de huit heures aura quinze minutes de retard.",
    "Elle m'a montré les photos de leurs vacances en Bretagne.",
    "Pose ça sur la table, je le rangerai tout à l'heure.",
)
"""Two to four seconds, said to others or by a television, quieter than the callee would be."""

GREETINGS: Final = ("Allô, bonjour.", "Oui, je vous écoute.", "Allô oui ?")
"""How the callee answers the telephone."""
