// Figures over time as lines, drawn to the width there is.
import { html } from "./html.js";

const WIDTH = 600;
const HEIGHT = 120;
const POINTS_MIN = 3;

/** `lines`: [{key, points: [{at, value}]}], all of the same span of time; the first one stands on an area. */
export function Chart({ lines, said, caption }) {
  const all = lines.flatMap((line) => line.points);
  if (lines.some((line) => line.points.length < POINTS_MIN)) return null;
  const first = Math.min(...all.map((point) => point.at));
  const span = Math.max(...all.map((point) => point.at)) - first || 1;
  const top = Math.max(...all.map((point) => point.value), 1e-9);
  const x = (point) => ((point.at - first) / span) * WIDTH;
  const y = (point) => HEIGHT - (Math.max(0, point.value) / top) * (HEIGHT - 8);
  const drawn = lines.map(({ key, points }) => ({ key, x: x(points[0]), path: points.map((point, place) => `${place ? "L" : "M"}${x(point).toFixed(1)} ${y(point).toFixed(1)}`).join("") }));
  return html`<figure class="chart">
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label=${said}>
      <path class="area" d=${`${drawn[0].path}L${WIDTH} ${HEIGHT}L${drawn[0].x.toFixed(1)} ${HEIGHT}Z`} />
      ${drawn.map(({ key, path }) => html`<path key=${key} class=${`line line-${key}`} d=${path} vector-effect="non-scaling-stroke" />`)}
    </svg>
    <figcaption class="quiet">${caption}</figcaption>
  </figure>`;
}
