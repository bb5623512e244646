/* The pages' words in the reader's language; every element that `say` has written follows a switch. */

import { TEXTS, preferred, sentence } from "./texts.js";

const KEPT = "voicebot.language";
const said = new WeakMap();
const listeners = [];
let language = "en";

/** The words of an element, by key; the key "" takes them away. */
export function say(element, key, values = {}) {
  said.set(element, { key, values });
  element.dataset.said = "";
  write(element, key ? sentence(language, key, values) : "");
}

export function words(key, values = {}) {
  return sentence(language, key, values);
}

export function number(value, digits = 0) {
  return value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** `[data-t]` gets its words, `[data-t-label]` its name for screen readers; the switch `[data-language]` works. */
export function begin({ onswitch = () => {} } = {}) {
  listeners.push(onswitch);
  document.querySelectorAll("[data-language]").forEach((button) => {
    button.addEventListener("click", () => turn(button.dataset.language));
  });
  turn(kept() ?? preferred(navigator.languages));
}

function turn(wanted) {
  language = wanted;
  document.documentElement.lang = wanted;
  keep(wanted);
  document.querySelectorAll("[data-language]").forEach((button) => {
    button.setAttribute("aria-pressed", String(button.dataset.language === wanted));
  });
  document.querySelectorAll("[data-t]").forEach((element) => write(element, words(element.dataset.t)));
  document.querySelectorAll("[data-t-label]").forEach((element) => {
    element.setAttribute("aria-label", words(element.dataset.tLabel));
  });
  document.querySelectorAll("[data-said]").forEach((element) => {
    const { key, values } = said.get(element);
    write(element, key ? words(key, values) : "");
  });
  listeners.forEach((listener) => listener(wanted));
}

/** Text is replaced only where it differs: a live region does not repeat itself. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function kept() {
  try {
    const wanted = localStorage.getItem(KEPT);
    return wanted in TEXTS ? wanted : null;
  } catch {
    return null; // storage is forbidden: the browser's language will do
  }
}

function keep(wanted) {
  try {
    localStorage.setItem(KEPT, wanted);
  } catch {
    // storage is forbidden: the choice holds for this visit
  }
}
