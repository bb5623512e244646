/* How fast a file may go out: as fast as the server answers. No DOM.
 *
 * After each second of audio a ping; the next second waits for its pong. And the audio sent is never further than
 * LEAD_MS past what transcriptions have covered, except that silence, which has none, goes on after RELIEF_MS.
 */

const STEP_MS = 1000;
const LEAD_MS = 10000;
const RELIEF_MS = 250;
const PONG_MS = 10000; // a server that answers no ping is not waited for longer

export class Flow {
  #pongs = []; // what waits for each ping's answer, oldest first
  #openings = [];
  #coverings = [];
  #covered_ms = 0;
  #allowed_ms = 0;

  /** Audio counts from `at_ms` on. */
  restart(at_ms) {
    this.#covered_ms = this.#allowed_ms = at_ms;
  }

  connected() {
    this.#wake(this.#openings);
  }

  lost() {
    this.#wake(this.#pongs);
    this.#wake(this.#coverings);
  }

  /** Nobody waits any longer: the source is being stopped. */
  release() {
    this.lost();
    this.#wake(this.#openings);
  }

  opened() {
    return new Promise((resolve) => this.#openings.push(resolve));
  }

  pinged(done) {
    this.#pongs.push(done);
  }

  ponged() {
    this.#pongs.shift()?.();
  }

  covered(end_ms) {
    this.#covered_ms = Math.max(this.#covered_ms, end_ms);
    this.#wake(this.#coverings);
  }

  /** Resolves when audio may go on from `sent_ms`; `ping(done)` sends a ping. */
  async room(sent_ms, ping) {
    if (sent_ms < this.#allowed_ms) return;
    await within(PONG_MS, (done) => ping(done));
    if (sent_ms - this.#covered_ms > LEAD_MS) await within(RELIEF_MS, (done) => this.#coverings.push(done));
    this.#allowed_ms = sent_ms + STEP_MS;
  }

  #wake(waiting) {
    waiting.splice(0).forEach((done) => done());
  }
}

function within(most_ms, begin) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, most_ms);
    begin(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
