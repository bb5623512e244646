/* The state of a connection as a sentence, counting down to the next attempt. */

import { number, say } from "./i18n.js";

const RESTING_WHYS = new Set(["token", "origin", "idle"]);
const WAITING_WHYS = new Set(["restart", "full", "refused", "too_big", "said"]);

export class LinkView {
  #place;
  #timer = 0;

  constructor(place) {
    this.#place = place;
  }

  show(state) {
    clearInterval(this.#timer);
    this.#place.dataset.state = state.name;
    if (state.name === "waiting" && state.retry_ms) this.#countDown(state);
    else say(this.#place, this.#still(state));
  }

  #still({ name, why }) {
    if (name === "waiting") return "link_losing";
    return name === "resting" && RESTING_WHYS.has(why) ? `why_${why}` : `link_${name}`;
  }

  #countDown({ why, reason, retry_ms }) {
    const at_ms = performance.now() + retry_ms;
    const key = WAITING_WHYS.has(why) ? `why_${why}` : "link_waiting";
    const left_s = () => Math.max(0, Math.ceil((at_ms - performance.now()) / 1000));
    const tell = () => say(this.#place, key, { reason, seconds: number(left_s()) });
    tell();
    this.#timer = setInterval(tell, 1000);
  }
}
