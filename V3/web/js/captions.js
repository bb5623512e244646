/* The captions page: controls to the session, the session to what is shown. */

import { byId } from "./dom.js";
import { copy, download } from "./export.js";
import { begin, number, say } from "./i18n.js";
import { pageUrl, socketUrl } from "./link.js";
import { LinkView } from "./link-view.js";
import { Notices } from "./notices.js";
import { Session } from "./session.js";
import { SpeedView } from "./speed-view.js";
import { TranscriptView } from "./transcript-view.js";
import { keepAwake } from "./wake-lock.js";

const SILENT_LEVEL = 0.0001; // a muted microphone gives zeros, a quiet room does not
const SILENT_CHUNKS = 50; // 5 s
const NARROW = window.matchMedia("(max-width: 640px)");
const STATES = { recording: "stop", starting: "starting", idle: "start", finishing: "start" };

const form = byId("setup");
const toggle = byId("toggle");
const notices = new Notices(byId("notices"), toggle);
const transcript = new TranscriptView();
const speed = new SpeedView();
const link = new LinkView(byId("link"));
let silent_chunks = 0;
let buffered = null;

const session = new Session({
  url: socketUrl("captions"),
  health_url: pageUrl("healthz"),
  settings: settings(),
  on: {
    phase: showPhase,
    link: showLink,
    connected: ({ model }) => (byId("model").textContent = String(model ?? "")),
    words: () => transcript.show(session.captions),
    line: (line) => transcript.add(line),
    measured: () => speed.show(session),
    buffering: showBuffered,
    level: showLevel,
    progress: showProgress,
    notice: (why, details = {}) => notices.show(why, told(details)),
  },
});

function settings() {
  const data = new FormData(form);
  return { language: data.get("language"), mode: data.get("mode") };
}

function showPhase(phase) {
  toggle.dataset.phase = phase;
  toggle.setAttribute("aria-disabled", String(phase === "starting"));
  say(toggle, STATES[phase]);
  byId("phase").dataset.phase = phase;
  tellPhase(phase);
  keepAwake(phase === "recording");
  if (phase !== "recording") drawLevel(0);
  if (phase === "idle") byId("progress-row").hidden = true;
}

function tellPhase(phase) {
  const away = phase === "recording" && session.link_state.name !== "open";
  byId("phase").toggleAttribute("data-away", away);
  if (away) return say(byId("phase"), session.link_state.name === "connecting" ? "link_connecting" : "link_losing");
  if (phase !== "recording" || settings().mode !== "classic" || !buffered) return say(byId("phase"), `phase_${phase}`);
  const values = { buffered: number(buffered.buffered, 1), needed: number(buffered.needed, 1) };
  return say(byId("phase"), "buffering", values);
}

function showLink(state) {
  link.show(state);
  tellPhase(session.phase);
  say(byId("connect"), state.name === "resting" ? "connect" : "disconnect");
  if (state.name === "open") ["link_kept", "why_token", "why_origin"].forEach((key) => notices.drop(key));
  if (state.name === "waiting" && session.phase === "recording") notices.show("link_kept");
  if (["token", "origin"].includes(state.why)) notices.show(`why_${state.why}`);
}

function showBuffered(message) {
  buffered = message;
  tellPhase(session.phase);
}

function showLevel(level) {
  drawLevel(Math.min(100, Math.round(160 * Math.sqrt(level)))); // loudness as it is felt, more or less
  silent_chunks = level < SILENT_LEVEL ? silent_chunks + 1 : 0;
  if (silent_chunks === SILENT_CHUNKS && settingsOf("source") === "microphone") notices.show("microphone_silent");
}

function drawLevel(percent) {
  byId("level").setAttribute("aria-valuenow", percent);
  byId("level").firstElementChild.style.width = `${percent}%`;
}

function showProgress(share) {
  byId("progress-row").hidden = false;
  byId("progress").value = share;
  byId("progress-text").textContent = `${number(Math.floor(share * 100))} %`;
}

function told({ seconds, message }) {
  return { message, seconds: seconds === undefined ? "" : number(seconds, 1) };
}

function settingsOf(name) {
  return new FormData(form).get(name);
}

async function start() {
  ["microphone_silent", "audio_lost", "link_kept"].forEach((key) => notices.drop(key));
  silent_chunks = 0;
  buffered = null;
  if (settingsOf("source") === "microphone") return session.startMicrophone().then(lookAtTranscript);
  const file = byId("file").files[0];
  if (!file) return notices.show("file_missing");
  if (session.captions.lines.length && !(await agreed())) return undefined;
  notices.drop("file_missing");
  return session.startFile(file, { fast: settingsOf("pace") === "fast" }).then(lookAtTranscript);
}

/** On a phone the transcript lies below the controls; wider, it is in view already. */
function lookAtTranscript() {
  if (session.phase !== "idle" && NARROW.matches) byId("toggle").closest("section").scrollIntoView({ block: "start" });
}

function agreed() {
  const dialog = byId("replace");
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

function applySetup() {
  session.configure(settings());
  byId("file-fields").hidden = settingsOf("source") !== "file";
  say(byId("mode-help"), `mode_${settingsOf("mode")}_help`);
}

async function copyAll() {
  const copied = await copy(session.captions.lines);
  notices.show(copied ? "copied" : "copy_failed", {}, { good: copied });
}

window.addEventListener("beforeunload", (event) => session.phase === "recording" && event.preventDefault());
document.addEventListener("visibilitychange", () => keepAwake(!document.hidden && session.phase === "recording"));
toggle.addEventListener("click", () => (session.phase === "recording" ? session.stop() : start()));
form.addEventListener("change", applySetup);
form.addEventListener("submit", (event) => event.preventDefault());
byId("clear").addEventListener("click", () => session.clear());
byId("copy").addEventListener("click", copyAll);
byId("connect").addEventListener("click", () => {
  if (session.link_state.name === "resting") session.connect();
  else session.disconnect();
});
document.querySelectorAll("[data-format]").forEach((button) => {
  button.addEventListener("click", () => download(session.captions.lines, button.dataset.format));
});
document.querySelectorAll("a[data-page]").forEach((page) => (page.href = pageUrl(page.getAttribute("href"))));

begin({ onswitch: () => speed.show(session) });
applySetup();
showPhase("idle");
session.connect();
