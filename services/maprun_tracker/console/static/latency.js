// How long children take, from start to end: of those that succeeded, the newest ones, again and again.
import { call } from "./api.js";
import { Chart } from "./chart.js";
import { html } from "./html.js";
import { useLive } from "./live.js";
import { bounded, quantile } from "./pace.js";
import { useSamples } from "./samples.js";
import { duration } from "./words.js";

const CHILDREN = 50;
const EVERY_MS = 10000;

/** Samples {at, half, most}: seconds within which half of the children ended, and the slowest one. */
export function useTimes(arn, running) {
  const live = useLive(async (signal) => {
    const { executions } = await call("ListExecutions", { mapRunArn: arn, statusFilter: "SUCCEEDED", maxResults: CHILDREN }, signal);
    return timesOf(executions);
  }, ["times", arn, running], () => !running, EVERY_MS);
  const sample = live.data && { at: live.at / 1000, ...live.data };
  return useSamples(`times ${arn}`, sample, (samples, one) => bounded([...samples, one]));
}

/** {half, most} of the children that ended; undefined of none. */
export function timesOf(children) {
  const seconds = children.filter((child) => child.stopDate !== undefined).map((child) => child.stopDate - child.startDate).sort((a, b) => a - b);
  return seconds.length ? { half: quantile(seconds, 0.5), most: seconds[seconds.length - 1] } : null;
}

/** The chart; nothing before there are three samples. */
export function Latency({ samples }) {
  if (samples.length === 0) return null;
  const last = samples[samples.length - 1];
  const span = duration(last.at - samples[0].at);
  const line = (key) => ({ key, points: samples.map((sample) => ({ at: sample.at, value: sample[key] })) });
  return html`<${Chart} lines=${[line("most"), line("half")]} said=${`Time a child takes over ${span}: half within ${duration(last.half)}, the slowest ${duration(last.most)}`}
    caption=${`Time a child takes: the slowest of the ${CHILDREN} newest that succeeded, and below it half of them; at most ${duration(Math.max(...samples.map((sample) => sample.most)))}.`} />`;
}
