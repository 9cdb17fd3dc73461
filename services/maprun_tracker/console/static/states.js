// What became of each state of an execution, for its graph: by its events, of a Map by the items of its Map Runs, and of
// the states inside a Map by the children that ended last.
import { ask, call } from "./api.js";
import { useLive } from "./live.js";
import { countsOf } from "./spans.js";
import { number } from "./words.js";

const EVENTS = 1000; // of one page
const PAGES_MAX = 5;
const RUNS_MAX = 20; // whose items are asked for, the newest ones
const INSIDE_MAX = 5; // Maps whose children are looked at
const UNKNOWN = { states: [], childrenCounted: 0 }; // the rest of the graph is shown all the same
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
  const inside = await Promise.all(newestOf(counts).map((mapRunArn) => ask("states", mapRunArn, {}, signal).catch(() => UNKNOWN)));
  return Object.fromEntries([
    ...inside.flatMap((run) => run.states.map((state) => [state.name, insideOf(state, run.childrenCounted)])),
    ...counts.map(([name, count]) => [name, { status: statusOf(count), text: textOf(count, items) + part }]),
  ]);
}

/** The newest Map Run of each Map, of as many Maps as are asked for. */
function newestOf(counts) {
  return counts.flatMap(([, { runs }]) => runs.slice(-1)).slice(-INSIDE_MAX);
}

/** A state inside a Map: how many of the children that ended last came to it, and how many ended in it unsuccessfully. */
export function insideOf({ visits, endedInIt }, children) {
  const lost = endedInIt ? `, ${number(endedInIt)} failed` : "";
  return { status: endedInIt ? "FAILED" : "SUCCEEDED", text: `${number(visits)} of last ${number(children)}${lost}` };
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
