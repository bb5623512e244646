/* The calls in progress and those that ended, with the course of each; the engine's counters. No DOM, no clock.
 *
 * The server's `since_ms` counts from the call's beginning; where the page came in later, the states before are not
 * known and the course begins with the state it found.
 */

import { Series } from "./series.js";

const MOST_ENDED = 20; // the oldest are forgotten beyond
const MOST_PIECES = 200; // of one call's course; the oldest are forgotten beyond
export const COUNTERS = ["queue", "batch", "lag_ms", "streams", "refused"];

export class CallBoard {
  calls = new Map(); // id -> {call, began_ms, pieces: [{state, from_ms}], ended_ms}
  ended = []; // newest first
  engine = null;
  series = Object.fromEntries(COUNTERS.map((name) => [name, new Series()]));

  /** Takes a message of the server. Returns the ids of the calls that changed. */
  apply(message, now_ms) {
    if (message.type === "snapshot") return this.#replace(message, now_ms);
    if (message.type === "call" && message.call) return this.#update(message.call, now_ms);
    if (message.type === "ended") return this.#end(message.id, now_ms);
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
    const since_ms = Number.isFinite(call.since_ms) ? call.since_ms : 0;
    const entry = this.calls.get(call.id) ?? { began_ms: now_ms - since_ms, pieces: [], ended_ms: null };
    entry.call = call;
    entry.began_ms = Math.min(entry.began_ms, now_ms - since_ms);
    if (entry.pieces.at(-1)?.state !== call.state) entry.pieces.push({ state: call.state, from_ms: since_ms });
    if (entry.pieces.length > MOST_PIECES) entry.pieces.shift();
    this.calls.set(call.id, entry);
    return [call.id];
  }

  #end(id, now_ms) {
    const entry = this.calls.get(id);
    if (!entry) return [];
    this.calls.delete(id);
    entry.ended_ms = now_ms;
    entry.call = { ...entry.call, state: "ended" };
    this.ended = [entry, ...this.ended].slice(0, MOST_ENDED);
    return [id];
  }

  #count(engine) {
    this.engine = engine;
    COUNTERS.forEach((name) => this.series[name].add(engine[name]));
  }
}

/** How long the call has lasted. */
export function age_ms(entry, now_ms) {
  return Math.max(0, (entry.ended_ms ?? now_ms) - entry.began_ms);
}

/** [{state, duration_ms}] up to now; "ended" is no part of it. */
export function course(entry, now_ms) {
  const pieces = entry.pieces.filter(({ state }) => state !== "ended");
  const until_ms = Math.max(age_ms(entry, now_ms), pieces.at(-1)?.from_ms ?? 0);
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
