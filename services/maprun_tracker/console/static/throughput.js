// Items a second over the time that this page has watched, as a line.
import { html, useEffect, useRef, useState } from "./html.js";
import { rateOf, sampled, throughput } from "./pace.js";
import { duration, rate } from "./words.js";

const WIDTH = 600;
const HEIGHT = 120;

/** The samples of `done` items, one for each answer of the API (`at`, ms); they outlive a visit to another view. */
export function useSamples(key, at, done) {
  const kept = useRef(new Map());
  const [, drawn] = useState(0);
  useEffect(() => {
    if (!at || done === undefined) return;
    const before = kept.current.get(key) ?? read(key);
    const next = sampled(before, { at: at / 1000, done });
    kept.current.set(key, next);
    sessionStorage.setItem(`samples ${key}`, JSON.stringify(next));
    drawn(at);
  }, [key, at, done]);
  return kept.current.get(key) ?? [];
}

function read(key) {
  try {
    const found = JSON.parse(sessionStorage.getItem(`samples ${key}`) ?? "[]");
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

/** The chart; nothing before there are three samples. */
export function Throughput({ samples }) {
  const points = throughput(samples);
  if (points.length < 3) return null;
  const first = samples[0].at;
  const span = points[points.length - 1].at - first;
  const top = Math.max(...points.map((point) => point.rate), 1e-9);
  const x = (point) => ((point.at - first) / span) * WIDTH;
  const y = (point) => HEIGHT - (Math.max(0, point.rate) / top) * (HEIGHT - 8);
  const line = points.map((point, place) => `${place ? "L" : "M"}${x(point).toFixed(1)} ${y(point).toFixed(1)}`).join("");
  return html`<figure class="chart">
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img"
      aria-label=${`Items a second over ${duration(span)}: at most ${rate(top)}, now ${rate(rateOf(samples) ?? 0)}`}>
      <path class="area" d=${`${line}L${WIDTH} ${HEIGHT}L${x(points[0]).toFixed(1)} ${HEIGHT}Z`} />
      <path class="line" d=${line} vector-effect="non-scaling-stroke" />
    </svg>
    <figcaption class="quiet">Items a second since this page first looked, ${duration(span)} ago; at most ${rate(top)}.</figcaption>
  </figure>`;
}
