/* The calls page: the server's messages to the board, the board to cards. */

import { CallBoard } from "./call-board.js";
import { CallView, sure, verdictName } from "./call-view.js";
import { byId } from "./dom.js";
import { EngineView } from "./engine-view.js";
import { begin, number, say, words } from "./i18n.js";
import { Link, pageUrl, socketUrl } from "./link.js";
import { LinkView } from "./link-view.js";
import { Notices } from "./notices.js";

const QUIET_MS = 15000; // the engine's counters come once a second: without any, the connection is dead

const board = new CallBoard();
const engine = new EngineView();
const views = new Map(); // entry -> view
const decided = new Set(); // ids whose verdict has been said
const linkView = new LinkView(byId("link"));
const notices = new Notices(byId("notices"), byId("in-progress"));

const link = new Link({
  url: socketUrl("ws/calls"),
  health_url: pageUrl("healthz"),
  quiet_ms: QUIET_MS,
  on: { open: () => {}, message: take, state: showLink },
});

function take(message) {
  const before = board.calls.size;
  const changed = board.apply(message, performance.now());
  changed.forEach(showCall);
  if (message.type === "snapshot" || message.type === "engine") engine.show(board);
  if (changed.length || message.type === "snapshot" || before !== board.calls.size) showCount();
}

function showCall(id) {
  const entry = board.calls.get(id) ?? board.ended.find(({ call }) => call.id === id);
  const view = views.get(entry) ?? new CallView();
  views.set(entry, view);
  view.show(entry, performance.now());
  const place = entry.ended_ms === null ? byId("in-progress") : byId("ended");
  if (view.element.parentElement !== place) put(view.element, place, entry);
  announce(entry);
}

function put(element, place, { call, ended_ms }) {
  if (ended_ms === null) return place.append(element);
  byId("announcer").textContent = words("said_ended", { number: call.number_masked ?? "" });
  decided.delete(call.id);
  place.prepend(element);
  const kept = new Set([...board.calls.values(), ...board.ended]);
  return [...views].filter(([entry]) => !kept.has(entry)).forEach(([entry, view]) => {
    view.element.remove();
    views.delete(entry);
  });
}

function announce({ call, ended_ms }) {
  if (!call.verdict || ended_ms !== null || decided.has(call.id)) return;
  decided.add(call.id);
  const values = { number: call.number_masked ?? "", verdict: verdictName(call.verdict), sure: sure(call.verdict) };
  byId("announcer").textContent = words("said_verdict", values);
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
setInterval(() => board.calls.forEach((entry) => views.get(entry)?.tick(entry, performance.now())), 500);
begin({ onswitch: showAll });
showCount();
link.connect();
