/* The calls page: the server's messages to the board, the board to cards. */

import { CallBoard } from "./call-board.js";
import { CallView, callName, sure, verdictName } from "./call-view.js";
import { byId } from "./dom.js";
import { EngineView } from "./engine-view.js";
import { begin, number, say, words } from "./i18n.js";
import { Link, pageUrl, socketUrl } from "./link.js";
import { LinkView } from "./link-view.js";
import { Notices } from "./notices.js";

const QUIET_MS = 15000; // the engine's counters come once a second: without any, the connection is dead
const TICK_MS = 500;

const board = new CallBoard();
const engine = new EngineView();
const views = new Map(); // entry of the board -> its card
const decided = new WeakSet(); // entries whose verdict has been said
const linkView = new LinkView(byId("link"));
const notices = new Notices(byId("notices"), byId("in-progress"));

const link = new Link({
  url: socketUrl("ws/calls"),
  health_url: pageUrl("healthz"),
  quiet_ms: QUIET_MS,
  on: { open: () => {}, message: take, state: showLink },
});

function take(message) {
  const changed = board.apply(message, performance.now());
  changed.forEach((entry) => showEntry(entry, message.type === "snapshot"));
  if (message.type === "snapshot" || message.type === "engine") engine.show(board);
  if (changed.length) showCount();
}

function showEntry(entry, silently) {
  const known = views.get(entry);
  const view = known ?? new CallView();
  views.set(entry, view);
  view.show(entry, performance.now());
  if (entry.ended_ms === null) {
    if (!known) byId("in-progress").append(view.element);
  } else if (view.element.parentElement !== byId("ended")) {
    byId("ended").prepend(view.element);
    forgetOld();
  }
  if (!silently) announce(entry);
}

/** Cards of calls that the board keeps no longer. */
function forgetOld() {
  const kept = new Set([...board.calls.values(), ...board.ended]);
  views.forEach((view, entry) => {
    if (kept.has(entry)) return;
    view.element.remove();
    views.delete(entry);
  });
}

function announce(entry) {
  const { call, ended_ms } = entry;
  const place = byId("announcer");
  if (ended_ms !== null) place.textContent = words("said_ended", { number: callName(call) });
  else if (call.verdict && !decided.has(entry)) {
    decided.add(entry);
    const values = { number: callName(call), verdict: verdictName(call.verdict), sure: sure(call.verdict) };
    place.textContent = words("said_verdict", values);
  }
}

function showCount() {
  const count = board.calls.size;
  byId("empty").hidden = count > 0;
  byId("ended-section").hidden = board.ended.length === 0;
  byId("in-progress-title").hidden = count === 0;
  say(byId("in-progress-title"), count === 1 ? "calls_one" : "calls_count", { count: number(count) });
}

function showLink(state) {
  linkView.show(state);
  const stale = state.name !== "open" && views.size > 0;
  document.body.classList.toggle("stale", stale);
  if (stale) notices.show("not_heard");
  else notices.drop("not_heard");
  if (state.name === "open") ["why_token", "why_origin"].forEach((key) => notices.drop(key));
  if (["token", "origin"].includes(state.why)) notices.show(`why_${state.why}`);
}

function showAll() {
  engine.show(board);
  views.forEach((view, entry) => view.show(entry, performance.now()));
}

document.querySelectorAll("a[data-page]").forEach((page) => (page.href = pageUrl(page.getAttribute("href"))));
setInterval(() => board.calls.forEach((entry) => views.get(entry)?.tick(entry, performance.now())), TICK_MS);
begin({ onswitch: showAll });
showCount();
link.connect();
