/* The transcript on the page: finished lines once each, the words in doubt below them. Text by textContent only. */

import { byId, make } from "./dom.js";
import { number, say } from "./i18n.js";
import { shortClock } from "./subtitles.js";

const NEAR_END_PX = 60;

export class TranscriptView {
  #scroll = byId("transcript");
  #lines = byId("lines");
  #tentative = byId("tentative");
  #newest = byId("to-newest");
  #following = true;
  #settled = make("span", { className: "settled" });
  #open = make("span", { className: "open" });
  #time = make("time");

  constructor() {
    this.#tentative.append(this.#time, make("p", {}, [this.#settled, this.#open]));
    this.#scroll.addEventListener("scroll", () => this.#scrolled());
    this.#newest.addEventListener("click", () => {
      this.#follow();
      this.#scroll.focus();
    });
  }

  add(line) {
    const words = make("p", { text: line.text });
    const time = make("time", { text: shortClock(line.start_ms), datetime: duration(line.start_ms) });
    this.#lines.append(make("li", { className: "line" }, [time, words]));
  }

  /** Everything but the finished lines, which `add` gives one by one; they are gone when the state has none. */
  show(captions) {
    while (this.#lines.children.length > captions.lines.length) this.#lines.firstElementChild.remove();
    this.#showTentative(captions.tentative);
    byId("empty").hidden = captions.lines.length > 0 || captions.tentative !== null;
    byId("dropped").hidden = captions.dropped === 0;
    say(byId("dropped"), captions.dropped ? "dropped" : "", { count: number(captions.dropped) });
    if (this.#following) this.#follow();
  }

  #showTentative(words) {
    this.#tentative.hidden = words === null;
    if (!words) return;
    this.#time.textContent = shortClock(words.start_ms);
    this.#settled.textContent = words.settled.map((word) => `${word} `).join("");
    this.#open.textContent = words.open.join(" ");
  }

  #follow() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroll;
    this.#following = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    this.#newest.hidden = this.#following;
  }
}

function duration(ms) {
  return `PT${(ms / 1000).toFixed(1)}S`;
}
