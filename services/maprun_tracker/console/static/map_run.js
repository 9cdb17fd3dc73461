// A Map Run: live counts, how fast it goes and for how long, its children by status, and what can be changed.
import { ask, call } from "./api.js";
import { write } from "./address.js";
import { ActButton, Redrive, Stop, Update } from "./acts.js";
import { ItemBar } from "./bar.js";
import { Child } from "./child.js";
import { Children } from "./children.js";
import { Clusters } from "./clusters.js";
import { labelOf } from "./execution.js";
import { html } from "./html.js";
import { Latency, useTimes } from "./latency.js";
import { Age, useLive, Waiting } from "./live.js";
import { doneOf, rateOf, sampled, secondsLeft } from "./pace.js";
import { Choices, Copy, Facts, Status } from "./parts.js";
import { Results } from "./results.js";
import { useSamples } from "./samples.js";
import { Throughput } from "./throughput.js";
import { duration, moment, nameOf, number, percent, rate } from "./words.js";

const STATUS_OF = { failed: "FAILED", timedOut: "TIMED_OUT", aborted: "ABORTED", succeeded: "SUCCEEDED", running: "RUNNING" };

const FILTERS = ["status", "text", "error", "cause", "slow", "redrive"];

/** FILTERS of the query narrow the children, `query.child` opens one of them, `query.tab` is errors or nothing. */
export function MapRun({ arn, query }) {
  const live = useLive(async (signal) => {
    const [run, progress] = await Promise.all([call("DescribeMapRun", { mapRunArn: arn }, signal), ask("progress", arn, {}, signal)]);
    return { run, progress };
  }, [arn]);
  const run = live.data?.run;
  const at = (changed) => write("map-run", arn, { ...Object.fromEntries(FILTERS.map((name) => [name, query[name]])), tab: query.tab, ...changed });
  const redrivable = Boolean(run) && !["RUNNING", "SUCCEEDED"].includes(run.status) && !isChild(run.executionArn);
  const errors = query.tab === "errors";
  return html`<h1>Map Run ${labelOf(arn)} ${run && html`<${Status} of=${run.status} />`}</h1>
    <${Waiting} live=${live}>
      ${run && html`<${Overview} live=${live} arn=${arn} redrivable=${redrivable} hrefOf=${(key) => (STATUS_OF[key] ? at({ status: STATUS_OF[key], tab: "" }) : "")} />`}
      <h2>Children</h2>
      <${Choices} name="Parts of this page" of=${[["One by one", at({ tab: "" }), !errors], ["What went wrong", at({ tab: "errors" }), errors]]} />
      ${run && (errors
        ? html`<${Clusters} arn=${arn} lost=${lostOf(run)} redrivable=${redrivable} at=${at} />`
        : html`<${Children} arn=${arn} run=${run} query=${query} redrivable=${redrivable} at=${at} />`)}
    <//>
    ${query.child && html`<${Child} arn=${query.child} onClose=${() => { location.hash = at({}); }} />`}`;
}

/** Whether an execution is itself the child of a Map Run: its redrive is its root's. */
function isChild(executionArn) {
  return executionArn.split(":")[6].includes("/");
}

function Overview({ live, arn, redrivable, hrefOf }) {
  const { run, progress } = live.data;
  const running = run.status === "RUNNING";
  const done = doneOf(run.itemCounts);
  const samples = useSamples(arn, running ? { at: live.at / 1000, done } : undefined, sampled);
  const times = useTimes(arn, running);
  const now = times[times.length - 1];
  const pace = rateOf(samples);
  const expected = progress.itemsExpected ?? run.itemCounts.total;
  const left = secondsLeft(progress.itemsExpected, done, pace);
  const began = run.redriveDate ?? run.startDate;
  const took = (run.stopDate ?? live.at / 1000) - began;
  const children = run.executionCounts;
  return html`<p class="right"><${Age} live=${live} over=${!running} /></p>
    <div class="acts">
      <${ActButton} name="Change limits" when=${running} of=${(close) => html`<${Update} run=${run} onClose=${close} onDone=${live.again} />`} />
      <${ActButton} name="Stop" grave when=${running} of=${(close) => html`<${Stop} arn=${run.executionArn} what="The execution of this Map Run" onClose=${close} onDone=${live.again} />`} />
      <${ActButton} name="Redrive" when=${redrivable} of=${(close) => html`<${Redrive} arn=${run.executionArn} lost=${`${number(lostOf(run))} children of this Map Run`} onClose=${close} onDone=${live.again} />`} />
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
      <${Figure} name="A child takes" value=${now ? duration(now.half) : "–"} of=${now ? `half of them; the slowest ${duration(now.most)}` : "none succeeded yet"} />
      <${Figure} name="Source read" value=${sourceText(progress)} of=${`${number(progress.itemsRead)} items`} />
    </div>
    ${running && html`<${Throughput} samples=${samples} /><${Latency} samples=${times} />`}
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
    ${!running && html`<${Ended} executionArn=${run.executionArn} />
      <${Results} arn=${arn} of=${run.redriveCount} />`}`;
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

/** What the run's execution ended with. */
function Ended({ executionArn }) {
  const live = useLive((signal) => call("DescribeExecution", { executionArn }, signal), ["end", executionArn], () => true);
  const execution = live.data;
  return execution?.error ? html`<div class="failure">The execution ended with <strong>${execution.error}</strong> <pre>${execution.cause}</pre></div>` : null;
}
