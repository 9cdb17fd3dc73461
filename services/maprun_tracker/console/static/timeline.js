// When an execution was in which of its states, one bar each time.
import { html } from "./html.js";
import { spansOf } from "./spans.js";
import { duration, number } from "./words.js";

const ROWS_MAX = 200;
const DEPTH_MAX = 6; // that is drawn

/** Of the events that are loaded, in their order. */
export function Timeline({ events }) {
  const spans = spansOf(events);
  if (spans.length === 0) return html`<p class="quiet">No state has been entered yet.</p>`;
  const first = events[0].timestamp;
  const last = events[events.length - 1].timestamp;
  const whole = last - first || 1e-3;
  const x = (at) => ((at - first) / whole) * 1000;
  return html`<ol class="timeline" aria-label="Timeline of the states">${spans.slice(0, ROWS_MAX).map((span, place) => {
    const to = span.to ?? last;
    return html`<li key=${place}>
      <span class="name">${"· ".repeat(Math.min(span.depth, DEPTH_MAX))}${span.name}</span>
      <span class="took">${duration(to - span.from)}${saidOf(span)}</span>
      <svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">
        <rect class=${`fill-${span.status.toLowerCase()}`} x=${Math.min(x(span.from), 997)} y="1" height="8" width=${Math.max(x(to) - x(span.from), 3)} />
        ${span.tries.map((one, which) => html`<rect key=${which} class="try" x=${Math.min(x(one.at), 996)} y="0" height="10" width="4" />`)}
      </svg>
    </li>`;
  })}</ol>
  ${spans.length > ROWS_MAX && html`<p class="quiet">${number(spans.length - ROWS_MAX)} more are left out.</p>`}`;
}

function saidOf({ status, tries }) {
  const lost = tries.length ? `, failed ${tries.length === 1 ? "once" : `${number(tries.length)} times`}${tries[0].error ? `, first with ${tries[0].error}` : ""}` : "";
  if (status === "RUNNING") return ` so far${lost}`;
  return lost || (status === "FAILED" ? ", failed" : "");
}
