/* Samples: float32 in [-1, 1] to int16, and audio cut into messages. No DOM. */

export const RATE_HZ = 16000;
export const CHUNK_SAMPLES = RATE_HZ / 10; // 100 ms, what one message carries
const SCALE = 32768;

export function toInt16(samples) {
  const pcm = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i += 1) {
    pcm[i] = Math.max(-SCALE, Math.min(SCALE - 1, Math.round(samples[i] * SCALE)));
  }
  return pcm;
}

/** Root mean square, in [0, 1]. */
export function level(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return samples.length ? Math.sqrt(sum / samples.length) : 0;
}

/** Gathers samples of any count into chunks of exactly `size`. */
export class Chunker {
  #chunk;
  #filled = 0;

  constructor(size = CHUNK_SAMPLES) {
    this.#chunk = new Float32Array(size);
  }

  push(samples) {
    const ready = [];
    let from = 0;
    while (from < samples.length) {
      const part = samples.subarray(from, from + this.#chunk.length - this.#filled);
      this.#chunk.set(part, this.#filled);
      this.#filled += part.length;
      from += part.length;
      if (this.#filled === this.#chunk.length) ready.push(this.rest());
    }
    return ready;
  }

  /** What has been gathered so far, perhaps nothing. */
  rest() {
    const chunk = this.#chunk.slice(0, this.#filled);
    this.#filled = 0;
    return chunk;
  }
}
