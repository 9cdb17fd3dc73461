// A child execution in a drawer: input, output, error, its events, and the calls that fetch the same.
import { ask, call } from "./api.js";
import { write } from "./address.js";
import { ActButton, Stop } from "./acts.js";
import { History } from "./history.js";
import { html, useState } from "./html.js";
import { useLive, Waiting } from "./live.js";
import { Copy, Dialog, Facts, Json, Status } from "./parts.js";
import { duration, moment, nameOf, shellWord } from "./words.js";

/** `arn`'s drawer; `onClose` leads back to the list. */
export function Child({ arn, onClose }) {
  const over = (child) => !["RUNNING", "PENDING_REDRIVE"].includes(child.status);
  const live = useLive((signal) => call("DescribeExecution", { executionArn: arn }, signal), ["child", arn], over);
  const child = live.data;
  const express = arn.split(":")[5] === "express";
  return html`<${Dialog} title="Child execution" className="drawer" onClose=${onClose}>
    <p><code>${nameOf(arn)}</code> ${child && html`<${Status} of=${child.status} />`}</p>
    <${Waiting} live=${live}>
      <div class="acts">
        <${ActButton} name="Stop" grave when=${child?.status === "RUNNING" && !express} of=${(close) => html`<${Stop} arn=${arn} what="This child" onClose=${close} onDone=${live.again} />`} />
        <${Copy} text=${JSON.stringify(child, null, 2)} name="Copy as JSON" />
        <${Copy} text=${asBoto3(arn)} name="Copy as boto3" />
        <${Copy} text=${`maprun history ${shellWord(arn)}`} name="Copy as CLI" />
      </div>
      ${child && html`<${Facts} of=${[
        ["Started", moment(child.startDate)],
        ["Took", child.stopDate === undefined ? undefined : duration(child.stopDate - child.startDate)],
        ["Redriven", child.redriveCount ? `${child.redriveCount} ×` : undefined],
      ]} />
      ${(child.error || child.cause) && html`<div class="failure"><strong>${child.error}</strong> <pre>${child.cause}</pre></div>`}
      <${Json} level="h3" name="Input" text=${child.input} />
      <${Json} level="h3" name="Output" text=${child.output} />`}
      ${!express && html`<${NestedRuns} arn=${arn} />`}
      <${FunctionLogs} arn=${arn} />
      <h3>States and events</h3>
      <${History} arn=${arn} as="both" anyKind />
    <//>
  <//>`;
}

/** What functions printed for `arn`, asked for when it is opened: a host looks through its logs for it. */
export function FunctionLogs({ arn }) {
  const [open, setOpen] = useState(false);
  return html`<details class="function-logs" onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary>Logs of its functions</summary>
    ${open && html`<${FoundLogs} arn=${arn} />`}
  </details>`;
}

function FoundLogs({ arn }) {
  const live = useLive((signal) => ask("function-logs", arn, {}, signal), ["function-logs", arn], () => true);
  const found = live.data;
  return html`<${Waiting} live=${live}>
    ${found?.error && html`<p class="quiet">${found.error}</p>`}
    ${found && !found.error && found.calls.length === 0 && html`<p class="quiet">No function has printed anything, or failed, as far as logs reach back.</p>`}
    ${found?.calls.map((one) => html`<section class="json" key=${one.requestId}>
      <h4>${one.functionName} <${Copy} text=${one.log} /></h4>
      <pre tabindex="0" aria-label=${`Log of ${one.functionName}`}>${one.log}</pre>
      ${one.truncated && html`<p class="quiet">The end of it is left out.</p>`}
    </section>`)}
    ${found?.truncated && html`<p class="quiet">There are more: the functions' logs themselves have them, under the execution's ARN.</p>`}
  <//>`;
}

function NestedRuns({ arn }) {
  const live = useLive((signal) => call("ListMapRuns", { executionArn: arn, maxResults: 20 }, signal), ["nested", arn], () => true);
  const runs = live.data?.mapRuns ?? [];
  return runs.map((run) => html`<p key=${run.mapRunArn}>Map Run: <a href=${write("map-run", run.mapRunArn)}>${nameOf(run.mapRunArn)}</a></p>`);
}

/** The lines that fetch the same with AWS's SDK. */
export function asBoto3(arn) {
  return `import boto3\n\nboto3.client("stepfunctions").describe_execution(executionArn=${JSON.stringify(arn)})\n`;
}
