"""What French people say on the telephone, as tables. A core: data only; :mod:`V3.calls.intents` reads it.

Phrases are folded, and without "ne": spoken French leaves it out, and so does the finder on both sides. A phrase with
a negation of its own ("pas la peine") means what its table says; others are turned round by a negation over them.
"""

from __future__ import annotations

__all__ = [
    "AFTER_FINAL", "BARE", "CLAUSE_BREAKS", "CLITICS", "COMMON", "FINAL", "HYPOTHETICAL", "IMPERATIVES",
    "NEAR_NEGATORS", "NEGATORS", "NEUTRAL", "SAYING", "SKIPPED", "SOFT", "SUBJECTS", "TAGS", "TURNS", "WANTS",
]  # fmt: skip

# Usual answers by group. An intent of a scenario that lists the first phrase of a group takes in all of it.
COMMON: dict[str, tuple[str, ...]] = {
    "yes": (
        "oui", "ouais", "ouaip", "volontiers", "avec plaisir", "avec grand plaisir", "avec joie", "pourquoi pas",
        "pas de probleme", "pas de problemes", "pas de souci", "pas de soucis", "aucun probleme", "aucun souci",
        "sans probleme", "sans souci", "sans hesiter", "dis pas non", "dire pas non", "pas contre", "pas contre non",
        "derange pas", "me gene pas", "pas d inconvenient", "pas d objection", "pas un probleme", "rien contre",
        "pas oppose", "pas opposee", "demande pas mieux", "demande que ca", "allez y", "vas y", "si si", "mais si",
        "ah si", "bah si", "ben si", "enfin si", "que si", "je confirme", "m interesse", "m interesserait",
        "pourrait m interesser", "peut m interesser", "nous interesse", "interesse", "interessee", "interesses",
        "partant", "partante", "je veux bien", "on veut bien", "je suis d accord", "me va", "me convient", "m irait",
        "m arrange", "me dit bien", "j aimerais", "j aimerais bien", "j accepte", "affirmatif", "banco", "moi aussi",
        "ca serait bien", "ce serait bien", "fait comme ca", "faisons comme ca", "c est moi", "c est bien moi",
        "lui meme", "elle meme", "moi meme", "preneur", "preneuse", "peut se faire", "je serai la", "si vous voulez",
        "me tente", "me plait", "me plairait", "me branche", "dites moi", "dites toujours", "vous pouvez y aller",
        "yes", "yep", "ouep", "comptez sur moi", "sans faute", "je viendrai", "on fait ca", "va pour",
        "ca tombe bien", "j adorerais", "me ferait plaisir", "je suis dispo", "je suis disponible", "je suis libre",
        "je suis pour", "je maintiens", "je prends rendez vous", "je suis d ac", "ca me dit", "ca me plairait",
        "c est ok", "c est okay", "je valide", "on y va", "allons y", "je veux oui", "avec grande joie",
        "ca serait parfait", "ca serait super", "ce serait parfait", "ce serait super", "parait bien", "semble bien",
        "a l air bien", "je vous en prie", "je suis favorable", "bonne nouvelle", "cela me convient",
        "j ai cinq minutes", "j ai deux minutes", "j ai le temps", "j ai un moment", "je vous ecoute oui",
        "me rend service", "m interesserait bien", "c est parti", "c est entendu", "avec grand interet",
        "j en serais ravi", "j en serais ravie", "ravi", "ravie", "je viens", "je serai present", "je serai presente",
        "ca colle", "ca m enchante", "je confirme oui", "je garde le rendez vous", "vous pouvez compter",
        "on garde le rendez vous", "pas de refus", "et comment", "on maintient",
    ),
    "no": (
        "non", "nan", "non merci", "pas du tout", "absolument pas", "certainement pas", "surtout pas",
        "evidemment pas", "bien sur que non", "hors de question", "pas question", "jamais de la vie", "sans facon",
        "sans moi", "jamais", "pas la peine", "c est pas la peine", "pas besoin", "plus besoin", "besoin de rien",
        "pas d accord", "pas interesse", "pas interessee", "pas interesses", "plus interesse", "plus interessee",
        "pas interessant", "pas vraiment", "pas specialement", "pas particulierement", "pas trop", "pas tellement",
        "pas plus que ca", "pas envie", "me dit rien", "m interesse plus", "sert a rien", "aucun interet",
        "pas d interet", "je refuse", "je decline", "negatif", "veux rien", "veux plus", "prefere pas",
        "prefere eviter", "pense pas", "crois pas", "pas pour moi", "pas pour nous", "laissez tomber",
        "laisse tomber", "c est non", "inutile", "pas utile", "rien du tout", "rien merci", "pas merci", "ca ira",
        "mais non", "m en fiche", "m en fous", "m en moque", "en veux pas", "y tiens pas", "insistez pas",
        "insiste pas", "pas d argent", "pas les moyens", "trop cher", "donne pas suite", "meme pas en reve",
        "perdez votre temps", "raccroche", "change d avis", "annuler", "annulez", "j annule", "ce qu il me faut",
        "ce qu il nous faut", "ce qu il faut", "j ai deja", "on a deja", "nous avons deja", "je suis deja",
        "on est deja", "nous sommes deja", "deja client", "deja fait", "ca suffit", "non plus", "peu pour moi",
        "pas mon truc", "pas mon genre", "pas convaincu", "pas convaincue", "pas tente", "pas tentee", "pas chaud",
        "je passe mon tour", "m en passe", "m en passerai", "pas preneur", "je suis contre", "nope", "no",
        "rien a faire", "rien a vous", "plus la peine", "plus d actualite", "pas d actualite", "ca va merci",
        "sert pas", "deja engage", "deja engagee", "m etonnerait", "peux pas venir", "pourrai pas", "pourrais pas",
        "viendrai pas", "pas venir", "sans interet", "pas concerne", "pas concernee", "concerne pas",
        "ca sert a rien", "aucune envie", "aucune utilite", "aucun besoin", "pas le budget", "pas les sous",
        "pas les finances", "sans suite", "pas suite", "hors budget", "pas gratuit", "n y pensez pas", "comptez pas",
        "trouve ailleurs", "en aucun cas", "pas client", "pas cliente", "m abstenir", "plus maintenant",
        "pas le moins du monde", "au telephone merci", "n achete rien", "achete rien", "reponds pas", "ca ira merci",
        "c est regle", "probleme regle", "deja regle", "deja signe", "deja souscrit", "deja pris", "deja vu",
        "deja vendu", "deja eu", "deja trouve", "pas d ici", "trop vieux", "trop vieille", "trop age", "trop agee",
        "pas confiance", "mefie", "j ai assez", "me suffit", "ca me suffit", "content de ce que",
        "contente de ce que", "satisfait de mon", "satisfaite de mon", "rien changer", "changer rien",
        "veux rien changer", "pas changer", "c est fini", "c est termine", "fin de la conversation",
        "je vais pas donner", "donne rien", "va pas m interesser", "risque pas", "merci mais", "trouve autre chose",
        "ca par telephone", "surement pas", "serai pas la", "sera pas la", "sera pas possible",
    ),
    "later": (
        "plus tard", "m appelez plus tard", "en voiture", "je conduis", "au volant", "sur la route", "au travail",
        "au boulot", "en reunion", "en rendez vous", "en rdv", "en ligne", "a table", "pas le temps", "pas de temps",
        "pas une minute", "pas deux minutes", "pas dispo", "pas disponible", "pas libre", "peux pas parler",
        "peux pas vous parler", "peux pas repondre", "peux pas discuter", "pas le moment", "pas le bon moment",
        "mauvais moment", "tombez mal", "tombe mal", "me derangez", "occupe", "occupee", "pas maintenant",
        "pas la maintenant", "pas tout de suite", "pas de suite", "pas aujourd hui", "pas ce matin", "pas ce soir",
        "pas cette semaine", "pas pour le moment", "pas pour l instant", "pas en ce moment", "une autre fois",
        "autre moment", "autre jour", "autre heure", "chez le medecin", "chez le dentiste", "a l hopital",
        "dans le train", "dans le metro", "dans le bus", "en deplacement", "en vacances", "au restaurant",
        "la prochaine fois", "repasser", "reessayez", "rappelez", "rappeler", "rappelle", "rappellerai",
        "rappellerez", "rappelleras", "rappeliez", "rappelons", "recontacter", "recontactez", "recontacterai",
        "presse", "pressee", "avec un client", "avec des clients", "avec quelqu un", "du monde", "au bureau",
        "la semaine prochaine", "demain", "ce soir", "tout a l heure", "en parler demain", "trop tot", "trop tard",
        "vu l heure", "je peux pas", "peux pas la", "je dors", "je dormais", "la sieste", "je mange",
        "suis en train de", "sommes en train de", "est en train de", "sur le depart", "je pars", "je suis dehors",
        "dans la rue", "en courses", "les courses", "a la caisse", "en cours", "en classe", "en formation",
        "en conference", "en visio", "en communication", "double appel", "en intervention", "chez un client",
        "chez des clients", "chez le coiffeur", "chez le docteur", "a l etranger", "en conge", "en conges", "malade",
        "pas chez moi", "pas a la maison", "je suis pris", "je suis prise", "deborde", "debordee",
        "dans les transports", "dans la voiture", "en route", "un appel important", "quand je serai",
        "dans une heure", "dans la journee", "en fin de journee", "appelez pas", "appelez plus avant",
        "pas dans l immediat", "pas avant", "autre ligne", "plein repas", "a la plage", "je garde",
        "en ce moment c est", "dans une reunion", "entrer en reunion", "pas possible maintenant", "pas possible la",
        "pas possible pour le moment", "pas possible aujourd hui", "en voyage", "dans l avion", "a l aeroport",
        "a la gare", "a la piscine", "au sport", "a la salle", "au cinema", "en train de manger", "en pleine reunion",
        "en plein travail", "en repas", "repas de famille", "des invites", "j ai du monde", "pas seul", "pas seule",
        "une autre journee", "un meilleur moment", "un autre creneau", "reviendrai vers vous", "reviens vers vous",
        "plus de batterie", "bientot plus de batterie", "a la maternite", "en urgence", "une urgence", "aux urgences",
        "un enterrement", "avec mon medecin", "chez le kine", "au tribunal", "sous la douche", "dans mon bain",
        "en pause", "je suis en", "je suis au", "je suis dans", "je suis chez", "je suis avec", "je suis a la",
        "je suis a l", "je suis sous", "je suis sur la", "on est en", "on est au", "on est a", "nous sommes en",
        "les mains prises", "que deux minutes", "qu une minute", "que cinq minutes", "que deux secondes",
        "une reunion", "dans une demi heure", "dans dix minutes", "dans cinq minutes", "dans un quart d heure",
        "en debut d apres midi", "en fin de matinee", "tombe pas bien", "pas bien tomber", "pas tres disponible",
        "en plein", "en pleine", "vous reprends", "peux pas vous repondre", "je file", "je dois y aller",
        "je dois partir", "je dois filer", "je dois raccrocher", "dois vous laisser", "vous laisse",
        "il faut que j y aille", "faut que j y aille", "faut que je parte", "pas le temps la", "manque de temps",
        "pas ma journee", "mon bebe dort", "les enfants dorment", "je travaille", "je bosse", "je cours",
        "m appeler le", "m appeler ce", "appelez moi plutot", "appelez moi le", "appelez moi ce", "appelez moi demain",
        "appelez moi lundi", "appelez moi mardi", "appelez moi mercredi", "appelez moi jeudi", "appelez moi vendredi",
        "appelez moi samedi", "me joindre", "en soiree", "on se rappelle", "se rappelle demain",
        "un peu plus tard", "dans la soiree", "apres manger", "apres le repas", "une meilleure heure",
    ),
    "wrong_person": (
        "faux numero", "trompe de numero", "trompee de numero", "vous trompez", "vous etes trompe",
        "vous etes trompee", "faites erreur", "est une erreur", "erreur", "mauvais numero", "mauvaise personne",
        "pas le bon numero", "pas le bon", "est pas moi", "c est pas moi", "la bonne personne",
        "pas la bonne personne", "de ce nom", "pas de monsieur", "pas de madame", "habite plus", "habite pas",
        "il est pas la", "elle est pas la", "femme est pas la", "mari est pas la", "monsieur est pas la",
        "madame est pas la", "pas ici", "plus ici", "decede", "decedee", "connais pas cette personne",
        "connais pas ce monsieur", "connais pas cette dame", "connais pas", "travaille plus", "travaille pas",
        "pas son numero", "plus son numero", "suis pas monsieur", "suis pas madame", "suis pas la personne",
        "pas mon nom", "quelqu un d autre", "sa femme", "son mari", "son fils", "sa fille", "son pere", "sa mere",
        "son frere", "sa soeur", "son assistant", "son assistante", "sa secretaire", "son collegue", "sa collegue",
        "absent", "absente", "demenage", "plus chez", "pas chez les", "pas chez madame", "pas chez monsieur",
        "pas chez lui", "pas chez elle", "pas au bon", "plus le bon numero", "pas le numero",
        "personne qui s appelle", "qui s appelle comme ca", "pas lui", "pas elle", "est pas lui", "il est sorti",
        "elle est sortie", "il est au travail", "elle est au travail", "il est parti", "elle est partie", "est mort",
        "est morte", "pas la bonne", "se trompe", "au mauvais numero", "je connais personne", "connais personne",
        "pas cette personne", "mari est au travail", "femme est au travail", "est ma femme qui", "est mon mari qui",
        "est pas moi qui", "est mon fils", "est ma fille", "est ma mere", "est mon pere", "ici c est",
        "vous etes chez", "monsieur est absent", "madame est absente", "il vit plus", "elle vit plus", "vit pas ici",
        "est en vacances", "connais pas de", "inconnu", "pas ce numero", "plus ce numero", "change de numero",
        "vous appelez chez", "mauvais interlocuteur", "pas le bon interlocuteur", "pas moi qu il",
        "il est hospitalise", "elle est hospitalisee", "trompez de personne", "plus de ce monde", "il est au",
        "elle est au", "il est en", "elle est en", "il est chez", "elle est chez", "personne que vous cherchez",
        "pas ce nom la", "ce nom la", "porte pas ce nom", "aucun monsieur", "aucune madame", "il est retraite",
        "pas le proprietaire", "pas la proprietaire", "pas le responsable", "pas la responsable", "pas le titulaire",
        "c est une entreprise", "c est un portable professionnel", "nouveau numero", "ancien proprietaire",
        "ancien locataire",
    ),
    "repeat": (
        "pardon", "comment", "quoi", "hein", "repeter", "repetez", "repete", "redire", "redites", "pas compris",
        "comprends pas", "comprends rien", "rien compris", "pas entendu", "rien entendu", "entends pas",
        "entends rien", "entends mal", "ca coupe", "vous coupez", "ca capte mal", "vous dites", "vous disiez",
        "parlez plus fort", "plus fort", "moins vite", "plus lentement", "doucement", "pas suivi", "pas saisi",
        "recois mal", "vous avez dit", "vous disez", "capte pas", "capte mal", "plait il", "encore une fois",
        "une deuxieme fois", "mal compris", "mal entendu", "le reseau", "ca gresille", "ca passe mal", "ca hache",
        "articulez", "parlez fort", "rien capte", "reformuler", "vous suis pas", "disiez quoi", "entends plus",
        "trop vite", "friture", "etes coupe", "etes coupee", "la ligne est", "mauvaise ligne", "mal la ligne",
        "parlez moins", "redites moi", "repetez moi", "entend mal", "entend pas", "entend rien", "coupe sans arret",
        "y a de l echo", "moins fort", "pas tout compris", "pas trop compris", "vous pouvez repeter",
        "c est pas clair", "vous racontez", "mauvaise communication", "communication est mauvaise",
        "qu est ce que vous racontez", "rien entendre", "pas entendre", "comment ca", "comment vous dites",
        "vous avez dit comment", "pas audible", "inaudible", "trop de bruit", "parasite", "parasites",
        "il y a de l echo", "pouvez vous parler",
    ),
    "question": (
        "c est qui", "qui etes vous", "vous etes qui", "etes qui", "qui est a l appareil", "la part de qui",
        "quel sujet", "quel propos", "pour quoi", "c est pourquoi", "c est quoi", "un robot", "une machine",
        "un repondeur", "une vraie personne", "eu mon numero", "trouve mon numero", "quelle societe",
        "quelle entreprise", "quelle boite", "quel organisme", "quel cabinet", "combien ca coute", "c est combien",
        "ca coute combien", "c est gratuit", "c est payant", "me voulez", "vous voulez", "qui vous etes", "qui parle",
        "qui est ce", "est ce que c est", "vous appelez d ou", "pour qui", "quelle raison", "pourquoi vous m appelez",
        "pourquoi m appelez vous", "pourquoi vous appelez", "pourquoi cet appel", "en quoi", "consiste",
        "avez mon numero", "d ou vient", "quel est le tarif", "quels sont les tarifs", "les tarifs", "le prix",
        "quel prix", "combien", "une arnaque", "un ordinateur", "un humain", "une ia", "intelligence artificielle",
        "un vrai", "une vraie", "c est de la pub", "du demarchage", "quel rendez vous", "quel conseiller",
        "quelle offre", "de quoi", "a propos de quoi", "quel est le but", "ca concerne", "quelle marque",
        "quel service", "de chez qui", "vous vous appelez", "votre nom", "vous appelez de la part",
        "vous appelez pour", "pour le compte de", "qu est ce que vous voulez", "qu est ce que vous vendez",
        "vendez quoi", "vous vendez quoi", "vous voulez quoi", "que voulez vous", "une blague", "en savoir plus",
        "des renseignements", "plus d informations", "une enquete", "un sondage", "publicite", "pourquoi", "etes ou",
        "donne mon numero", "c est une pub", "vous faites quoi", "vous proposez quoi", "qu est ce que vous proposez",
        "vous cherchez quoi", "quelle adresse", "ou ca", "c est ou", "c est quand", "quel jour", "a quelle heure",
        "combien de temps", "ca dure", "il faut payer", "faut payer", "ca engage", "qui ca", "un enregistrement",
        "une voix automatique", "un automate", "vous etes humain", "vous etes reel", "je parle a qui", "a qui ai je",
        "qui ai je", "quel est votre", "votre societe", "votre entreprise", "voix enregistree", "comment avez vous",
        "comment vous avez", "comment vous connaissez", "vendre quoi", "des frais", "ca coute", "l objet",
        "quel objet", "le motif", "quel motif", "combien ca", "a combien", "y a t il un cout", "le cout",
        "vous etes de", "vous etes de chez", "quel produit", "quel genre", "quelle sorte", "comment ca marche",
        "comment ca se passe", "ca marche comment", "comment on fait", "ou se trouve", "c est serieux", "c est legal",
        "vous avez mes coordonnees", "c est un canular", "vous etes un vrai", "une ligne surtaxee", "ca m engage a",
        "que se passe t il", "c est quoi votre", "c est quoi cette", "dites moi qui", "m expliquer", "expliquez",
    ),
}  # fmt: skip

# Ways to agree that yield to a clear "non" beside them: "non bien sûr", "non c'est bon merci".
SOFT = (
    "d accord", "ok", "okay", "c est bon", "c est d accord", "bien sur", "tres bien", "parfait", "absolument",
    "tout a fait", "exactement", "exact", "effectivement", "entendu", "evidemment", "certainement", "carrement",
    "nickel", "impeccable", "super", "genial", "ca marche", "ca roule", "c est ca", "c est bien ca",
    "bonne idee", "toujours", "possible", "c est possible", "c est note", "je note", "bien entendu", "cool", "top",
)  # fmt: skip

# Refused where negated, and no answer else: "je n'en ai pas l'utilité".
WANTS = (
    "veux", "veut", "m interessait", "voulons", "voudrais", "souhaite", "souhaitons", "besoin", "envie", "l utilite",
    "utile", "concerne", "d interet", "interet", "necessaire", "la peine",
)  # fmt: skip

# Answers where they end a clause; else only a negation of what follows: "pas trop tôt", "je n'ai jamais demandé".
FINAL = (
    "jamais", "pas trop", "pas vraiment", "pas tellement", "pas specialement", "pas particulierement",
    "je peux pas", "peux pas la",
)  # fmt: skip
AFTER_FINAL = frozenset({"merci", "monsieur", "madame", "non", "hein"})  # ... and these end it, too

# Phrases that outweigh no answer beside them: "non hein", "oui demain".
TAGS = (
    "hein", "quoi", "demain", "ce soir", "combien", "la semaine prochaine", "tout a l heure", "dans une heure",
    "dans la journee", "en fin de journee", "en parler demain", "pourquoi",
)  # fmt: skip

# Fixed phrases that say neither, with a word in them that would.
NEUTRAL = (
    "est ce pas", "pas mal", "pas vrai", "sais pas", "pas grave", "aucune idee", "plus ou moins", "allo oui",
    "oui allo", "oui bonjour", "oui bonsoir", "oui allo bonjour", "oui j ecoute", "oui je vous ecoute",
    "ni oui ni non", "oui ou non", "pas sur", "pas certain",
    "comment dire", "je voulais dire", "par oui ou par non", "si je dis non", "si je dis oui",
    "rappelez moi l adresse", "rappelez moi la date", "rappelez moi l heure", "rappelez moi le nom",
    "rappelez moi votre nom", "me rappeler l adresse", "me rappeler la date", "me rappeler l heure",
    "me rappeler le nom", "me rappeler votre nom", "me rappelle plus", "me rappelle pas", "sonnait occupe",
    "sonne occupe",
    "je suis a la retraite", "je suis en retraite", "je suis au courant", "je suis au chomage", "je suis a l ecoute",
    "comment allez vous",
)  # fmt: skip

NEGATORS = frozenset({"pas", "jamais", "aucun", "aucune", "rien", "guere", "nullement"})
NEAR_NEGATORS = frozenset({"sans", "ni"})  # reach only the next words
BARE = frozenset({"oui", "ouais", "ouaip", "non", "nan", "ok", "okay", "si"})  # stand alone: no negation reaches them
SAYING = frozenset(
    {"dis", "dit", "dire", "dirais", "dirai", "repondre"}
)  # ... unless they are said: "je ne dis pas non"
SUBJECTS = frozenset({"je", "j", "tu", "il", "elle", "on", "ca", "c", "cela"})
CLITICS = SUBJECTS | {
    "m",
    "me",
    "nous",
    "vous",
    "interesse",
    "interessee",
    "veux",
    "veut",
    "m interessait",
    "voudrais",
    "souhaite",
}
CLAUSE_BREAKS = frozenset({"et", "ou", "donc", "car", "parce", "sinon", "puis", "alors"})
TURNS = frozenset({"mais", "enfin", "finalement", "plutot"})  # what follows outweighs what came before
IMPERATIVES = frozenset({"rappelez", "rappelle", "appelez", "allez", "attendez", "laissez", "dites", "prenez"})
HYPOTHETICAL = frozenset({"si", "quand"})
# May stand inside a phrase: "pas [vraiment] le temps".
SKIPPED = frozenset(
    {"euh", "ben", "bah", "vraiment", "trop", "tres", "tellement", "bien", "franchement", "du", "tout", "toujours"}
    | {"malheureusement", "absolument", "la", "plus"}
)
