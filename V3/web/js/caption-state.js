/* The words of a transcript: finished lines, and the words still being heard. No DOM.
 *
 * A partial's words that the partial before it had too, up to the first that differs, are settled; the rest are open.
 * Settled words are a reading aid: only a final decides.
 */

const MOST_LINES = 5000; // the oldest are dropped beyond, and counted

export class CaptionState {
  #lines = [];
  #before = [];
  #next_id = 1;
  #most;
  dropped = 0;
  tentative = null; // or {start_ms, settled: [word], open: [word]}

  constructor(most_lines = MOST_LINES) {
    this.#most = most_lines;
  }

  get lines() {
    return this.#lines;
  }

  /** The words of an utterance so far; empty text takes them away. */
  partial(text, start_ms) {
    const words = split(text);
    const settled = agreeing(this.#before, words);
    this.#before = words;
    this.tentative = words.length ? { start_ms, settled: words.slice(0, settled), open: words.slice(settled) } : null;
  }

  /** An utterance has ended. Returns its line, or null when there was nothing to read. */
  final(text, start_ms, end_ms) {
    this.partial("", 0);
    const read = split(text).join(" ");
    if (!read) return null;
    const line = { id: this.#next_id, start_ms, end_ms: Math.max(start_ms, end_ms), text: read };
    this.#next_id += 1;
    this.#lines.push(line);
    if (this.#lines.length > this.#most) {
      this.#lines.shift();
      this.dropped += 1;
    }
    return line;
  }

  /** The words still open become a line: no final will come for them. */
  keepTentative(end_ms) {
    if (!this.tentative) return null;
    const { start_ms, settled, open } = this.tentative;
    return this.final([...settled, ...open].join(" "), start_ms, end_ms);
  }

  clear() {
    this.#lines = [];
    this.dropped = 0;
    this.partial("", 0);
  }
}

function split(text) {
  return String(text ?? "").split(/\s+/).filter(Boolean);
}

function agreeing(before, now) {
  const plain = (word) => word.toLowerCase().replace(/[.,;:!?…]+$/u, "");
  let count = 0;
  while (count < Math.min(before.length, now.length) && plain(before[count]) === plain(now[count])) count += 1;
  return count;
}
