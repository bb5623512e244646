/* When a transcription was said, on the page's own audio clock, and how late it came. No DOM, no clock.
 *
 * The page's clock counts the audio it took in, in ms. A connection hears from some point of it on (`connected`); the
 * server's times count from there. A server that tells no `start` and `end` (seconds) is placed by what is known:
 * classic answers follow one another, live ones end where the audio sent so far ends.
 */

const REMEMBERED = 600; // moments of sending; with messages of 100 ms, a minute

export class Timeline {
  #base_ms = 0;
  #sent_ms = 0;
  #moments = []; // {position_ms, now_ms}, oldest first
  #cursor_ms = 0; // where the last classic answer ended

  /** The server's time 0 is the page's `at_ms`. */
  connected(at_ms) {
    this.#base_ms = this.#sent_ms = this.#cursor_ms = at_ms;
    this.#moments = [];
  }

  sent(duration_ms, now_ms) {
    this.#sent_ms += duration_ms;
    this.#moments.push({ position_ms: this.#sent_ms, now_ms });
    if (this.#moments.length > REMEMBERED) this.#moments.shift();
  }

  /** Audio sent on this connection, in ms. */
  get heard_ms() {
    return this.#sent_ms - this.#base_ms;
  }

  get sent_ms() {
    return this.#sent_ms;
  }

  /** {start_ms, end_ms, latency_ms} of a transcription that came at `now_ms`. */
  place(message, { live, now_ms }) {
    const span = this.#told(message) ?? (live ? this.#newest(message) : this.#following(message));
    if (!message.partial) this.#cursor_ms = span.end_ms;
    const latency_ms = this.#since(span.end_ms, now_ms) ?? Number(message.processing_time) * 1000;
    return { ...span, latency_ms };
  }

  #told({ start, end }) {
    if (!Number.isFinite(start) || !Number.isFinite(end)) return null;
    return { start_ms: this.#base_ms + start * 1000, end_ms: this.#base_ms + Math.max(start, end) * 1000 };
  }

  #following({ duration }) {
    const end_ms = this.#cursor_ms + seconds(duration) * 1000;
    return { start_ms: this.#cursor_ms, end_ms };
  }

  #newest({ duration }) {
    const start_ms = Math.max(this.#cursor_ms, this.#sent_ms - seconds(duration) * 1000);
    return { start_ms, end_ms: this.#sent_ms };
  }

  /** How long ago the audio up to `end_ms` had been sent; undefined when that is too long ago to know. */
  #since(end_ms, now_ms) {
    const moment = this.#moments.find(({ position_ms }) => position_ms >= end_ms - 1);
    const forgotten = this.#moments.length === REMEMBERED && moment === this.#moments[0];
    return moment && !forgotten ? now_ms - moment.now_ms : undefined;
  }
}

function seconds(value) {
  return Number.isFinite(value) ? Math.max(0, value) : 0;
}
