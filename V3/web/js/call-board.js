/* The calls in progress and those that ended, with the course of each; the engine's counters. No DOM, no clock.
 *
 * The server's `since_ms` says for how long a call has been in its state. Where the page came in later, the states
 * before are not known, and the course begins with the state it found.
 */

import { Series } from "./series.js";

const MOST_ENDED = 20; // the oldest are forgotten beyond
const MOST_PIECES = 200; // of one call's course; the oldest are forgotten beyond
const ENDED = "ended";
export const COUNTERS = ["queue", "batch", "lag_ms", "streams", "refused"];

export class CallBoard {
  calls = new Map(); // id -> {call, pieces: [{state, from_ms}], ended_ms}; times on the page's clock
  ended = []; // newest first
  engine = null;
  series = Object.fromEntries(COUNTERS.map((name) => [name, new Series()]));

  /** Takes a message of the server. Returns the entries that changed. */
  apply(message, now_ms) {
    if (message.type === "snapshot") return this.#replace(message, now_ms);
    if (message.type === "call" && message.call) return this.#update(message.call, now_ms);
    if (message.type === ENDED) return this.#end(message.id, now_ms);
    if (message.type === "engine") this.#count(message);
    return [];
  }

  #replace({ calls = [], engine }, now_ms) {
    const present = new Set(calls.map((call) => call.id));
    const gone = [...this.calls.keys()].filter((id) => !present.has(id));
    if (engine) this.#count(engine);
    return [...gone.flatMap((id) => this.#end(id, now_ms)), ...calls.flatMap((call) => this.#update(call, now_ms))];
  }

  #update(call, now_ms) {
    const from_ms = now_ms - (Number.isFinite(call.since_ms) ? Math.max(0, call.since_ms) : 0);
    if (call.state === ENDED && this.ended.some((entry) => entry.call.id === call.id)) return []; // known
    const entry = this.calls.get(call.id) ?? { pieces: [], ended_ms: null };
    entry.call = call;
    this.calls.set(call.id, entry);
    if (call.state === ENDED) return this.#end(call.id, from_ms);
    if (entry.pieces.at(-1)?.state !== call.state) entry.pieces.push({ state: call.state, from_ms });
    if (entry.pieces.length > MOST_PIECES) entry.pieces.shift();
    return [entry];
  }

  #end(id, ended_ms) {
    const entry = this.calls.get(id);
    if (!entry) return [];
    this.calls.delete(id);
    entry.ended_ms = ended_ms;
    entry.call = { ...entry.call, state: ENDED };
    this.ended = [entry, ...this.ended].slice(0, MOST_ENDED);
    return [entry];
  }

  #count(engine) {
    this.engine = engine;
    COUNTERS.forEach((name) => this.series[name].add(engine[name]));
  }
}

/** How long the call has lasted, as far as the page knows. */
export function age_ms({ pieces, ended_ms }, now_ms) {
  return pieces.length ? Math.max(0, (ended_ms ?? now_ms) - pieces[0].from_ms) : 0;
}

/** [{state, duration_ms}] up to now, or up to the call's end. */
export function course({ pieces, ended_ms }, now_ms) {
  const until_ms = ended_ms ?? now_ms;
  return pieces.map(({ state, from_ms }, index) => {
    const to_ms = index + 1 < pieces.length ? pieces[index + 1].from_ms : until_ms;
    return { state, duration_ms: Math.max(0, to_ms - from_ms) };
  });
}

/** The time spent in each state, in the order of their first appearance. */
export function totals(pieces) {
  const sums = new Map();
  pieces.forEach(({ state, duration_ms }) => sums.set(state, (sums.get(state) ?? 0) + duration_ms));
  return [...sums].map(([state, duration_ms]) => ({ state, duration_ms }));
}
