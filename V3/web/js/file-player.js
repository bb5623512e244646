/* Sends a decoded file chunk by chunk, at real time or as fast as there is room.
 *
 * Time is told by a worker: a tab in the background has its own timers slowed to one a second, and gaps of a second
 * are silence to a server.
 */

import { CHUNK_SAMPLES, RATE_HZ } from "./pcm.js";
import { chunkAt } from "./sources.js";

const CHUNK_MS = (1000 * CHUNK_SAMPLES) / RATE_HZ;

export class FilePlayer {
  #samples;
  #stopped = false;
  #done = null;
  #ticks = new Ticks();

  constructor(samples) {
    this.#samples = samples;
  }

  get duration_ms() {
    return (this.#samples.length * 1000) / RATE_HZ;
  }

  /**
   * `room()` resolves when one more chunk may go; `onchunk(chunk, share)` takes it. Resolves when all has gone or
   * `stop` was called; whether all has gone is the answer.
   */
  play({ fast, room, onchunk }) {
    this.#done = this.#run(fast, room, onchunk).finally(() => this.#ticks.end());
    return this.#done;
  }

  async stop() {
    this.#stopped = true;
    await this.#done;
  }

  async #run(fast, room, onchunk) {
    const count = Math.ceil(this.#samples.length / CHUNK_SAMPLES);
    let due_ms = performance.now();
    for (let index = 0; index < count; index += 1) {
      const asked_ms = performance.now();
      await room();
      due_ms += performance.now() - asked_ms; // a connection that was away holds the clock
      if (!fast) await this.#ticks.until(due_ms);
      if (this.#stopped) return false;
      onchunk(chunkAt(this.#samples, index), (index + 1) / count);
      due_ms += CHUNK_MS;
    }
    return true;
  }
}

class Ticks {
  #worker = new Worker(new URL("./timer-worker.js", import.meta.url));
  #waiting = new Map();
  #next_id = 0;

  constructor() {
    this.#worker.addEventListener("message", ({ data: id }) => {
      this.#waiting.get(id)?.();
      this.#waiting.delete(id);
    });
  }

  until(due_ms) {
    const wait_ms = due_ms - performance.now();
    if (wait_ms <= 0) return undefined;
    this.#next_id += 1;
    this.#worker.postMessage({ id: this.#next_id, wait_ms });
    return new Promise((resolve) => this.#waiting.set(this.#next_id, resolve));
  }

  end() {
    this.#worker.terminate();
  }
}
