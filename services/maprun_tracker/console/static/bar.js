// What became of a Map Run's items as one bar, with the failures that are tolerated drawn on it.
import { html } from "./html.js";
import { pieces, tolerated } from "./pace.js";
import { number, percent } from "./words.js";

const NAMES = { failed: "Failed", timedOut: "Timed out", aborted: "Aborted", succeeded: "Succeeded", running: "Running", pending: "Pending" };

/** The bar and its key. `hrefOf(key)` is where the children of that kind are listed; "" = nowhere. */
export function ItemBar({ run, expected, hrefOf }) {
  const { parts, whole } = pieces(run.itemCounts, expected);
  const most = tolerated(run, whole);
  let at = 0;
  const drawn = parts.map((part) => {
    const piece = { ...part, x: (at / whole) * 1000, width: (part.count / whole) * 1000 };
    at += part.count;
    return piece;
  });
  const said = parts.filter((part) => part.count).map((part) => `${NAMES[part.key]} ${number(part.count)}`).join(", ");
  const mark = most === null ? null : (most / whole) * 1000;
  return html`<figure class="bar">
    <svg viewBox="0 0 1000 40" preserveAspectRatio="none" role="img" aria-label=${`Of ${number(whole)} items: ${said || "none"}`}>
      ${drawn.map((piece) => piece.count > 0 && html`<rect key=${piece.key} class=${`fill-${piece.key}`} x=${piece.x} y="4" height="32" width=${Math.max(piece.width, 1.5)} />`)}
      ${mark !== null && html`<line class="tolerance" x1=${mark} x2=${mark} y1="0" y2="40" />`}
    </svg>
    <figcaption>
      <ul class="key">${parts.map((part) => html`<${Key} key=${part.key} part=${part} whole=${whole} href=${hrefOf(part.key)} />`)}</ul>
      <p class="quiet">${toleranceText(run, most, whole)}</p>
    </figcaption>
  </figure>`;
}

function Key({ part, whole, href }) {
  const said = html`<span class=${`dot dot-${part.key}`}></span>${NAMES[part.key]} <strong>${number(part.count)}</strong> <small>${percent(part.count / whole)}</small>`;
  return html`<li>${href && part.count > 0 ? html`<a href=${href}>${said}</a>` : said}</li>`;
}

function toleranceText(run, most, whole) {
  if (most === null) return "No failed item is tolerated.";
  const given = [
    run.toleratedFailureCount > 0 && number(run.toleratedFailureCount),
    run.toleratedFailurePercentage > 0 && percent(run.toleratedFailurePercentage / 100),
  ].filter(Boolean);
  const failed = run.itemCounts.failed + run.itemCounts.timedOut;
  return `Tolerated: ${given.join(" or ")} of failed items, the dashed line; ${number(Math.max(0, Math.floor(most) - failed))} more of ${number(whole)} may fail.`;
}
