/* Every word the pages show, in English and French. No DOM. {name} is filled in. Both have the same keys (tested). */

import { EN } from "./texts-en.js";
import { FR } from "./texts-fr.js";

export const TEXTS = { en: EN, fr: FR };

/** "fr" or "en", from what a browser prefers. */
export function preferred(languages) {
  const known = languages.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in TEXTS);
  return known ?? "en";
}

/** A key that is not known gives itself: better a strange word than none. */
export function sentence(language, key, values = {}) {
  const text = TEXTS[language][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}
