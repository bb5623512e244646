/* One page's captions: audio from a source to the server, transcriptions from the server into lines. No DOM.
 *
 * The page's audio clock (`#taken_ms`) counts all audio taken since the transcript began. Audio that no final has
 * covered is kept (backlog.js) and goes again over a new connection, so that a server's restart costs no words.
 *
 * `on.phase(name)`: "idle", "starting", "recording", "finishing". `on.link(state)`, `on.connected(message)`,
 * `on.words()`, `on.line(line)`, `on.measured()`, `on.buffering(message)`, `on.level(level)`, `on.progress(share)`,
 * `on.notice(why, details)`.
 */

import { Backlog } from "./backlog.js";
import { CaptionState } from "./caption-state.js";
import { FilePlayer } from "./file-player.js";
import { Flow } from "./flow.js";
import { Link } from "./link.js";
import { RATE_HZ } from "./pcm.js";
import { Series } from "./series.js";
import { Microphone, SourceError, decodedFile, silence } from "./sources.js";
import { Timeline } from "./timeline.js";

const LIVE_PAD_MS = 1200; // silence after the last word, so that the server ends the utterance
const QUIET_MS = 1500; // no answer for so long after the padding: there are no more words to come
const FINISHING_MS = 10000;
const MOST_BUFFERED_BYTES = 1.5e6; // a whole backlog and 17 s more that the network has not taken: it is stuck

export class Session {
  captions = new CaptionState();
  latency_ms = new Series();
  rtf = new Series();
  phase = "idle";
  #link;
  #flow = new Flow();
  #timeline = new Timeline();
  #backlog = new Backlog();
  #source = null;
  #stopping = false;
  #resting = false; // once the last words are there
  #taken_ms = 0;
  #sent_ms = 0; // of the page's clock, the furthest that went out over any connection
  #clearing = 0; // answers to what was sent before a clear are still on their way
  #window_s = 2.0;
  #settings;
  #on;
  #finishing = { quiet: 0, limit: 0 };

  constructor({ url, health_url, settings, on }) {
    this.#on = on;
    this.#settings = settings;
    this.#link = new Link({
      url,
      health_url,
      rest_when_idle: true,
      on: { open: () => this.#opened(), message: (message) => this.#answered(message), state: (s) => this.#linked(s) },
    });
  }

  connect() {
    this.#link.connect();
  }

  /** What is being said is heard to its end first. */
  async disconnect() {
    await this.stop();
    if (this.phase === "finishing") this.#resting = true;
    else this.#link.rest();
  }

  get link_state() {
    return this.#link.state;
  }

  get taken_ms() {
    return this.#taken_ms;
  }

  configure(settings) {
    const { language, mode } = this.#settings;
    this.#settings = settings;
    if (mode !== settings.mode) this.#hearAgain();
    else if (language !== settings.language) this.#sendConfig();
  }

  async startMicrophone() {
    await this.#start(async () => {
      this.#source = await Microphone.open({
        onchunk: (chunk) => this.phase === "recording" && this.#take(chunk),
        onlost: () => this.#lost("microphone_lost"),
      });
    });
  }

  /** The transcript begins anew: its times are the file's. */
  async startFile(file, { fast }) {
    await this.#start(async () => {
      const player = new FilePlayer(await decodedFile(file));
      this.clear();
      this.#source = player;
      return () => this.#play(player, fast);
    });
  }

  async stop() {
    if (this.phase !== "recording" || this.#stopping) return;
    this.#stopping = true;
    const stopped = this.#source.stop();
    this.#flow.release();
    await stopped;
    this.#stopping = false;
    this.#finish();
  }

  clear() {
    this.captions.clear();
    this.latency_ms.clear();
    this.rtf.clear();
    this.#backlog.clear();
    this.#taken_ms = this.#sent_ms = 0;
    this.#forgotten(0);
    if (this.phase === "finishing") this.#finished();
    this.#on.words();
    this.#on.measured();
  }

  /** The server forgets what it heard, and its clock starts at the page's `at_ms`; answers on their way are ignored. */
  #forgotten(at_ms) {
    this.#timeline.connected(at_ms);
    this.#flow.restart(at_ms);
    if (!this.#link.send({ type: "clear_buffer" })) return;
    this.#clearing += 1;
    this.#ping(() => (this.#clearing = Math.max(0, this.#clearing - 1)));
  }

  /** The audio that no final has covered goes to the server once more, from a clean state. */
  #hearAgain() {
    this.captions.partial("", 0);
    this.#on.words();
    this.#sendConfig();
    this.#forgotten(this.#backlog.start_ms ?? this.#taken_ms);
    this.#backlog.chunks.forEach((chunk) => this.#send(chunk));
  }

  async #start(open) {
    if (this.phase === "finishing") this.#finished();
    if (this.phase !== "idle") return;
    this.#turn("starting");
    try {
      this.connect();
      this.#forgotten(this.#taken_ms); // a server adds silence after a pause: its clock is not ours any more
      const begin = await open();
      this.#turn("recording");
      begin?.();
    } catch (error) {
      this.#turn("idle");
      this.#on.notice(error instanceof SourceError ? error.why : "source_failed", { message: error.message });
    }
  }

  async #play(player, fast) {
    const room = () => this.#room(fast);
    const onchunk = (chunk, share) => {
      this.#take(chunk);
      this.#on.progress(share);
    };
    const all = await player.play({ fast, room, onchunk });
    if (all && !this.#stopping) this.#finish();
  }

  async #room(fast) {
    while (!this.#link.open && !this.#stopping) await this.#flow.opened();
    if (fast) await this.#flow.room(this.#timeline.sent_ms, (done) => this.#ping(done));
  }

  #lost(why) {
    this.#on.notice(why);
    this.stop();
  }

  #take({ pcm, samples, level }) {
    const start_ms = this.#taken_ms;
    this.#taken_ms += (samples * 1000) / RATE_HZ;
    const chunk = { start_ms, end_ms: this.#taken_ms, pcm };
    this.#backlog.add(chunk);
    this.#send(chunk);
    this.#on.level(level);
  }

  #send({ start_ms, end_ms, pcm }) {
    if (this.#link.buffered_bytes > MOST_BUFFERED_BYTES) this.#link.abandon();
    if (!this.#link.send(pcm)) return;
    this.#timeline.sent(end_ms - start_ms, performance.now());
    this.#sent_ms = Math.max(this.#sent_ms, end_ms);
  }

  #finish() {
    this.#turn("finishing");
    if (this.#link.state.name === "resting") return this.#finished();
    this.#take(silence(this.#pad_ms()));
    this.#finishing.limit = setTimeout(() => this.#finished(), FINISHING_MS);
    return this.#waitForQuiet();
  }

  #pad_ms() {
    if (this.#settings.mode === "live") return LIVE_PAD_MS;
    const window_ms = this.#window_s * 1000;
    return window_ms - (this.#timeline.heard_ms % window_ms) || window_ms;
  }

  #waitForQuiet() {
    clearTimeout(this.#finishing.quiet);
    this.#finishing.quiet = setTimeout(() => {
      if (this.#link.open && !this.captions.tentative) this.#finished();
    }, QUIET_MS);
  }

  #finished() {
    clearTimeout(this.#finishing.quiet);
    clearTimeout(this.#finishing.limit);
    this.#source = null;
    this.#backlog.clear();
    if (this.captions.tentative) {
      this.#on.line(this.captions.keepTentative(this.#taken_ms));
      this.#forgotten(this.#taken_ms); // should the final come after all, it would say the same again
    }
    this.#on.words();
    this.#turn("idle");
    if (this.#resting) this.#link.rest();
    this.#resting = false;
  }

  #turn(phase) {
    this.phase = phase;
    this.#on.phase(phase);
  }

  #linked(state) {
    if (state.name !== "open") this.#flow.lost();
    if (state.name === "resting" && state.why && this.phase === "recording") this.stop();
    this.#on.link(state);
  }

  #opened() {
    this.#clearing = 0;
    const from_ms = this.#backlog.start_ms ?? this.#taken_ms;
    const unheard_ms = from_ms - this.#sent_ms;
    if (this.phase === "recording" && unheard_ms > 0) this.#on.notice("audio_lost", { seconds: unheard_ms / 1000 });
    this.#hearAgain();
    this.#flow.connected();
  }

  #sendConfig() {
    const { language, mode } = this.#settings;
    this.#link.send({ type: "config", mode, format: "int16" });
    this.#link.send({ type: "config", language, task: "transcribe" }); // apart: a model may not know the language
  }

  #ping(done) {
    if (this.#link.send({ type: "ping" })) this.#flow.pinged(done);
    else done();
  }

  #answered(message) {
    if (message.type === "pong") return this.#flow.ponged();
    if (message.type === "connected") return this.#on.connected(message);
    if (message.type === "error") return this.#on.notice("server_error", { message: String(message.message ?? "") });
    if (this.#clearing) return undefined;
    if (message.type === "transcription") this.#transcribed(message);
    if (message.type === "buffering") this.#buffered(message);
    if (this.phase === "finishing") this.#waitForQuiet();
    return undefined;
  }

  #buffered(message) {
    if (message.needed > 0) this.#window_s = message.needed;
    this.#on.buffering(message);
  }

  #transcribed(message) {
    const live = this.#settings.mode === "live";
    const placed = this.#timeline.place(message, { live, now_ms: performance.now() });
    this.latency_ms.add(placed.latency_ms);
    this.rtf.add(message.rtf);
    this.#flow.covered(placed.end_ms);
    if (message.partial) this.captions.partial(message.text, placed.start_ms);
    else this.#final(message.text, placed);
    this.#on.words();
    this.#on.measured();
  }

  #final(text, { start_ms, end_ms }) {
    this.#backlog.heard(end_ms);
    const line = this.captions.final(text, start_ms, end_ms);
    if (line) this.#on.line(line);
  }
}
