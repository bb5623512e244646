/* One call as a card. Everything that was heard goes in by textContent. */

import { age_ms, course, totals } from "./call-board.js";
import { make } from "./dom.js";
import { number, words } from "./i18n.js";
import { shortClock } from "./subtitles.js";

const KNOWN_STATES = new Set(["ringing", "detecting", "playing", "listening", "speaking", "ended"]);
const LABELS = new Set(["HUMAN", "MACHINE", "NO_ANSWER"]);

export class CallView {
  element;
  #parts = {};

  constructor() {
    const part = (name, tag, options) => (this.#parts[name] = make(tag, options));
    const head = make("div", { className: "call-head" }, [
      part("number", "h3"),
      part("badge", "span", { className: "badge" }),
      part("age", "time"),
    ]);
    const way = make("div", {}, [
      part("course", "div", { className: "course", "aria-hidden": "true" }),
      part("legend", "ul", { className: "legend" }),
    ]);
    const heard = part("heard", "p", { className: "heard" });
    const details = make("details", {}, [part("summary", "summary"), part("evidence", "ul", { className: "evidence" })]);
    this.#parts.details = details;
    this.#parts.verdict = make("dd", {}, [part("decided", "p"), part("how", "p", { className: "help" }), details]);
    const facts = make("dl", { className: "facts" }, [
      part("verdict_name", "dt"),
      this.#parts.verdict,
      part("barge_name", "dt"),
      part("barge_ins", "dd"),
      part("latency_name", "dt"),
      part("latency", "dd"),
    ]);
    this.element = make("li", { className: "card call" }, [head, way, heard, facts]);
  }

  show(entry, now_ms) {
    const { call } = entry;
    const parts = this.#parts;
    this.element.dataset.call = call.id;
    write(parts.number, callName(call));
    parts.badge.dataset.state = call.state;
    write(parts.badge, stateName(call.state));
    this.#heard(call);
    this.#verdict(call.verdict);
    write(parts.verdict_name, words("verdict"));
    write(parts.barge_name, words("barge_ins"));
    show(parts.barge_name, parts.barge_ins, (call.barge_ins ?? []).map(bargeIn).join(", "));
    write(parts.latency_name, words("latencies"));
    show(parts.latency_name, parts.latency, latencies(call.latency_ms ?? {}));
    parts.legend.setAttribute("aria-label", words("timeline"));
    this.tick(entry, now_ms);
  }

  /** What changes with time alone. */
  tick(entry, now_ms) {
    const pieces = course(entry, now_ms);
    write(this.#parts.age, shortClock(age_ms(entry, now_ms)).replace(/\.\d$/, ""));
    fit(this.#parts.course, pieces.length, () => make("span"));
    pieces.forEach(({ state, duration_ms }, index) => {
      const piece = this.#parts.course.children[index];
      piece.dataset.state = state;
      piece.style.flexGrow = String(Math.max(1, duration_ms));
    });
    const sums = totals(pieces);
    fit(this.#parts.legend, sums.length, () => make("li"));
    sums.forEach(({ state, duration_ms }, index) => {
      const item = this.#parts.legend.children[index];
      item.dataset.state = state;
      write(item, `${stateName(state)} ${words("seconds", { value: number(duration_ms / 1000, 1) })}`);
    });
  }

  #heard({ final, partial }) {
    const { heard } = this.#parts;
    const pieces = [
      final && make("span", { text: partial ? `${final} ` : final }),
      partial && make("span", { className: "open", text: partial }),
      !final && !partial && make("span", { className: "nothing", text: words("nothing_heard") }),
    ].filter(Boolean);
    heard.replaceChildren(...pieces);
  }

  #verdict(verdict) {
    const { decided, how, details, summary, evidence } = this.#parts;
    const findings = verdict?.evidence ?? [];
    details.hidden = !findings.length;
    how.hidden = !verdict;
    if (!verdict) return write(decided, words("no_verdict"));
    const certainty = sure(verdict);
    decided.replaceChildren(make("strong", { text: verdictName(verdict) }), certainty && `, ${certainty}`);
    const why = new Set([verdict.kind, verdict.reason].filter(Boolean).map(plain)); // often the same
    write(how, [...why, at(verdict)].filter(Boolean).join(" · "));
    write(summary, words("evidence", { count: number(findings.length) }));
    return evidence.replaceChildren(...findings.map((finding) => make("li", { text: finding })));
  }
}

/** The number as far as it may be shown; without one, the beginning of the call's id. */
export function callName({ number_masked, id }) {
  return number_masked || words("call_named", { id: String(id).slice(0, 8) });
}

export function verdictName({ label }) {
  return LABELS.has(label) ? words(`verdict_${label}`) : String(label);
}

export function sure({ confidence }) {
  return Number.isFinite(confidence) ? words("sure", { percent: number(100 * confidence) }) : "";
}

function at({ at_ms }) {
  return Number.isFinite(at_ms) ? words("decided_at", { time: shortClock(at_ms) }) : "";
}

function stateName(state) {
  return KNOWN_STATES.has(state) ? words(`state_${state}`) : plain(state);
}

function bargeIn({ reason, ms }) {
  return words("barge_in", { time: shortClock(ms), reason: plain(reason) });
}

function latencies({ verdict, partial }) {
  const named = [
    ["latency_verdict", verdict],
    ["latency_partial", partial],
  ].filter(([, value]) => Number.isFinite(value));
  const told = named.map(([key, value]) => `${words(key)} ${words("ms", { value: number(value) })}`);
  return told.join(" · ");
}

/** "stop_word" as it is read. */
function plain(name) {
  return String(name ?? "").replaceAll("_", " ");
}

/** A fact, or neither its name nor itself while there is none. */
function show(name, place, text) {
  name.hidden = place.hidden = !text;
  write(place, text);
}

function fit(parent, count, another) {
  while (parent.children.length > count) parent.lastElementChild.remove();
  while (parent.children.length < count) parent.append(another());
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
