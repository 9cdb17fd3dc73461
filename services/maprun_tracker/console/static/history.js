// The events of an execution as a table: filtered here, paged by the server.
import { ask, call } from "./api.js";
import { html, useState } from "./html.js";
import { More, usePages } from "./pages.js";
import { moment, pretty } from "./words.js";

const ROWS = 100;
const GRAVE = /(Failed|TimedOut|Aborted)$/;
const HIDDEN = new Set(["id", "type", "timestamp", "previousEventId"]);

/** `arn`'s events. `anyKind` asks the address that shows EXPRESS children too. */
export function History({ arn, anyKind = false, everyMs = 0 }) {
  const [onlyGrave, setOnlyGrave] = useState(false);
  const load = async (nextToken, signal) => {
    const page = anyKind
      ? await ask("history", arn, { nextToken }, signal)
      : await call("GetExecutionHistory", { executionArn: arn, maxResults: ROWS, nextToken }, signal);
    return { rows: page.events, next: page.nextToken };
  };
  const list = usePages(load, ["history", arn], everyMs);
  if (list.rows === undefined) return html`<${More} list=${list} />`;
  const shown = onlyGrave ? list.rows.filter((event) => GRAVE.test(event.type)) : list.rows;
  const first = list.rows[0]?.timestamp;
  return html`<label class="inline"><input type="checkbox" checked=${onlyGrave} onChange=${() => setOnlyGrave(!onlyGrave)} /> Only what went wrong</label>
    ${shown.length === 0
      ? html`<p class="quiet">${onlyGrave ? "Nothing went wrong in what is shown." : "Nothing has happened yet."}</p>`
      : html`<ol class="events">${shown.map((event) => html`<${Event} key=${event.id} event=${event} first=${first} />`)}</ol>`}
    <${More} list=${list} />`;
}

function Event({ event, first }) {
  const [name, details] = detailsOf(event);
  return html`<li class=${GRAVE.test(event.type) ? "grave" : ""}>
    <details>
      <summary><span class="id">${event.id}</span> <strong>${event.type}</strong> <span>${details?.name ?? details?.error ?? ""}</span>
        <time datetime=${new Date(event.timestamp * 1000).toISOString()} title=${moment(event.timestamp)}>+${(event.timestamp - first).toFixed(3)} s</time></summary>
      ${details
        ? html`<dl class="facts">${Object.entries(details).map(([member, value]) => html`<div key=${member}><dt>${member}</dt>
            <dd><pre>${typeof value === "string" ? pretty(value) : JSON.stringify(value, null, 2)}</pre></dd></div>`)}</dl>`
        : html`<p class="quiet">${name ? "" : "This event has no details."}</p>`}
    </details>
  </li>`;
}

/** The member of an event that holds its details: [its name, what it holds]. */
export function detailsOf(event) {
  return Object.entries(event).find(([member]) => !HIDDEN.has(member)) ?? ["", undefined];
}
