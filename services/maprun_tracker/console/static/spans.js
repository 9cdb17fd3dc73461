// Which state an execution was in, and when, by its events. Pure.

const LOST = /(Failed|TimedOut|Aborted)$/;
const OVER = /^Execution(Succeeded|Failed|TimedOut|Aborted)$/;
const OF_WHOLE = /^(Map|Parallel)StateFailed$/; // follows what failed inside

/**
 * {name, depth, from, to, status, tries, runs} for each time that a state was entered, in that order. `to` is undefined
 * while it goes on; `tries` are the points in time at which something in it failed, with the error; `runs` are the ARNs of
 * Map Runs it started. Events are in their order; what is known of a later page is not known yet.
 */
export function spansOf(events) {
  const spans = [];
  const places = new Map(); // id of an event → where its execution stood after it: {span, kind, above}
  let last = "";
  for (const event of events) {
    const [, whole] = OF_WHOLE.exec(event.type) ?? [];
    const at = places.get(event.previousEventId);
    const before = whole ? nearest(at, (place) => place.kind === whole) : at;
    const twice = whole && last === "MapRunFailed";
    last = event.type;
    const details = detailsOf(event);
    if (event.type.endsWith("StateEntered")) {
      const span = { name: details.name ?? "", depth: before ? before.span.depth + 1 : 0, from: event.timestamp, to: undefined, status: "RUNNING", tries: [], runs: [] };
      spans.push(span);
      places.set(event.id, { span, kind: event.type.slice(0, -"StateEntered".length), above: before });
      continue;
    }
    places.set(event.id, before);
    if (event.type.endsWith("StateExited")) {
      const mine = nearest(before, ({ span }) => span.name === details.name && span.to === undefined);
      if (!mine) continue;
      Object.assign(mine.span, { to: event.timestamp, status: "SUCCEEDED" });
      places.set(event.id, mine.above);
    } else if (OVER.test(event.type)) {
      const status = LOST.test(event.type) ? "FAILED" : "SUCCEEDED";
      for (const span of spans.filter(({ to }) => to === undefined)) Object.assign(span, { to: event.timestamp, status });
    } else if (before) {
      if (LOST.test(event.type) && !event.type.startsWith("MapIteration") && !twice) before.span.tries.push({ at: event.timestamp, error: details.error ?? "" });
      if (details.mapRunArn) before.span.runs.push(details.mapRunArn);
    }
  }
  return spans;
}

/** By the name of a state: {running, succeeded, failed, runs}, how often it was entered and what became of it. */
export function countsOf(events) {
  const found = new Map();
  for (const { name, status, runs } of spansOf(events)) {
    const counts = found.get(name) ?? { running: 0, succeeded: 0, failed: 0, runs: [] };
    counts[status.toLowerCase()] += 1;
    counts.runs.push(...runs);
    found.set(name, counts);
  }
  return found;
}

/** The place itself or the nearest above it that is as asked. */
function nearest(place, asked) {
  let at = place;
  while (at && !asked(at)) at = at.above;
  return at;
}

function detailsOf(event) {
  return Object.entries(event).find(([member]) => member.endsWith("EventDetails"))?.[1] ?? {};
}
