// Items a second over the time that this page has watched.
import { Chart } from "./chart.js";
import { html } from "./html.js";
import { rateOf, throughput } from "./pace.js";
import { duration, rate } from "./words.js";

export function Throughput({ samples }) {
  const points = throughput(samples).map((point) => ({ at: point.at, value: point.rate }));
  if (points.length === 0) return null;
  const span = points[points.length - 1].at - samples[0].at;
  const top = rate(Math.max(...points.map((point) => point.value)));
  return html`<${Chart} lines=${[{ key: "rate", points }]} said=${`Items a second over ${duration(span)}: at most ${top}, now ${rate(rateOf(samples) ?? 0)}`}
    caption=${`Items a second since this page first looked, ${duration(span)} ago; at most ${top}.`} />`;
}
