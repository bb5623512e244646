/* The engine's counters: the number now, its last minute as a line, and both in words. */

import { COUNTERS } from "./call-board.js";
import { byId, make } from "./dom.js";
import { number, words } from "./i18n.js";
import { Plot } from "./plot.js";

const NAMES = { queue: "queue", batch: "batch", lag_ms: "lag", streams: "streams", refused: "refused" };
const LEAST = { queue: 5, batch: 5, lag_ms: 500, streams: 5, refused: 5 };

export class EngineView {
  #counters = {};

  constructor() {
    for (const name of COUNTERS) {
      const title = make("p", { className: "name" });
      const value = make("strong", { className: "value" });
      const item = make("li", { className: "card counter", "data-counter": name }, [title, value]);
      this.#counters[name] = { title, value, plot: new Plot(item, { least: LEAST[name] }) };
      byId("counters").append(item);
    }
  }

  show({ engine, series }) {
    for (const name of COUNTERS) {
      const { title, value, plot } = this.#counters[name];
      title.textContent = words(NAMES[name]);
      value.textContent = engine ? shown(name, engine) : "–";
      const values = { last: series[name].last ?? "–", worst: series[name].worst ?? "–", count: series[name].values.length };
      plot.draw(series[name], words("series_summary", { name: words(NAMES[name]), ...values }));
    }
  }
}

function shown(name, engine) {
  const value = Number(engine[name]);
  if (!Number.isFinite(value)) return "–";
  if (name === "lag_ms") return words("ms", { value: number(value) });
  if (name !== "streams" || !Number.isFinite(engine.capacity)) return number(value, Number.isInteger(value) ? 0 : 1);
  return words("streams_of", { streams: number(value), capacity: number(engine.capacity) });
}
