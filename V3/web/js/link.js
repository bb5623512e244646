/* A WebSocket that comes back by itself.
 *
 * `on.open(link)`, `on.message(object, text)` and `on.state({name, why, reason, retry_ms})` are called; `name` is "resting",
 * "connecting", "open" or "waiting" (for the next attempt), `why` as in backoff.js. Nothing is queued here: what is
 * sent while the connection is not open is refused, and `send` says so.
 */

import { delay_ms, meaning } from "./backoff.js";

const OPENING_MS = 8000; // a handshake that takes longer has failed
const FINAL_WHYS = new Set(["token", "origin"]); // trying again changes nothing

export class Link {
  #socket = null;
  #timer = 0;
  #watchdog = 0;
  #attempt = 0;
  #options;
  #on;
  state = { name: "resting", why: "" };

  /** `quiet_ms`: the connection is taken for lost when nothing came for so long. `rest_when_idle`: see backoff.js. */
  constructor({ url, health_url, quiet_ms = 0, rest_when_idle = false, on }) {
    this.#options = { url, health_url, quiet_ms, rest_when_idle };
    this.#on = on;
    window.addEventListener("online", () => this.state.name === "waiting" && this.connect());
  }

  get open() {
    return this.state.name === "open";
  }

  get buffered_bytes() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  connect() {
    if (this.#socket) return;
    clearTimeout(this.#timer);
    this.#turn("connecting");
    const socket = new WebSocket(this.#options.url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    let opened = false;
    this.#timer = setTimeout(() => this.abandon(), OPENING_MS);
    socket.addEventListener("open", () => {
      opened = true;
      clearTimeout(this.#timer);
      this.#watch();
      this.#turn("open");
      this.#on.open(this);
    });
    socket.addEventListener("message", ({ data }) => {
      this.#attempt = 0;
      this.#watch();
      const message = parsed(data);
      if (message) this.#on.message(message);
    });
    socket.addEventListener("close", (event) => this.#closed(socket, event, opened));
  }

  /** Returns whether it went out. Objects go as JSON text, the rest as it is. */
  send(message) {
    if (!this.open || this.#socket.readyState !== WebSocket.OPEN) return false;
    const binary = message instanceof ArrayBuffer || ArrayBuffer.isView(message);
    this.#socket.send(binary ? message : JSON.stringify(message));
    return true;
  }

  /** Close and stay closed. */
  rest() {
    this.#leave();
    this.#turn("resting");
  }

  /** The connection is dead though nobody said so: leave it, without waiting for its goodbye, and try another. */
  abandon() {
    this.#leave();
    this.#retry("lost");
  }

  #leave() {
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
  }

  async #closed(socket, event, opened) {
    if (socket !== this.#socket) return; // it was left
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
    this.#turn("waiting", { why: "lost" }); // at once: nothing can be sent from now on
    const server_answers = opened || (await this.#answers());
    if (socket !== this.#socket) return;
    this.#socket = null;
    const why = meaning({ code: event.code, reason: event.reason, opened, server_answers });
    if (FINAL_WHYS.has(why) || (why === "idle" && this.#options.rest_when_idle)) this.#turn("resting", { why });
    else this.#retry(why, event.reason);
  }

  #retry(why, reason = "") {
    const retry_ms = delay_ms(this.#attempt, Math.random());
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.connect(), retry_ms);
    this.#turn("waiting", { why, reason, retry_ms });
  }

  async #answers() {
    try {
      await fetch(this.#options.health_url, { cache: "no-store", signal: AbortSignal.timeout(3000) });
      return true; // whatever it answers, it is there
    } catch {
      return false;
    }
  }

  #watch() {
    clearTimeout(this.#watchdog);
    const { quiet_ms } = this.#options;
    if (quiet_ms) this.#watchdog = setTimeout(() => this.abandon(), quiet_ms);
  }

  #turn(name, { why = "", reason = "", retry_ms = 0 } = {}) {
    this.state = { name, why, reason, retry_ms };
    this.#on.state(this.state);
  }
}

/** The WebSocket address of `path` beside this page, with the page's own token, if any. */
export function socketUrl(path) {
  const url = pageUrl(path);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

export function pageUrl(path) {
  const url = new URL(path, window.location.href);
  const token = new URLSearchParams(window.location.search).get("token");
  if (token) url.searchParams.set("token", token);
  return url;
}

function parsed(data) {
  if (typeof data !== "string") return null;
  try {
    const message = JSON.parse(data);
    return message && typeof message === "object" ? message : null;
  } catch {
    return null; // not ours: nothing to show
  }
}
