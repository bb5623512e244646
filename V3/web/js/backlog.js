/* Audio that no final has covered yet, kept so that a new connection can hear it again. No DOM.
 *
 * At most `most_ms` (30 s: 960 kB); beyond that the oldest goes: `start_ms` says where what is kept begins.
 */

export class Backlog {
  #chunks = []; // {start_ms, end_ms, pcm}
  #most_ms;

  constructor(most_ms = 30000) {
    this.#most_ms = most_ms;
  }

  get chunks() {
    return this.#chunks;
  }

  get start_ms() {
    return this.#chunks.length ? this.#chunks[0].start_ms : null;
  }

  add(chunk) {
    this.#chunks.push(chunk);
    while (chunk.end_ms - this.#chunks[0].start_ms > this.#most_ms) this.#chunks.shift();
  }

  /** Everything up to `end_ms` has been heard for good. */
  heard(end_ms) {
    while (this.#chunks.length && this.#chunks[0].end_ms <= end_ms) this.#chunks.shift();
  }

  clear() {
    this.#chunks = [];
  }
}
