/* Sentences about what went wrong, or right; each can be dismissed, and the oldest goes when there are too many. */

import { make } from "./dom.js";
import { say } from "./i18n.js";

const MOST = 4;
const GOOD_MS = 5000;

export class Notices {
  #place;
  #next;

  /** `next`: what has the focus once a notice is dismissed. */
  constructor(place, next) {
    this.#place = place;
    this.#next = next;
  }

  show(key, values = {}, { good = false } = {}) {
    this.drop(key);
    const sentence = make("p");
    say(sentence, key, values);
    const button = make("button", { type: "button", className: "quiet" });
    say(button, "dismiss");
    const notice = make("div", { className: good ? "notice good" : "notice", "data-key": key }, [sentence, button]);
    button.addEventListener("click", () => {
      notice.remove();
      this.#next.focus();
    });
    this.#place.append(notice);
    while (this.#place.children.length > MOST) this.#place.firstElementChild.remove();
    if (good) setTimeout(() => notice.remove(), GOOD_MS);
  }

  drop(key) {
    [...this.#place.children].filter((notice) => notice.dataset.key === key).forEach((notice) => notice.remove());
  }
}
