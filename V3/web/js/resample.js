/* Resampling of a stream to 16 kHz by a windowed sinc, whose every phase is computed once. No DOM.
 *
 * One `process` call follows another without a seam; the output runs WIDTH zero crossings behind the input (about 1 ms).
 * Memory is bounded by one filter length and one input block.
 */

import { RATE_HZ } from "./pcm.js";

const WIDTH = 16; // zero crossings to each side: 60 dB and more against folding above 8 kHz
const PASS = 0.94; // of the smaller Nyquist frequency

export class Resampler {
  #down;
  #up;
  #half;
  #phases;
  #kept;
  #position = 0; // of the next output sample, in 1/up of an input sample, from the start of #kept

  constructor(from_hz, to_hz = RATE_HZ) {
    if (!(from_hz > 0) || !Number.isInteger(from_hz)) throw new RangeError(`no sample rate: ${from_hz}`);
    const common = divisor(from_hz, to_hz);
    this.#down = from_hz / common;
    this.#up = to_hz / common;
    const cutoff = PASS * Math.min(1, to_hz / from_hz);
    this.#half = Math.ceil(WIDTH / cutoff);
    this.#phases = Array.from({ length: this.#up }, (_, phase) => taps(phase / this.#up, cutoff, this.#half));
    this.#kept = new Float32Array(this.#half - 1);
  }

  process(samples) {
    const input = new Float32Array(this.#kept.length + samples.length);
    input.set(this.#kept);
    input.set(samples, this.#kept.length);
    const output = [];
    let at = Math.floor(this.#position / this.#up);
    while (at + 2 * this.#half <= input.length) {
      output.push(dot(input, at, this.#phases[this.#position % this.#up]));
      this.#position += this.#down;
      at = Math.floor(this.#position / this.#up);
    }
    const gone = Math.min(at, input.length);
    this.#position -= gone * this.#up;
    this.#kept = input.slice(gone);
    return Float32Array.from(output);
  }
}

/** Weights of the inputs around an output that lies `fraction` of an input sample past the middle; they sum to 1. */
function taps(fraction, cutoff, half) {
  const weights = new Float32Array(2 * half);
  let sum = 0;
  for (let i = 0; i < weights.length; i += 1) {
    const distance = i - (half - 1) - fraction;
    const x = Math.PI * cutoff * distance;
    const sinc = x === 0 ? 1 : Math.sin(x) / x;
    const window = 0.5 + 0.5 * Math.cos((Math.PI * Math.max(-half, Math.min(half, distance))) / half);
    weights[i] = sinc * window;
    sum += weights[i];
  }
  return weights.map((weight) => weight / sum);
}

function dot(input, at, weights) {
  let sum = 0;
  for (let i = 0; i < weights.length; i += 1) sum += input[at + i] * weights[i];
  return sum;
}

function divisor(a, b) {
  return b === 0 ? a : divisor(b, a % b);
}
