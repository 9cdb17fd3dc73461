// The events of an execution: as a table that is filtered here and paged by the server, and as a timeline of its states.
import { ask, call } from "./api.js";
import { html, useState } from "./html.js";
import { More, usePages } from "./pages.js";
import { Timeline } from "./timeline.js";
import { moment, pretty } from "./words.js";

const ROWS = 100;
const GRAVE = /(Failed|TimedOut|Aborted)$/;
const HIDDEN = new Set(["id", "type", "timestamp", "previousEventId"]);

/** `arn`'s events, `as` table, timeline or both. `anyKind` asks the address that shows EXPRESS children too. */
export function History({ arn, as = "table", anyKind = false, everyMs = 0 }) {
  const load = async (nextToken, signal) => {
    const page = anyKind
      ? await ask("history", arn, { nextToken }, signal)
      : await call("GetExecutionHistory", { executionArn: arn, maxResults: ROWS, nextToken }, signal);
    return { rows: page.events, next: page.nextToken };
  };
  const list = usePages(load, ["history", arn], everyMs);
  return html`${list.rows?.length > 0 && as !== "table" && html`<${Timeline} events=${list.rows} />`}
    ${list.rows && as !== "timeline" && html`<${Events} of=${list.rows} />`}
    <${More} list=${list} />`;
}

function Events({ of }) {
  const [onlyGrave, setOnlyGrave] = useState(false);
  const shown = onlyGrave ? of.filter((event) => GRAVE.test(event.type)) : of;
  const first = of[0]?.timestamp;
  return html`<label class="inline"><input type="checkbox" checked=${onlyGrave} onChange=${() => setOnlyGrave(!onlyGrave)} /> Only what went wrong</label>
    ${shown.length === 0
      ? html`<p class="quiet">${onlyGrave ? "Nothing went wrong in what is shown." : "Nothing has happened yet."}</p>`
      : html`<ol class="events">${shown.map((event) => html`<${Event} key=${event.id} event=${event} first=${first} />`)}</ol>`}`;
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
