// The states of a machine and the ways between them, drawn from its definition.
import { html, useMemo } from "./html.js";
import { layout, statesIn } from "./layout.js";

const STATES_MAX = 500;

/**
 * `definition` is Amazon States Language; what can't be drawn is left to the text below it. `states` are what became of
 * them, by name: {status, text}.
 */
export function Graph({ definition, states = {} }) {
  const drawing = useMemo(() => drawn(definition), [definition]);
  if (typeof drawing === "string") return html`<p class="quiet">${drawing}</p>`;
  return html`<div class="graph scroll" tabindex="0" role="region" aria-label="Graph of the states">
    <svg width=${drawing.width} height=${drawing.height} viewBox=${`0 0 ${drawing.width} ${drawing.height}`} role="img" aria-label=${said(drawing, states)}>
      <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8Z" class="arrow" /></marker></defs>
      <${Drawing} of=${drawing} states=${new Map(Object.entries(states))} />
    </svg>
  </div>
  <p class="quiet">Dashed lines are what Catch leads to; a thick frame is where it starts, a double one where it ends.${Object.keys(states).length ? " “Of last 200” is of the children of a Map that ended last." : ""}</p>`;
}

function drawn(definition) {
  try {
    const machine = JSON.parse(definition);
    if (statesIn(machine) > STATES_MAX) return `More than ${STATES_MAX} states are not drawn.`;
    const drawing = layout(machine);
    return drawing.boxes.length ? drawing : "There are no states to draw.";
  } catch {
    return "This definition can't be drawn.";
  }
}

function said(drawing, states) {
  const ways = drawing.lines.map(({ from, to, kind }) => `${from} leads to ${to}${kind === "catch" ? " when it fails" : ""}`).join("; ") || "One state";
  const became = Object.entries(states).map(([name, { text }]) => `${name}: ${text}`).join("; ");
  return became ? `${ways}. ${became}` : ways;
}

function Drawing({ of, states }) {
  return html`${of.lines.map((line) => html`<path key=${`${line.from}\n${line.to}`} class=${`way way-${line.kind}`} d=${line.path} marker-end="url(#arrow)" />`)}
    ${of.boxes.map((box) => html`<g key=${box.name} transform=${`translate(${box.x} ${box.y})`}>
      <rect class=${`state${box.start ? " starts" : ""}`} data-status=${states.get(box.name)?.status} width=${box.width} height=${box.height} rx="6" />
      ${box.ends && html`<rect class="ends" x="3" y="3" width=${box.width - 6} height=${box.height - 6} rx="4" />`}
      <title>${box.name}${states.has(box.name) ? `: ${states.get(box.name).text}` : ""}</title>
      <text x=${box.width / 2} y="17" text-anchor="middle">${short(box.name)}</text>
      ${box.inner.length === 0
        ? html`<text class="type" x=${box.width / 2} y="32" text-anchor="middle">${states.get(box.name)?.text || box.type}</text>`
        : html`<text class="type" x=${box.width / 2} y="32" text-anchor="middle">${states.get(box.name)?.text}</text>
          ${box.inner.map((one, place) => html`<g key=${place} transform=${`translate(${one.x} ${one.y})`}><${Drawing} of=${one.drawing} states=${states} /></g>`)}`}
    </g>`)}`;
}

function short(name) {
  return name.length > 30 ? `${name.slice(0, 29)}…` : name;
}
