// What became of each state of an execution, for its graph: by its events, and of a Map by the items of its Map Runs.
import { call } from "./api.js";
import { useLive } from "./live.js";
import { countsOf } from "./spans.js";
import { number } from "./words.js";

const EVENTS = 1000; // of one page
const PAGES_MAX = 5;
const RUNS_MAX = 20; // whose items are asked for, the newest ones
const EVERY_MS = 5000;

/** {name: {status, text}} once it is known; asked again while the execution is running. */
export function useStates(arn, running) {
  const live = useLive((signal) => states(arn, signal), ["states", arn, running], () => !running, EVERY_MS);
  return live.data ?? {};
}

async function states(arn, signal) {
  const events = [];
  let nextToken;
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const page = await call("GetExecutionHistory", { executionArn: arn, maxResults: EVENTS, nextToken }, signal);
    events.push(...page.events);
    nextToken = page.nextToken;
    if (!nextToken) break;
  }
  const counts = [...countsOf(events)];
  const wanted = counts.flatMap(([, { runs }]) => runs).slice(-RUNS_MAX);
  const runs = await Promise.all(wanted.map((mapRunArn) => call("DescribeMapRun", { mapRunArn }, signal)));
  const items = new Map(runs.map((run) => [run.mapRunArn, run.itemCounts]));
  const part = nextToken ? " at first" : "";
  return Object.fromEntries(counts.map(([name, count]) => [name, { status: statusOf(count), text: textOf(count, items) + part }]));
}

/** What of it there is to be seen first. */
export function statusOf({ running, failed }) {
  if (running) return "RUNNING";
  return failed ? "FAILED" : "SUCCEEDED";
}

/** Items where the state has Map Runs, else how often it was entered. */
export function textOf({ running, succeeded, failed, runs }, items) {
  const found = runs.map((run) => items.get(run)).filter(Boolean);
  const sum = (...names) => found.reduce((total, counts) => total + names.reduce((some, name) => some + counts[name], 0), 0);
  const said = found.length
    ? [[sum("running"), "running"], [sum("succeeded"), "done"], [sum("failed", "timedOut", "aborted"), "failed"]]
    : [[running, "running"], [succeeded, "done"], [failed, "failed"]];
  return said.filter(([count]) => count).map(([count, word]) => `${number(count)} ${word}`).join(", ");
}
