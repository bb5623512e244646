/* The last values of a measure, with what is said about them. No DOM. */

export class Series {
  #values = [];
  #size;

  constructor(size = 60) {
    this.#size = size;
  }

  /** Values that are no finite number are left out; beyond `size` the oldest goes. */
  add(value) {
    if (!Number.isFinite(value)) return;
    this.#values.push(value);
    if (this.#values.length > this.#size) this.#values.shift();
  }

  clear() {
    this.#values = [];
  }

  get values() {
    return this.#values;
  }

  get size() {
    return this.#size;
  }

  get last() {
    return this.#values.at(-1);
  }

  get worst() {
    return this.#values.length ? Math.max(...this.#values) : undefined;
  }

  get median() {
    if (!this.#values.length) return undefined;
    const sorted = [...this.#values].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }
}

/** The next of 1, 2, 5 x 10^n that is not under `value`: a scale that does not dance. */
export function roundedUp(value, least) {
  const wanted = Math.max(value, least);
  const unit = 10 ** Math.floor(Math.log10(wanted));
  return [1, 2, 5, 10].map((step) => step * unit).find((top) => top >= wanted * (1 - 1e-9));
}

/** "12,34 56,78 ...": points of a polyline in a box, newest value at the right edge. */
export function polyline(values, { size, width, height, top }) {
  const step = width / Math.max(1, size - 1);
  const x = (index) => width - (values.length - 1 - index) * step;
  const y = (value) => height - (Math.min(value, top) / top) * height;
  return values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
}
