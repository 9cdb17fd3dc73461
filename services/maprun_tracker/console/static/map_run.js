// A Map Run: live counts, how fast it goes and for how long, its children by status, and what can be changed.
import { ask, call } from "./api.js";
import { write } from "./address.js";
import { ActButton, Redrive, Stop, Update } from "./acts.js";
import { ItemBar } from "./bar.js";
import { Child } from "./child.js";
import { Clusters } from "./clusters.js";
import { Manifest, labelOf } from "./execution.js";
import { html } from "./html.js";
import { Age, useLive, Waiting } from "./live.js";
import { EXECUTION_COLUMNS, executionCells } from "./machines.js";
import { doneOf, rateOf, secondsLeft } from "./pace.js";
import { More, usePages } from "./pages.js";
import { Choices, Copy, Facts, Status, Table } from "./parts.js";
import { Throughput, useSamples } from "./throughput.js";
import { duration, manifestsIn, moment, nameOf, number, percent, rate } from "./words.js";

const ROWS = 50;
const AGAIN_MS = 3000;
const STATUS_OF = { failed: "FAILED", timedOut: "TIMED_OUT", aborted: "ABORTED", succeeded: "SUCCEEDED", running: "RUNNING" };
const isOver = ({ run }) => run.status !== "RUNNING";

/** `query.status` narrows the children, `query.child` opens one of them, `query.tab` is errors or nothing. */
export function MapRun({ arn, query }) {
  const live = useLive(async (signal) => {
    const [run, progress] = await Promise.all([call("DescribeMapRun", { mapRunArn: arn }, signal), ask("progress", arn, undefined, signal)]);
    return { run, progress };
  }, [arn]);
  const run = live.data?.run;
  const at = (changed) => write("map-run", arn, { status: query.status, tab: query.tab, ...changed });
  const errors = query.tab === "errors";
  return html`<h1>Map Run ${labelOf(arn)} ${run && html`<${Status} of=${run.status} />`}</h1>
    <${Waiting} live=${live}>
      ${run && html`<${Overview} live=${live} arn=${arn} hrefOf=${(key) => (STATUS_OF[key] ? at({ status: STATUS_OF[key], tab: "" }) : "")} />`}
      <h2>Children</h2>
      <${Choices} name="Parts of this page" of=${[["One by one", at({ tab: "" }), !errors], ["What went wrong", at({ tab: "errors" }), errors]]} />
      ${run && (errors
        ? html`<${Clusters} arn=${arn} lost=${lostOf(run)} hrefOf=${(child) => at({ child })} />`
        : html`<${Children} arn=${arn} run=${run} status=${query.status ?? ""} at=${at} />`)}
    <//>
    ${query.child && html`<${Child} arn=${query.child} onClose=${() => { location.hash = at({}); }} />`}`;
}

function Overview({ live, arn, hrefOf }) {
  const { run, progress } = live.data;
  const running = run.status === "RUNNING";
  const done = doneOf(run.itemCounts);
  const samples = useSamples(arn, running ? live.at : 0, done);
  const pace = rateOf(samples);
  const expected = progress.itemsExpected ?? run.itemCounts.total;
  const left = secondsLeft(progress.itemsExpected, done, pace);
  const began = run.redriveDate ?? run.startDate;
  const took = (run.stopDate ?? live.at / 1000) - began;
  const children = run.executionCounts;
  return html`<p class="right"><${Age} live=${live} over=${!running} /></p>
    <div class="acts">
      ${running && html`<${ActButton} name="Change limits" of=${(close) => html`<${Update} run=${run} onClose=${close} onDone=${live.again} />`} />
      <${ActButton} name="Stop" grave of=${(close) => html`<${Stop} arn=${run.executionArn} what="The execution of this Map Run" onClose=${close} onDone=${live.again} />`} />`}
      ${!running && run.status !== "SUCCEEDED" && html`<${ActButton} name="Redrive" of=${(close) => html`<${Redrive} arn=${run.executionArn} lost=${`${number(lostOf(run))} children of this Map Run`} onClose=${close} onDone=${live.again} />`} />`}
      <${Copy} text=${arn} name="Copy ARN" />
    </div>
    <${ItemBar} run=${run} expected=${expected} hrefOf=${hrefOf} />
    <div class="figures">
      <${Figure} name="Items done" value=${number(done)} of=${expected ? `of ${progress.sourceEnded ? "" : "about "}${number(expected)}` : ""} />
      ${running
        ? html`<${Figure} name="Items a second" value=${pace === null ? "…" : rate(pace)} of="over the last 30 s" />
          <${Figure} name="Time left" value=${left === null ? "–" : duration(left)} of=${left === null ? "not known" : "at this pace"} />`
        : html`<${Figure} name="Items a second" value=${took > 0 && !run.redriveCount ? rate(done / took) : "–"} of="on average" />`}
      <${Figure} name="Children running" value=${number(children.running)} of=${run.maxConcurrency ? `of ${number(run.maxConcurrency)} at once` : "no limit of its own"} />
      <${Figure} name="Source read" value=${sourceText(progress)} of=${`${number(progress.itemsRead)} items`} />
    </div>
    ${running && html`<${Throughput} samples=${samples} />`}
    <${Facts} of=${[
      ["Execution", html`<a href=${write("execution", run.executionArn)}>${nameOf(run.executionArn)}</a>`],
      ["Started", moment(run.startDate)],
      ["Ended", run.stopDate === undefined ? undefined : moment(run.stopDate)],
      ["Took", duration(took)],
      ["Redriven", run.redriveCount ? `${run.redriveCount} ×, last ${moment(run.redriveDate)}` : undefined],
      ["Children", `${number(children.total)}, of which ${number(children.succeeded)} succeeded`],
      ["Results written", run.itemCounts.resultsWritten ? `${number(run.itemCounts.resultsWritten)} items` : undefined],
      ["Wait for redrive", children.pendingRedrive ? `${number(children.pendingRedrive)} children` : undefined],
    ]} />
    ${!running && html`<${Ended} executionArn=${run.executionArn} />`}`;
}

function Figure({ name, value, of }) {
  return html`<div class="figure"><div class="quiet">${name}</div><div class="value">${value}</div><div class="quiet">${of}</div></div>`;
}

function sourceText(progress) {
  if (progress.sourceEnded) return "whole";
  return progress.sourceShareRead ? percent(progress.sourceShareRead) : "reading";
}

function lostOf(run) {
  const { failed, timedOut, aborted, pendingRedrive } = run.executionCounts;
  return failed + timedOut + aborted + pendingRedrive;
}

/** What the run's execution ended with, and the manifests that its output names. */
function Ended({ executionArn }) {
  const live = useLive((signal) => call("DescribeExecution", { executionArn }, signal), ["results", executionArn], () => true);
  const execution = live.data;
  return html`${execution?.error && html`<div class="failure">The execution ended with <strong>${execution.error}</strong> <pre>${execution.cause}</pre></div>`}
    ${manifestsIn(execution?.output).map((address) => html`<${Manifest} key=${address} address=${address} />`)}`;
}

function Children({ arn, run, status, at }) {
  const load = async (nextToken, signal) => {
    const page = await call("ListExecutions", { mapRunArn: arn, statusFilter: status || undefined, maxResults: ROWS, nextToken }, signal);
    return { rows: page.executions, next: page.nextToken };
  };
  const list = usePages(load, ["children", arn, status], isOver({ run }) ? 0 : AGAIN_MS);
  const statuses = [...Object.values(STATUS_OF), ...(run.executionCounts.pendingRedrive || status === "PENDING_REDRIVE" ? ["PENDING_REDRIVE"] : [])];
  const choices = [["All", at({ status: "" }), !status], ...statuses.map((each) => [each.replace("_", " ").toLowerCase(), at({ status: each }), status === each])];
  const rows = (list.rows ?? []).map((child) => ({
    key: child.executionArn,
    cells: [...executionCells(child, at({ child: child.executionArn })), child.itemCount === undefined ? "" : number(child.itemCount)],
  }));
  return html`<${Choices} name="Status of children" of=${choices} />
    ${list.rows && html`<${Table} caption="Children" columns=${[...EXECUTION_COLUMNS, "Items"]} rows=${rows}
      empty=${status ? "No child is in this state." : "No child has started yet."} />`}
    <${More} list=${list} />`;
}
