/* Latency and real-time factor: the last value, a plot, and the same in words. */

import { byId } from "./dom.js";
import { number, say, words } from "./i18n.js";
import { Plot } from "./plot.js";

const MEASURES = {
  latency: { least: 500, summary: "latency_summary", shown: (ms) => words("ms", { value: number(ms) }) },
  rtf: { least: 0.5, mark_at: 1, summary: "rtf_summary", shown: (factor) => number(factor, 2) },
};

export class SpeedView {
  #plots = {};

  constructor() {
    for (const [id, { least, mark_at }] of Object.entries(MEASURES)) {
      this.#plots[id] = new Plot(byId(id).querySelector(".plot-place"), { least, mark_at });
    }
  }

  show({ latency_ms, rtf }) {
    this.#draw("latency", latency_ms);
    this.#draw("rtf", rtf);
  }

  #draw(id, series) {
    const { summary, shown } = MEASURES[id];
    const [value, told] = [byId(id).querySelector(".value"), byId(id).querySelector(".summary")];
    if (!series.values.length) {
      value.textContent = "";
      say(told, "no_measure");
      this.#plots[id].draw(series, words("no_measure"));
      return;
    }
    const values = { last: shown(series.last), median: shown(series.median), worst: shown(series.worst) };
    value.textContent = values.last;
    told.textContent = `${words("median", { value: values.median })} · ${words("worst", { value: values.worst })}`;
    delete told.dataset.said;
    this.#plots[id].draw(series, words(summary, { ...values, count: series.values.length }));
  }
}
