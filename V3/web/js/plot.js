/* A line of the last values in a small SVG, with its name for screen readers. */

import { makeSvg } from "./dom.js";
import { polyline, roundedUp } from "./series.js";

const BOX = { width: 240, height: 56 };

export class Plot {
  #line = makeSvg("polyline", { class: "plot-line", "vector-effect": "non-scaling-stroke" });
  #area = makeSvg("polygon", { class: "plot-area" });
  #mark = makeSvg("line", { class: "plot-mark", x1: 0, x2: BOX.width, "vector-effect": "non-scaling-stroke" });
  #svg;
  #least;
  #mark_at;

  /** `least`: the scale's top is never under it. `mark_at`: a value that a dashed line shows. */
  constructor(place, { least, mark_at = null }) {
    this.#least = least;
    this.#mark_at = mark_at;
    this.#svg = makeSvg(
      "svg",
      { class: "plot", viewBox: `0 0 ${BOX.width} ${BOX.height}`, preserveAspectRatio: "none", role: "img" },
      mark_at === null ? [this.#area, this.#line] : [this.#area, this.#mark, this.#line],
    );
    place.append(this.#svg);
  }

  draw(series, name) {
    const top = roundedUp(1.1 * (series.worst ?? 0), this.#least);
    const points = polyline(series.values, { size: series.size, ...BOX, top });
    this.#line.setAttribute("points", points);
    const first_x = points.split(",")[0];
    this.#area.setAttribute("points", points && `${first_x},${BOX.height} ${points} ${BOX.width},${BOX.height}`);
    if (this.#mark_at !== null) {
      const y = BOX.height - (this.#mark_at / top) * BOX.height;
      this.#mark.setAttribute("y1", y);
      this.#mark.setAttribute("y2", y);
    }
    this.#svg.setAttribute("aria-label", name);
    return top;
  }
}
