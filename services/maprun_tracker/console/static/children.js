// The children of a Map Run: looked for by status, error, text, time and redrive; chosen ones are redriven.
import { ask } from "./api.js";
import { ActButton, RedriveChildren } from "./acts.js";
import { html, useState } from "./html.js";
import { EXECUTION_COLUMNS, executionCells } from "./machines.js";
import { More, usePages } from "./pages.js";
import { Choices, Table } from "./parts.js";
import { number } from "./words.js";

const ROWS = 50;
const PARTS_MAX = 10; // asked for behind one press, where few children are as they were asked for
const AGAIN_MS = 3000;
const STATUSES = ["FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED", "RUNNING"];
const LOST = new Set(["FAILED", "TIMED_OUT", "ABORTED"]);
const FILTERS = [["text", "Text", "in name, input, output, error or cause", "search"], ["error", "Error", "its whole name", "search"], ["slow", "Took at least", "seconds", "number"]];

/** `query` has status, text, error, cause, slow (seconds) and redrive; `at(changed)` is the address with other ones. */
export function Children({ arn, run, query, redrivable, at }) {
  const [chosen, choose] = useState(new Set());
  const looksFor = Boolean(query.text || query.error || query.cause || query.slow);
  const list = usePages((token, signal) => found(arn, query, token, signal),
    ["children", arn, ...["status", "text", "error", "cause", "slow", "redrive"].map((name) => query[name] ?? "")],
    run.status === "RUNNING" && !looksFor ? AGAIN_MS : 0);
  const shown = list.rows ?? [];
  const arns = shown.map((child) => child.executionArn).filter((each) => chosen.has(each));
  const toggle = (child) => choose((before) => {
    const next = new Set(before);
    if (!next.delete(child)) next.add(child);
    return next;
  });
  const rows = shown.map((child) => ({
    key: child.executionArn,
    cells: [
      ...(redrivable ? [LOST.has(child.status) && html`<input type="checkbox" aria-label=${`Choose ${child.name}`} checked=${chosen.has(child.executionArn)} onChange=${() => toggle(child.executionArn)} />`] : []),
      ...executionCells(child, at({ child: child.executionArn })),
      child.itemCount === undefined ? "" : number(child.itemCount),
      child.error || child.cause ? html`<span class="cut"><strong>${child.error}</strong> ${child.cause}</span>` : "",
    ],
  }));
  return html`<${Which} run=${run} query=${query} at=${at} />
    <${Search} key=${JSON.stringify(query)} query=${query} at=${at} />
    ${redrivable && arns.length > 0 && html`<div class="chosen"><span role="status">${number(arns.length)} chosen</span>
      <${ActButton} name="Redrive these" of=${(close) => html`<${RedriveChildren} run=${arn} arns=${arns} count=${arns.length} href=${at({ redrive: "latest", status: "", text: "", error: "", cause: "", slow: "" })} onClose=${() => { close(); choose(new Set()); }} />`} />
      <button type="button" class="small" onClick=${() => choose(new Set())}>Choose none</button></div>`}
    ${list.rows && html`<${Table} caption="Children" columns=${[...(redrivable ? ["Choose"] : []), ...EXECUTION_COLUMNS, "Items", "Error and cause"]} rows=${rows}
      empty=${looksFor || query.status || query.redrive ? "No child is so." : "No child has started yet."} />`}
    ${looksFor && list.rows && html`<p class="quiet" role="status">${number(list.looked)} children looked at${list.next ? "; there are more" : ", all there are"}.</p>`}
    <${More} list=${list} />`;
}

async function found(arn, query, token, signal) {
  const filters = { status: query.status, text: query.text, error: query.error, causePattern: query.cause, minSeconds: query.slow, redrive: query.redrive };
  const rows = [];
  let looked = 0;
  for (let parts = 0; parts < PARTS_MAX; parts += 1) {
    const page = await ask("children", arn, { ...filters, maxResults: ROWS - rows.length, nextToken: token }, signal);
    rows.push(...page.executions);
    looked += page.childrenLookedAt;
    token = page.nextToken;
    if (!token || rows.length >= ROWS) break;
  }
  return { rows, next: token, looked };
}

function Which({ run, query, at }) {
  const pending = run.executionCounts.pendingRedrive || query.status === "PENDING_REDRIVE" ? ["PENDING_REDRIVE"] : [];
  const statuses = [...STATUSES, ...pending].map((each) => [each.replace("_", " ").toLowerCase(), at({ status: each }), query.status === each]);
  return html`<${Choices} name="Status of children" of=${[["All", at({ status: "" }), !query.status], ...statuses]} />
    ${run.redriveCount > 0 && html`<${Choices} name="Redrives" of=${[
      ["of any redrive or none", at({ redrive: "" }), !query.redrive],
      [`run by redrive ${number(run.redriveCount)}`, at({ redrive: "latest" }), query.redrive === "latest"],
    ]} />`}`;
}

function Search({ query, at }) {
  const given = FILTERS.some(([name]) => query[name]) || query.cause;
  const search = (event) => {
    event.preventDefault();
    const data = new FormData(event.target);
    location.hash = at(Object.fromEntries(FILTERS.map(([name]) => [name, data.get(name).trim()])));
  };
  return html`<form class="search" role="search" aria-label="Search children" onSubmit=${search}>
    ${FILTERS.map(([name, said, hint, type]) => html`<label key=${name}>${said} <small>${hint}</small>
      <input name=${name} type=${type} min="0" step="any" maxlength="256" defaultValue=${query[name] ?? ""} /></label>`)}
    <button type="submit">Search</button>
    ${given && html`<a href=${at({ text: "", error: "", cause: "", slow: "" })}>Search for nothing</a>`}
  </form>
  ${query.cause && html`<p>Causes like <code>${query.cause}</code></p>`}`;
}
