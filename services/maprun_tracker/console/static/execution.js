// One root execution: how it stands, what it was given and gave, its Map Runs, its history, its definition.
import { call } from "./api.js";
import { write } from "./address.js";
import { ActButton, Redrive, Stop } from "./acts.js";
import { Graph } from "./graph.js";
import { History } from "./history.js";
import { html } from "./html.js";
import { Age, useLive, Waiting } from "./live.js";
import { More, usePages } from "./pages.js";
import { useStates } from "./states.js";
import { Choices, Copy, Facts, Json, Status, Table } from "./parts.js";
import { duration, manifestsIn, moment, nameOf, shellWord } from "./words.js";

const AGAIN_MS = 3000;
const TABS = [["map-runs", "Map Runs"], ["history", "History"], ["timeline", "Timeline"], ["data", "Input and output"], ["definition", "Definition"]];
const EXPRESS_TABS = TABS.slice(1, 4); // AWS has the other questions for STANDARD executions alone

/** `query.tab` is one of TABS. */
export function Execution({ arn, query }) {
  const live = useLive((signal) => call("DescribeExecution", { executionArn: arn }, signal), [arn]);
  const execution = live.data;
  const running = execution?.status === "RUNNING";
  const express = arn.split(":")[5] === "express";
  const tabs = express ? EXPRESS_TABS : TABS;
  const tab = query.tab ?? tabs[0][0];
  return html`<h1>${execution?.name ?? nameOf(arn)} ${execution && html`<${Status} of=${execution.status} />`}</h1>
    <${Waiting} live=${live}>
      <p class="right"><${Age} live=${live} /></p>
      <div class="acts">
        <${ActButton} name="Stop" grave when=${running} of=${(close) => html`<${Stop} arn=${arn} what="This execution" onClose=${close} onDone=${live.again} />`} />
        <${ActButton} name="Redrive" when=${execution?.redriveStatus === "REDRIVABLE"} of=${(close) => html`<${Redrive} arn=${arn} onClose=${close} onDone=${live.again} />`} />
        <${Copy} text=${arn} name="Copy ARN" />
      </div>
      ${execution && html`<${Summary} execution=${execution} />`}
      <${Choices} name="Parts of this page" of=${tabs.map(([key, name]) => [name, write("execution", arn, { tab: key }), tab === key])} />
      ${tab === "map-runs" && html`<${MapRuns} arn=${arn} everyMs=${running ? AGAIN_MS : 0} />`}
      ${["history", "timeline"].includes(tab) && html`<${History} arn=${arn} as=${tab === "history" ? "table" : tab} anyKind=${express} everyMs=${running ? AGAIN_MS : 0} />`}
      ${tab === "data" && html`<${Json} name="Input" text=${execution?.input} /><${Json} name="Output" text=${execution?.output} />`}
      ${tab === "definition" && html`<${Definition} arn=${arn} running=${running} />`}
    <//>`;
}

function Summary({ execution }) {
  const end = execution.stopDate ?? Date.now() / 1000;
  return html`<${Facts} of=${[
      ["Machine", html`<a href=${write("machine", execution.stateMachineArn)}>${nameOf(execution.stateMachineArn)}</a>`],
      ["Started", moment(execution.startDate)],
      ["Ended", execution.stopDate === undefined ? undefined : moment(execution.stopDate)],
      ["Took", duration(end - (execution.redriveDate ?? execution.startDate))],
      ["Redriven", execution.redriveCount ? `${execution.redriveCount} ×, last ${moment(execution.redriveDate)}` : undefined],
      ["Version", execution.stateMachineVersionArn && html`<code>${execution.stateMachineVersionArn}</code>`],
      ["Alias", execution.stateMachineAliasArn && html`<code>${execution.stateMachineAliasArn}</code>`],
    ]} />
    ${(execution.error || execution.cause) && html`<div class="failure"><strong>${execution.error}</strong> <pre>${execution.cause}</pre></div>`}
    ${manifestsIn(execution.output).map((address) => html`<${Manifest} key=${address} address=${address} />`)}`;
}

/** Where result files are: their manifest names each of them. */
export function Manifest({ address }) {
  return html`<p>Results: <code>${address}</code> <${Copy} text=${address} name="Copy address" />
    <${Copy} text=${`aws s3 cp ${shellWord(address)} -`} name="Copy as CLI" /></p>`;
}

function MapRuns({ arn, everyMs }) {
  const list = usePages(async (nextToken, signal) => {
    const page = await call("ListMapRuns", { executionArn: arn, maxResults: 50, nextToken }, signal);
    return { rows: page.mapRuns, next: page.nextToken };
  }, ["map-runs", arn], everyMs);
  const rows = (list.rows ?? []).map((run) => ({
    key: run.mapRunArn,
    cells: [
      html`<a href=${write("map-run", run.mapRunArn)}>${labelOf(run.mapRunArn)}</a>`,
      moment(run.startDate),
      run.stopDate === undefined ? "goes on" : duration(run.stopDate - run.startDate),
    ],
  }));
  return html`${list.rows && html`<${Table} caption="Map Runs" columns=${["Map Run", "Started", "Took"]} rows=${rows}
      empty="This execution has started no Map Run." />`}
    <${More} list=${list} />`;
}

/** A Map Run by the label of its state and the beginning of its id. */
export function labelOf(mapRunArn) {
  const [, label, id] = /mapRun:[^/]+\/([^:]+):(.+)$/.exec(mapRunArn) ?? ["", mapRunArn, ""];
  return `${label} ${id.slice(0, 8)}`;
}

function Definition({ arn, running }) {
  const live = useLive((signal) => call("DescribeStateMachineForExecution", { executionArn: arn }, signal), ["definition", arn], () => true);
  const states = useStates(arn, running);
  return html`<${Waiting} live=${live}><${Graph} definition=${live.data?.definition} states=${states} /><${Json} name="Definition" text=${live.data?.definition} /><//>`;
}
